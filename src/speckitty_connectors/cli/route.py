"""`route`: what would become of an event."""

from __future__ import annotations

import json
from pathlib import Path

import click

from ..providers.codec import converter, outcome_from
from ..providers.deliveries import Event
from ..providers.resources import ResourceReference
from ..providers.suggestions import Target
from ..routing.simulation import Proposal, ProposedMapping, ProposedPolicy
from .arguments import resource_named, scope_named, target_named, value_written
from .operator import Operator, as_json


@click.group()
def route() -> None:
    """Ask the router."""


@route.command()
@click.argument("event_id", metavar="[EVENT]", default="")
@click.option(
    "--file", "path", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="An event (JSON)."
)
@click.option("--installation", "installation_id", default="", help="What the event of the file comes through.")
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
@click.option(
    "--set",
    "policies",
    type=(str, str, value_written),
    metavar="PROVIDER[/project:ID|/installation:ID] FIELD VALUE",
    multiple=True,
    help="As if this were set in a policy. May be repeated.",
)
@as_json
@click.pass_obj
def simulate(
    operator: Operator,
    *,
    event_id: str,
    path: Path | None,
    installation_id: str,
    workspace: str,
    added: tuple[tuple[str, ResourceReference, Target], ...],
    removed: tuple[str, ...],
    policies: tuple[tuple[str, str, object], ...],
    as_json: bool,
) -> None:
    """Show what becomes of EVENT, a delivery's id, now and under other mappings and policies; change nothing.

    Instead of a delivery, an event may be given: a file with a document such as `explain --json` shows.
    """
    if bool(event_id) == bool(path):
        raise click.UsageError("name a delivery, or give an event with --file and --installation")
    proposed = tuple(
        ProposedMapping(installation_id=seen_through, resource=resource, target=target)
        for seen_through, resource, target in added
    )
    proposal = Proposal(
        add=proposed,
        remove=removed,
        policies=tuple(
            ProposedPolicy(scope=scope_named(workspace, scope), fields={field: value})
            for scope, field, value in policies
        ),
    )
    with operator.connectors() as connectors:
        simulated = connectors.simulate(
            workspace=workspace,
            event_id=event_id,
            event=_read_event(path) if path else None,
            installation_id=installation_id,
            proposal=proposal,
        )
    if as_json:
        click.echo(json.dumps(converter.unstructure(simulated), indent=2))
    else:
        click.echo("\n".join(line for each in simulated for line in each.lines()))


def _read_event(path: Path) -> Event:
    try:
        event = outcome_from({"outcome": "event", **json.loads(path.read_bytes())})
    except (ValueError, TypeError) as error:
        raise click.UsageError(f"{path} holds no event: {error}") from None
    if not isinstance(event, Event):
        raise click.UsageError(f"{path} holds another outcome than an event")
    return event
