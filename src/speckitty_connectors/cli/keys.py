"""`keys`: what seals credentials."""

from __future__ import annotations

from contextlib import nullcontext

import click

from ..connectors import Connectors
from ..credentials.keyring import KeyRing
from .operator import connected
from .printing import Row, prints_rows
from .printing import progress as show_progress


@click.group()
def keys() -> None:
    """Create and rotate the keys that seal credentials."""


@keys.command()
def new() -> None:
    """Print a new key. Keep it in your secret store, never in a file of the project."""
    click.echo(KeyRing.new_key().reveal())


@keys.command(name="list")
@prints_rows("there is no key")
def list_keys(connectors: Connectors) -> list[Row]:
    """List the keys, and how many credentials each seals. One that seals none and isn't active can be removed."""
    return [
        {"key": each.id, "active": each.is_active, "credentials": each.credentials}
        for each in connectors.keys.list()
    ]


@keys.command()
@click.option("--progress", is_flag=True, help="Show a progress bar.")
@connected
def rotate(connectors: Connectors, /, *, progress: bool) -> None:
    """Seal every credential again, with the active key. It may run beside other processes, and be interrupted."""
    with show_progress("credentials", transient=False) if progress else nullcontext(lambda **_: None) as update:
        reached = connectors.keys.rotate(lambda now: update(total=now.total, completed=now.done))
    former = [each.id for each in connectors.keys.list() if each.credentials == 0 and not each.is_active]
    click.echo(f"{reached.done} of {reached.total} credentials are sealed again")
    if reached.unreadable:
        raise click.ClickException(
            f"{len(reached.unreadable)} can't be opened and stay as they are: {', '.join(reached.unreadable)}"
        )
    if former:
        click.echo(f"no credential needs these keys any more: {', '.join(former)}")
