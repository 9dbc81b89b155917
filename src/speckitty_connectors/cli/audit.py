"""`audit`: who did what, and why."""

from __future__ import annotations

from datetime import UTC, datetime

import click

from ..store.metadata import OPERATOR
from .operator import Operator, as_json, show

WORKSPACE = click.argument("workspace", default=OPERATOR)


@click.group()
def audit() -> None:
    """Look at who did what; without a workspace, at what belongs to none."""


@audit.command(name="list")
@WORKSPACE
@click.option("--entity", default="", help="Kind of thing: installation, link, credential, conversation, …")
@click.option("--id", "entity_id", default="", help="Id of the thing.")
@click.option("--actor", default="", help="Who did it: member:<id>, provider:<key>, operator or system.")
@click.option("--verb", default="", help="What was done, for example installation.connected.")
@click.option("--since", type=click.DateTime(), default=None, help="Not before this moment, in UTC.")
@click.option("--limit", default=100, show_default=True, type=click.IntRange(1), help="How many at most.")
@as_json
@click.pass_obj
def list_entries(
    operator: Operator,
    *,
    workspace: str,
    entity: str,
    entity_id: str,
    actor: str,
    verb: str,
    since: datetime | None,
    limit: int,
    as_json: bool,
) -> None:
    """List what was done, the newest first."""
    with operator.connectors() as connectors:
        found = connectors.audit.find(
            workspace,
            entity=entity,
            entity_id=entity_id,
            actor=actor,
            verb=verb,
            since=since.replace(tzinfo=UTC) if since else None,
            limit=limit,
        )
    rows = [
        {
            "at": each.at.isoformat(timespec="seconds"),
            "actor": each.actor,
            "verb": each.verb,
            "id": each.entity_id,
            "reason": each.reason,
            "before": dict(each.before),
            "after": dict(each.after),
        }
        for each in found
    ]
    show(rows, ("at", "actor", "verb", "id", "reason"), as_json=as_json, nothing="nothing was done")


@audit.command()
@WORKSPACE
@click.option("--after", default="", help="Id of the last entry of an earlier export.")
@click.pass_obj
def export(operator: Operator, *, workspace: str, after: str) -> None:
    """Print everything that was done, the oldest first, one JSON document a line."""
    with operator.connectors() as connectors:
        for line in connectors.audit.export(workspace, after=after):
            click.echo(line)
