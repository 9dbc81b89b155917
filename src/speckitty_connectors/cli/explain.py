"""`explain`: what became of a delivery, and why."""

from __future__ import annotations

import json

import click

from ..providers.codec import to_document
from .operator import Operator, as_json


@click.command()
@click.argument("event")
@click.option("--workspace", required=True, help="The workspace that asks; others' decisions stay theirs.")
@as_json
@click.pass_obj
def explain(operator: Operator, *, event: str, workspace: str, as_json: bool) -> None:
    """Say what became of EVENT, a delivery's id in the inbox, and why."""
    with operator.connectors() as connectors:
        explanation = connectors.explain(workspace=workspace, event_id=event)
    if as_json:
        click.echo(json.dumps(to_document(explanation), indent=2))
    else:
        click.echo("\n".join(explanation.lines()))
