"""`suggestions`: which resource probably belongs to which project, and what the operator decides about it."""

from __future__ import annotations

from typing import Any

import click
from attrs import asdict

from ..connectors import Connectors
from ..providers.suggestions import Target
from ..suggestions.types import ResourceSuggestion, SuggestionState
from .arguments import actor, chosen, in_workspace, reason, target_named
from .operator import connected
from .printing import Row, prints_rows, row

prints_suggestions = prints_rows(
    "nothing is suggested", "id", "confidence", "resource", "target", "state", "evidence"
)


@click.group()
def suggestions() -> None:
    """Show suggestions; confirm, change or dismiss them."""


@suggestions.command(name="list")
@in_workspace()
@click.option("--installation", "installation_id", help="Only of this installation.")
@chosen("--state", SuggestionState, "Which suggestions.", default="open")
@click.option("--member", help="As this member: under a link of theirs, without private resources.")
@click.option("--limit", type=click.IntRange(min=1), default=100, show_default=True, help="How many at most.")
@prints_suggestions
def list_suggestions(connectors: Connectors, /, **given: Any) -> list[Row]:
    """List the suggestions of a workspace, the surest first."""
    return [_row(each) for each in connectors.suggestions.list(**given)]


@suggestions.command()
@in_workspace("installation")
@prints_rows("")
def refresh(connectors: Connectors, /, **given: str) -> list[Row]:
    """Search the resources of INSTALLATION for suggestions."""
    return [asdict(connectors.suggestions.refresh(**given))]


@suggestions.command()
@in_workspace("suggestion")
@click.option("--to", type=target_named, metavar="KIND:ID", help="Map to this target instead of the suggested one.")
@actor
@prints_suggestions
def confirm(connectors: Connectors, /, *, to: Target | None, **given: str) -> list[Row]:
    """Map the resource of SUGGESTION to its target."""
    if to is None:
        return [_row(connectors.suggestions.confirm(**given))]
    return [_row(connectors.suggestions.change(target=to, **given))]


@suggestions.command()
@in_workspace("suggestion")
@reason
@actor
@prints_suggestions
def dismiss(connectors: Connectors, /, **given: str) -> list[Row]:
    """Remember that SUGGESTION is wrong."""
    return [_row(connectors.suggestions.dismiss(**given))]


@suggestions.command()
@in_workspace("suggestion")
@actor
@prints_suggestions
def undo(connectors: Connectors, /, **given: str) -> list[Row]:
    """Undo what was decided about SUGGESTION. A mapping that was made of it is removed."""
    return [_row(connectors.suggestions.undo(**given))]


@suggestions.command()
@in_workspace()
@click.option("--on/--off", "wanted", default=None, help="Switch it; else show how it is.")
@actor
@connected
def automatic(connectors: Connectors, /, *, workspace: str, wanted: bool | None, actor: str) -> None:
    """Show or switch automatic mapping of the surest ones."""
    if wanted is not None:
        connectors.suggestions.set_automatic(workspace=workspace, automatic=wanted, actor=actor)
    state = "on" if connectors.suggestions.is_automatic(workspace=workspace) else "off"
    click.echo(f"automatic mapping is {state} in the workspace {workspace}")


def _row(suggestion: ResourceSuggestion) -> Row:
    evidence = (f"{'but ' if each.against else ''}{each.text}" for each in suggestion.evidence)
    return row(
        suggestion,
        "id confidence resource target state evidence installation mapping decided_by reason",
        resource=f"{suggestion.resource_kind} {suggestion.resource_key}",
        target=str(suggestion.target),
        evidence="; ".join(evidence),
        installation=suggestion.installation_id,
        mapping=suggestion.mapping_id,
    )
