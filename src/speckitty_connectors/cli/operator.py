"""What every command shares: the settings, the `Connectors`, and how results are shown."""

from __future__ import annotations

import importlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import click
from attrs import frozen

from ..configuration import PluginSettings, Settings
from ..errors import ConfigurationError
from ..providers.codec import to_document

if TYPE_CHECKING:
    from ..connectors import Connectors
    from ..installations.inventory import Report, SyncProgress
    from ..store.engine import Store

FAILED, MISUSED = 1, 2
"""The exit codes of what went wrong; `docs/command-line.md` says what each means."""


@frozen(kw_only=True)
class Operator:
    """The person at the command line.

    Attributes:
        config: path of the settings file, or None for the environment alone.
    """

    config: str | None

    def settings(self) -> Settings:
        """Return the settings of the file, or of the environment."""
        return Settings.from_file(self.config) if self.config else Settings.from_environment()

    def plugins(self) -> PluginSettings:
        """Return which plugins may be loaded; without a settings file all of them."""
        return self.settings().plugins if self.config else PluginSettings()

    @contextmanager
    def connectors(self, *, upgrade: bool = False) -> Iterator[Connectors]:
        """Open everything and register the apps of the settings, on a database that is up to date."""
        from ..connectors import Connectors

        with Connectors(self.settings()) as connectors:
            if upgrade:
                connectors.upgrade()
            connectors.start()
            yield connectors

    @contextmanager
    def store(self) -> Iterator[Store]:
        """Open the database alone, as it is."""
        from ..connectors import open_store

        store = open_store(self.settings())
        try:
            yield store
        finally:
            store.close()


as_json = click.option("--json", "as_json", is_flag=True, help="Print JSON.")
"""The option of every command that shows something."""


def show(rows: Sequence[Mapping[str, object]], columns: Sequence[str], *, as_json: bool, nothing: str) -> None:
    """Print rows as JSON or as a table; `nothing` is said where there are none."""
    if as_json:
        click.echo(json.dumps([dict(row) for row in rows], default=str, indent=2))
    elif not rows:
        click.echo(nothing)
    else:
        _print_table(rows, columns)


def show_rows(rows: Sequence[Mapping[str, object]], *, as_json: bool, nothing: str) -> None:
    """Print rows with all their columns; `nothing` is said where there are none."""
    show(rows, tuple(rows[0]) if rows else (), as_json=as_json, nothing=nothing)


def say(lines: Iterable[str], document: object, *, as_json: bool) -> None:
    """Print what was done: in words, or the document as JSON."""
    click.echo(json.dumps(to_document(document), indent=2, default=str) if as_json else "\n".join(lines))


def load_extra(module: str) -> Any:
    """Import a module of the extra `cli`.

    Raises:
        ConfigurationError: the extra isn't installed.
    """
    try:
        return importlib.import_module(module)
    except ImportError:
        raise ConfigurationError(
            f"this command needs {module}",
            subject="extra cli",
            remedy="run: pip install 'speckitty-connectors[cli]'",
        ) from None


def _print_table(rows: Sequence[Mapping[str, object]], columns: Sequence[str]) -> None:
    try:
        console, tables = importlib.import_module("rich.console"), importlib.import_module("rich.table")
    except ImportError:
        for row in rows:
            click.echo("  ".join(str(row[column]) for column in columns))
        return
    table = tables.Table(box=None, pad_edge=False, header_style="bold")
    for column in columns:
        table.add_column(column, overflow="fold")  # an id that is cut off can't be used in the next command
    for row in rows:
        table.add_row(*(str(row[column]) for column in columns))
    console.Console(markup=False, highlight=False, emoji=False).print(table)  # brackets are ours, not rich's


@contextmanager
def listing_progress() -> Iterator[Report]:
    """Show how many resources were listed while the block runs; nobody knows how many there will be."""
    try:
        progress, console = importlib.import_module("rich.progress"), importlib.import_module("rich.console")
    except ImportError:
        yield lambda _: None
        return
    columns = (progress.SpinnerColumn(), progress.TextColumn("{task.description}"), progress.TimeElapsedColumn())
    with progress.Progress(*columns, console=console.Console(stderr=True), transient=True) as bar:
        task = bar.add_task("listing …", total=None)

        def show(now: SyncProgress) -> None:
            name = now.installation.account_name or now.installation.id
            bar.update(task, description=f"{name}: {now.listed} resources on {now.pages} pages")

        yield show
