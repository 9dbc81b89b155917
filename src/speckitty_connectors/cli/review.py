"""`review`: what waits for a person, and what they do about it."""

from __future__ import annotations

from datetime import timedelta
from functools import wraps
from typing import Any, Literal

import click
from attrs import fields

from ..connectors import Connectors
from ..routing.review.ignore_rules import IgnoreConditions
from ..routing.review.items import ReviewItem, ReviewState
from ..routing.review.queue import Mapped
from ..routing.review.replay import Replay
from ..store.metadata import OPERATOR
from .arguments import Command, actor, chosen, in_workspace, reason, selecting, target
from .operator import connected
from .printing import Row, as_json, passing, prints, prints_rows, row, say, show

HELP = {
    "provider": "Provider key.",
    "installation_id": "Our id of the installation.",
    "resource_kind": "Kind of the resource.",
    "key": "Key of the resource, as the event calls it.",
    "event": "Event kind, or kind.action.",
    "actor": "Id or name of who did it.",
    "forks": "The event's branch lives in a fork.",
    "archived": "The resource is archived.",
}
"""What the options of the conditions say; the texts are globs."""


def _row(item: ReviewItem) -> Row:
    return row(item, "id provider resource reason count state first_seen last_seen", resource=_subject(item))


def _subject(item: ReviewItem) -> str:
    return f"{item.subject.kind} {item.subject.key or item.subject.id}".strip()


def _lines(item: ReviewItem) -> list[str]:
    why = f": {item.state_reason}" if item.state_reason else ""
    return [
        f"{item.provider} {_subject(item) or 'no resource'}, {item.state}{why}",
        f"  {item.count} events, {item.held} of them held for a replay",
        *(f"  {each.count} x {each.reason}, last {each.last_seen.isoformat()}" for each in item.reasons),
        *(
            f"  candidate {each.target} ({each.confidence}): {'; '.join(seen.text for seen in each.evidence)}"
            for each in item.candidates
        ),
    ]


def _replayed(replay: Replay) -> list[str]:
    decided = ", ".join(f"{count} {stage}" for stage, count in replay.decided.items()) or "none"
    return [f"replayed: {decided}; {replay.waiting} still wait"]


def _mapped(done: Mapped) -> list[str]:
    return [f"mapped to {done.mapping.target} by {done.mapping.id}", *_replayed(done.replay)]


@click.group()
def review() -> None:
    """Show what waits for a person, and decide."""


@review.command(name="list")
@click.argument("workspace", default=OPERATOR)
@chosen("--state", (*ReviewState, "all"), "Which items.", default="open")
@prints_rows("nothing waits for a person")
def list_review(connectors: Connectors, /, *, workspace: str, state: ReviewState | Literal["all"]) -> list[Row]:
    """List the review items of a workspace. Without one it lists what could not be placed in any."""
    wanted = None if state == "all" else state
    return [_row(each) for each in connectors.review.list(workspace=workspace, state=wanted)]


@review.command(name="show")
@in_workspace("item")
@as_json
@connected
def show_item(connectors: Connectors, /, *, workspace: str, item_id: str, as_json: bool) -> None:
    """Show ITEM, its candidates and its latest events. Reasons and evidence are shown, too."""
    item = connectors.review.get(workspace=workspace, item_id=item_id)
    events = connectors.review.events(workspace=workspace, item_id=item_id)
    latest = [f"  event {each.event_id}: {each.evidence[0].text}" for each in events]
    say(lambda item: [*_lines(item), *latest], item, as_json=as_json)


of_item = in_workspace("item")
why = click.option("--reason", required=True, help="Why nobody wants to see this.")
passing(
    review,
    "map",
    "Map the resource of ITEM to TARGET, and replay events.",
    _mapped,
    of_item,
    target,
    selecting,
    actor,
)
CANDIDATE = "Map ITEM to one of its candidates, and replay events. TARGET is the candidate."
passing(review, "assign", CANDIDATE, _mapped, of_item, target, actor)
AGAIN = "Decide again about the events that ITEM holds. Do so after its resource was mapped elsewhere, for example."
passing(review, "replay", AGAIN, _replayed, of_item, actor)
passing(review, "dismiss", "Ignore events like those of ITEM from now on.", _lines, of_item, why, actor)
passing(review, "reopen", "Let a dismissed or snoozed ITEM wait again.", _lines, of_item, actor)


@review.command()
@in_workspace("item")
@click.option("--hours", type=click.FloatRange(min=0, min_open=True), required=True, help="How long to hide it.")
@reason
@actor
@prints(_lines)
def snooze(connectors: Connectors, /, *, hours: float, **given: str) -> ReviewItem:
    """Hide ITEM for some hours; its events are still counted."""
    return connectors.review.snooze(until=connectors.store.now() + timedelta(hours=hours), **given)


@review.command()
@in_workspace()
@click.option("--days", type=click.FloatRange(min=1), required=True, help="Days since an item's last event.")
@actor
@connected
def forget(connectors: Connectors, /, *, days: float, **given: str) -> None:
    """Forget items without events for some days. Dismissed ones are kept."""
    before = connectors.store.now() - timedelta(days=days)
    click.echo(f"forgot {connectors.review.forget_older(before=before, **given)} items")


@review.group()
def rules() -> None:
    """Manage the rules by which events skip the review queue."""


def conditions(command: Command) -> Command:
    """Add an option for each condition of an ignore rule; the command gets all of them as `conditions`."""
    names = [each.name for each in fields(IgnoreConditions)]

    @wraps(command)
    def run(**given: Any) -> Any:
        try:
            wanted = IgnoreConditions(**{name: given.pop(name) for name in names})
        except ValueError as error:
            raise click.UsageError(str(error)) from None
        return command(conditions=wanted, **given)

    for each in fields(IgnoreConditions):
        name, is_flag = each.name.replace("_", "-"), each.default is False
        run = click.option(f"--{name}", is_flag=is_flag, default=each.default, help=HELP[each.name])(run)
    return run


@rules.command(name="list")
@in_workspace()
@prints_rows("there is no ignore rule")
def list_rules(connectors: Connectors, /, *, workspace: str) -> list[Row]:
    """List the ignore rules of a workspace."""
    return [
        row(each, "id ignores note created_by created_at", ignores=str(each.conditions))
        for each in connectors.review.rules.list(workspace=workspace)
    ]


@rules.command(name="add")
@in_workspace()
@conditions
@click.option("--note", default="", help="Why, for a person.")
@click.option("--by", default="operator", show_default=True, help="Who does it: operator, or member:ID.")
@connected
def add_rule(connectors: Connectors, /, *, by: str, **given: Any) -> None:
    """Ignore the events that meet all the conditions. The texts are globs."""
    rule = connectors.review.rules.add(actor=by, **given)
    click.echo(f"{rule.id}: ignores {rule.conditions}")


@rules.command(name="test")
@in_workspace()
@conditions
@as_json
@connected
def test_rule(connectors: Connectors, /, *, as_json: bool, **given: Any) -> None:
    """Show what the conditions would have ignored. They are tried on the latest 100 items; nothing is changed."""
    trial = connectors.review.rules.test(**given)
    nothing = f"none of {trial.tried} items would have been ignored"
    show([_row(each) for each in trial.matched], as_json=as_json, nothing=nothing)


@rules.command(name="remove")
@in_workspace("rule")
@actor
@connected
def remove_rule(connectors: Connectors, /, *, rule_id: str, **given: str) -> None:
    """Remove RULE, so that such events wait for people again."""
    connectors.review.rules.remove(rule_id=rule_id, **given)
    click.echo(f"removed {rule_id}")
