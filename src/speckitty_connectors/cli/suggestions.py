"""`suggestions`: which resource probably belongs to which project, and what the operator says to it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import click
from attrs import asdict

from ..providers.suggestions import Target
from ..suggestions.types import ResourceSuggestion, SuggestionState
from .operator import Operator, as_json, show

ACTOR = "operator"
"""What the audit calls whoever is at the command line."""

COLUMNS = ("id", "confidence", "resource", "target", "state", "evidence")


@click.group()
def suggestions() -> None:
    """Look at suggestions, and confirm, change or dismiss them."""


@suggestions.command(name="list")
@click.argument("workspace")
@click.option("--installation", help="Only of this installation.")
@click.option("--state", type=click.Choice([*SuggestionState]), default=SuggestionState.OPEN, show_default=True)
@click.option("--member", help="As this member: under a link of theirs, without private resources.")
@click.option("--limit", type=click.IntRange(min=1), default=100, show_default=True)
@as_json
@click.pass_obj
def list_suggestions(
    operator: Operator,
    *,
    workspace: str,
    installation: str | None,
    state: SuggestionState,
    member: str | None,
    limit: int,
    as_json: bool,
) -> None:
    """List the suggestions of a workspace, the surest first."""
    with operator.connectors() as connectors:
        found = connectors.suggestions.list(
            workspace=workspace,
            installation_id=installation,
            state=SuggestionState(state),
            member=member,
            limit=limit,
        )
    _show(found, as_json=as_json)


@suggestions.command()
@click.argument("workspace")
@click.argument("installation")
@as_json
@click.pass_obj
def refresh(operator: Operator, *, workspace: str, installation: str, as_json: bool) -> None:
    """Look an installation's inventory over."""
    with operator.connectors() as connectors:
        result = connectors.suggestions.refresh(workspace=workspace, installation_id=installation)
    row = asdict(result)
    show([row], tuple(row), as_json=as_json, nothing="")


@suggestions.command()
@click.argument("workspace")
@click.argument("suggestion")
@click.option("--to", metavar="KIND:ID", help="Map to this target instead of the suggested one.")
@as_json
@click.pass_obj
def confirm(operator: Operator, *, workspace: str, suggestion: str, to: str | None, as_json: bool) -> None:
    """Map the resource of SUGGESTION to its target."""
    with operator.connectors() as connectors:
        if to is None:
            said = connectors.suggestions.confirm(workspace=workspace, suggestion_id=suggestion, actor=ACTOR)
        else:
            kind, _, target_id = to.partition(":")
            said = connectors.suggestions.change(
                workspace=workspace,
                suggestion_id=suggestion,
                target=Target(kind=kind, id=target_id),
                actor=ACTOR,
            )
    _show([said], as_json=as_json)


@suggestions.command()
@click.argument("workspace")
@click.argument("suggestion")
@click.option("--reason", default="", help="Why, for the next person.")
@as_json
@click.pass_obj
def dismiss(operator: Operator, *, workspace: str, suggestion: str, reason: str, as_json: bool) -> None:
    """Remember that SUGGESTION is wrong."""
    with operator.connectors() as connectors:
        said = connectors.suggestions.dismiss(
            workspace=workspace, suggestion_id=suggestion, actor=ACTOR, reason=reason
        )
    _show([said], as_json=as_json)


@suggestions.command()
@click.argument("workspace")
@click.argument("suggestion")
@as_json
@click.pass_obj
def undo(operator: Operator, *, workspace: str, suggestion: str, as_json: bool) -> None:
    """Take back what was said to SUGGESTION, and the mapping that was made of it."""
    with operator.connectors() as connectors:
        said = connectors.suggestions.undo(workspace=workspace, suggestion_id=suggestion, actor=ACTOR)
    _show([said], as_json=as_json)


@suggestions.command()
@click.argument("workspace")
@click.option("--on/--off", "wanted", default=None, help="Switch it; else say how it is.")
@click.pass_obj
def automatic(operator: Operator, *, workspace: str, wanted: bool | None) -> None:
    """Say whether suggestions of high confidence become mappings by themselves."""
    with operator.connectors() as connectors:
        if wanted is not None:
            connectors.suggestions.set_automatic(workspace=workspace, automatic=wanted, actor=ACTOR)
        state = "on" if connectors.suggestions.is_automatic(workspace=workspace) else "off"
    click.echo(f"automatic mapping is {state} in the workspace {workspace}")


def _show(found: Sequence[ResourceSuggestion], *, as_json: bool) -> None:
    show([_row(each) for each in found], COLUMNS, as_json=as_json, nothing="nothing is suggested")


def _row(suggestion: ResourceSuggestion) -> Mapping[str, object]:
    return {
        "id": suggestion.id,
        "confidence": suggestion.confidence.value,
        "resource": f"{suggestion.resource_kind} {suggestion.resource_key}",
        "target": str(suggestion.target),
        "state": suggestion.state.value,
        "evidence": "; ".join(
            f"{'but ' if evidence.against else ''}{evidence.text}" for evidence in suggestion.evidence
        ),
        "installation": suggestion.installation_id,
        "mapping": suggestion.mapping_id,
        "decided_by": suggestion.decided_by,
        "reason": suggestion.reason,
    }
