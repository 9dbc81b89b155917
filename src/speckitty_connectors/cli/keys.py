"""`keys`: what seals credentials."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import click

from ..credentials.keyring import KeyRing
from ..credentials.rotation import Progress
from .operator import Operator, as_json, load_extra, show


@click.group()
def keys() -> None:
    """Make keys for sealing credentials, and rotate them."""


@keys.command()
def new() -> None:
    """Print a fresh key; put it into your secret store, never into a file of the project."""
    click.echo(KeyRing.new_key().reveal())


@keys.command(name="list")
@as_json
@click.pass_obj
def list_keys(operator: Operator, *, as_json: bool) -> None:
    """List the keys, and how many credentials are sealed with each; one with none that isn't active may go."""
    with operator.connectors() as connectors:
        rows = connectors.keys.list()
    shown = [{"key": each.id, "active": each.is_active, "credentials": each.credentials} for each in rows]
    show(shown, ("key", "active", "credentials"), as_json=as_json, nothing="there is no key")


@keys.command()
@click.option("--progress", is_flag=True, help="Show a bar.")
@click.pass_obj
def rotate(operator: Operator, *, progress: bool) -> None:
    """Seal everything anew with the active key, beside running processes; safe to stop and start again."""
    with operator.connectors() as connectors, _bar(shown=progress) as advance:
        reached = connectors.keys.rotate(advance)
        former = [each.id for each in connectors.keys.list() if each.credentials == 0 and not each.is_active]
    click.echo(f"{reached.done} of {reached.total} credentials are sealed anew")
    if reached.unreadable:
        raise click.ClickException(
            f"{len(reached.unreadable)} can't be opened and stay as they are: {', '.join(reached.unreadable)}"
        )
    if former:
        click.echo(f"no credential needs these keys any more: {', '.join(former)}")


@contextmanager
def _bar(*, shown: bool) -> Iterator[Callable[[Progress], object]]:
    if not shown:
        yield lambda _: None
        return
    rich = load_extra("rich.progress")
    with rich.Progress() as bar:
        task = bar.add_task("credentials", total=None)
        yield lambda reached: bar.update(task, total=reached.total, completed=reached.done)
