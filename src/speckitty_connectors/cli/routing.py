"""`route`: what would become of an event."""

from __future__ import annotations

import json

import click

from ..providers.codec import converter
from ..providers.resources import ResourceReference
from ..providers.suggestions import Target
from ..routing.simulation import Proposal, ProposedMapping
from .arguments import resource_named, target_named
from .operating import Operator, as_json


@click.group()
def route() -> None:
    """Ask the router."""


@route.command()
@click.argument("event")
@click.option("--workspace", required=True, help="The workspace that asks.")
@click.option(
    "--map",
    "added",
    type=(str, resource_named, target_named),
    metavar="INSTALLATION RESOURCE TARGET",
    multiple=True,
    help="As if this were mapped. May be repeated.",
)
@click.option("--unmap", "removed", metavar="MAPPING", multiple=True, help="As if this mapping weren't there.")
@as_json
@click.pass_obj
def simulate(
    operator: Operator,
    *,
    event: str,
    workspace: str,
    added: tuple[tuple[str, ResourceReference, Target], ...],
    removed: tuple[str, ...],
    as_json: bool,
) -> None:
    """Show what becomes of EVENT, a delivery's id, now and under other mappings; change nothing."""
    proposed = tuple(
        ProposedMapping(installation_id=installation_id, resource=resource, target=target)
        for installation_id, resource, target in added
    )
    proposal = Proposal(add=proposed, remove=removed)
    with operator.connectors() as connectors:
        simulated = connectors.simulate(workspace=workspace, event_id=event, proposal=proposal)
    if as_json:
        click.echo(json.dumps(converter.unstructure(simulated), indent=2))
    else:
        click.echo("\n".join(line for each in simulated for line in each.lines()))
