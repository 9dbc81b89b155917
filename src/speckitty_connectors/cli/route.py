"""`route`: what would happen to an event."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from ..providers.codec import outcome_from
from ..providers.deliveries import Event
from ..providers.resources import ResourceReference
from ..providers.suggestions import Target
from ..routing.simulation import Proposal, ProposedMapping, ProposedPolicy, Simulation
from .arguments import Command, resource_named, scope_named, target_named, value_written
from .operator import Operator
from .printing import as_json, say


@click.group()
def route() -> None:
    """Ask the router what would happen to an event."""


def _read_event(_context: click.Context, _parameter: click.Parameter, path: Path | None) -> Event | None:
    """Return the event that a file holds, if one is given."""
    if path is None:
        return None
    try:
        event = outcome_from({"outcome": "event", **json.loads(path.read_bytes())})
    except (ValueError, TypeError) as error:
        raise click.UsageError(f"{path} holds no event: {error}") from None
    if not isinstance(event, Event):
        raise click.UsageError(f"{path} holds another outcome than an event")
    return event


def _lines(simulated: tuple[Simulation, ...]) -> list[str]:
    return [line for each in simulated for line in each.lines()]


def as_if(option: str, name: str, of: Any, metavar: str, words: str) -> Callable[[Command], Command]:
    """Add an option of what is simulated."""
    return click.option(
        option, name, type=of, metavar=metavar, multiple=True, help=f"As if this {words}; repeatable."
    )


@route.command()
@click.argument("event_id", metavar="[EVENT]", default="")
@click.option(
    "--file",
    "event",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    callback=_read_event,
    help="An event (JSON).",
)
@click.option("--installation", "installation_id", default="", help="What the event of the file comes through.")
@click.option("--workspace", required=True, help="The workspace that asks.")
@as_if("--map", "added", (str, resource_named, target_named), "INSTALLATION RESOURCE TARGET", "were mapped")
@as_if("--unmap", "removed", str, "MAPPING", "mapping weren't there")
@as_if("--set", "policies", (str, str, value_written), "SCOPE FIELD VALUE", "policy field were set")
@as_json
@click.pass_obj
def simulate(
    operator: Operator,
    /,
    *,
    event_id: str,
    event: Event | None,
    workspace: str,
    added: tuple[tuple[str, ResourceReference, Target], ...],
    removed: tuple[str, ...],
    policies: tuple[tuple[str, str, object], ...],
    as_json: bool,
    **given: Any,
) -> None:
    """Show what happens to an event, now and after changes. Nothing is changed.

    EVENT is the id of a delivery; or else --file has the document of an event, as `explain --json` prints it. SCOPE
    is PROVIDER, PROVIDER/project:ID or PROVIDER/installation:ID.
    """
    if bool(event_id) == bool(event):
        raise click.UsageError("name a delivery, or give an event with --file and --installation")
    mapped = (ProposedMapping(installation_id=by, resource=what, target=target) for by, what, target in added)
    named = ((scope_named(workspace, scope), {field: value}) for scope, field, value in policies)
    wanted = (ProposedPolicy(scope=scope, fields=fields) for scope, fields in named)
    proposal = Proposal(add=tuple(mapped), remove=removed, policies=tuple(wanted))
    with operator.connectors() as connectors:
        found = connectors.simulate(workspace=workspace, event_id=event_id, event=event, proposal=proposal, **given)
    say(_lines, found, as_json=as_json)
