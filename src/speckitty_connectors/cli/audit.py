"""`audit`: who did what, and why."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import click

from ..connectors import Connectors
from ..store.metadata import OPERATOR
from .operator import connected
from .printing import Row, prints_rows, row

WORKSPACE = click.argument("workspace", default=OPERATOR)


@click.group()
def audit() -> None:
    """Show who changed what, and why. Without WORKSPACE, it is about what belongs to none."""


@audit.command(name="list")
@WORKSPACE
@click.option("--entity", default="", help="Kind of thing: installation, link, credential, conversation, …")
@click.option("--id", "entity_id", default="", help="Id of the thing.")
@click.option("--actor", default="", help="Who did it: member:<id>, provider:<key>, operator or system.")
@click.option("--verb", default="", help="What was done, for example installation.connected.")
@click.option("--since", type=click.DateTime(), default=None, help="Not before this moment, in UTC.")
@click.option("--limit", default=100, show_default=True, type=click.IntRange(1), help="How many at most.")
@prints_rows("nothing was done", "at", "actor", "verb", "id", "reason")
def list_entries(connectors: Connectors, /, *, workspace: str, since: datetime | None, **given: Any) -> list[Row]:
    """List what was done, the newest first."""
    utc = since.replace(tzinfo=UTC) if since else None
    columns = "at actor verb id reason before after"
    return [
        row(each, columns, at=each.at.isoformat(timespec="seconds"), id=each.entity_id)
        for each in connectors.audit.find(workspace, since=utc, **given)
    ]


@audit.command()
@WORKSPACE
@click.option("--after", default="", help="Id of the last entry of an earlier export.")
@connected
def export(connectors: Connectors, /, *, workspace: str, after: str) -> None:
    """Print all that was done, as one JSON document a line. The oldest comes first."""
    for line in connectors.audit.export(workspace, after=after):
        click.echo(line)
