"""How far something has come, on standard error: a bar where rich is installed, else nothing."""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from contextlib import contextmanager

from ..installations.syncing import Report, SyncProgress, report_nothing


@contextmanager
def listing_progress() -> Iterator[Report]:
    """Show how many resources were listed while the block runs; nobody knows how many there will be."""
    try:
        progress, console = importlib.import_module("rich.progress"), importlib.import_module("rich.console")
    except ImportError:
        yield report_nothing
        return
    columns = (progress.SpinnerColumn(), progress.TextColumn("{task.description}"), progress.TimeElapsedColumn())
    with progress.Progress(*columns, console=console.Console(stderr=True), transient=True) as bar:
        task = bar.add_task("listing …", total=None)

        def show(now: SyncProgress) -> None:
            name = now.installation.account_name or now.installation.id
            bar.update(task, description=f"{name}: {now.listed} resources on {now.pages} pages")

        yield show
