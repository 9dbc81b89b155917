"""`explain`: what happened to a delivery, and why."""

from __future__ import annotations

import click

from ..connectors import Connectors
from ..routing.explanation import Explanation
from .printing import prints


@click.command()
@click.argument("event_id", metavar="EVENT")
@click.option("--workspace", required=True, help="The workspace that asks; it sees its own decisions only.")
@prints(Explanation.lines)
def explain(connectors: Connectors, /, **given: str) -> Explanation:
    """Explain what happened to a delivery. EVENT is its id in the inbox, or the one that the provider gave it."""
    return connectors.explain(**given)
