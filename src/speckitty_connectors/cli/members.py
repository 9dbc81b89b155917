"""`members`: what becomes of the links of members who leave."""

from __future__ import annotations

import click

from ..connectors import Connectors
from .arguments import actor, in_workspace
from .printing import Row, prints_rows


@click.group()
def members() -> None:
    """Revoke the links of members who leave."""


@members.command()
@in_workspace()
@click.argument("member")
@click.option("--reason", default="left", show_default=True, help="Why, for the audit.")
@actor
@prints_rows("{member} has no links and no installations")
def offboard(connectors: Connectors, /, **given: str) -> list[Row]:
    """Revoke MEMBER's links, and list what to hand over. These are installations that use a grant of theirs."""
    left = connectors.members.offboard(**given)
    rows: list[Row] = [{"what": "link", "id": each.link.id, "became": each.revocation.value} for each in left.links]
    rows += [
        {"what": "installation", "id": each.id, "became": f"hand over at {connectors.reauthorise_url(each)}"}
        for each in left.hand_over
    ]
    return rows
