"""`review`: what waits for a person, and what they do about it."""

from __future__ import annotations

from datetime import timedelta

import click
from attrs import fields

from ..providers.suggestions import Target
from ..routing.review.ignore_rules import IgnoreConditions, IgnoreRule
from ..routing.review.items import ReviewItem, ReviewState
from ..routing.review.replay import Replay
from ..store.metadata import OPERATOR
from .arguments import Command, actor, selecting, selector_of, target_named
from .operator import Operator, as_json, say, show_rows

NOTHING = "nothing waits for a person"


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


@click.group()
def review() -> None:
    """Look at what waits for a person, and decide."""


@review.command(name="list")
@click.argument("workspace", default=OPERATOR)
@click.option(
    "--state", type=click.Choice([*(each.value for each in ReviewState), "all"]), default="open", show_default=True
)
@as_json
@click.pass_obj
def list_review(operator: Operator, *, workspace: str, state: str, as_json: bool) -> None:
    """List the review items of a workspace; without one, what could not be placed in any."""
    wanted = None if state == "all" else ReviewState(state)
    with operator.connectors() as connectors:
        rows = [_row(each) for each in connectors.review.list(workspace=workspace, state=wanted)]
    show_rows(rows, as_json=as_json, nothing=NOTHING)


@review.command()
@click.argument("workspace")
@click.argument("item_id", metavar="ITEM")
@as_json
@click.pass_obj
def show(operator: Operator, *, workspace: str, item_id: str, as_json: bool) -> None:
    """Show ITEM with its reasons, its candidates and their evidence, and the latest events that it holds."""
    with operator.connectors() as connectors:
        item = connectors.review.get(workspace=workspace, item_id=item_id)
        events = connectors.review.events(workspace=workspace, item_id=item_id)
    latest = [f"  event {each.event_id}: {each.evidence[0].text}" for each in events]
    say([*_lines(item), *latest], item, as_json=as_json)


@review.command(name="map")
@click.argument("workspace")
@click.argument("item_id", metavar="ITEM")
@click.argument("target", type=target_named, metavar="TARGET")
@selecting
@actor
@as_json
@click.pass_obj
def map_item(
    operator: Operator,
    /,
    *,
    workspace: str,
    item_id: str,
    target: Target,
    actor: str,
    as_json: bool,
    **selecting: tuple[str, ...],
) -> None:
    """Map the resource of ITEM to TARGET, and replay what waited."""
    with operator.connectors() as connectors:
        done = connectors.review.map(
            workspace=workspace, item_id=item_id, target=target, actor=actor, selector=selector_of(**selecting)
        )
    say([f"mapped to {target} by {done.mapping.id}", *_replayed(done.replay)], done, as_json=as_json)


@review.command()
@click.argument("workspace")
@click.argument("item_id", metavar="ITEM")
@click.argument("target", type=target_named, metavar="TARGET")
@actor
@as_json
@click.pass_obj
def assign(operator: Operator, *, workspace: str, item_id: str, target: Target, actor: str, as_json: bool) -> None:
    """Map the resource of ITEM to TARGET, one of its candidates, and replay what waited."""
    with operator.connectors() as connectors:
        done = connectors.review.assign(workspace=workspace, item_id=item_id, target=target, actor=actor)
    say([f"mapped to {target} by {done.mapping.id}", *_replayed(done.replay)], done, as_json=as_json)


@review.command()
@click.argument("workspace")
@click.argument("item_id", metavar="ITEM")
@actor
@as_json
@click.pass_obj
def replay(operator: Operator, *, workspace: str, item_id: str, actor: str, as_json: bool) -> None:
    """Decide anew what ITEM holds, after its resource was mapped or listed elsewhere."""
    with operator.connectors() as connectors:
        replayed = connectors.review.replay(workspace=workspace, item_id=item_id, actor=actor)
    say(_replayed(replayed), replayed, as_json=as_json)


@review.command()
@click.argument("workspace")
@click.argument("item_id", metavar="ITEM")
@click.option("--reason", required=True, help="Why nobody wants to see this.")
@actor
@as_json
@click.pass_obj
def dismiss(operator: Operator, *, workspace: str, item_id: str, reason: str, actor: str, as_json: bool) -> None:
    """Ignore events like those of ITEM from now on."""
    with operator.connectors() as connectors:
        item = connectors.review.dismiss(workspace=workspace, item_id=item_id, actor=actor, reason=reason)
    say(_lines(item), item, as_json=as_json)


@review.command()
@click.argument("workspace")
@click.argument("item_id", metavar="ITEM")
@click.option("--hours", type=click.FloatRange(min=0, min_open=True), required=True, help="How long to hide it.")
@click.option("--reason", default="", help="Why, for whoever asks later.")
@actor
@as_json
@click.pass_obj
def snooze(
    operator: Operator, *, workspace: str, item_id: str, hours: float, reason: str, actor: str, as_json: bool
) -> None:
    """Hide ITEM for some hours; it goes on counting."""
    with operator.connectors() as connectors:
        until = connectors.store.now() + timedelta(hours=hours)
        item = connectors.review.snooze(
            workspace=workspace, item_id=item_id, actor=actor, until=until, reason=reason
        )
    say(_lines(item), item, as_json=as_json)


@review.command()
@click.argument("workspace")
@click.argument("item_id", metavar="ITEM")
@actor
@as_json
@click.pass_obj
def reopen(operator: Operator, *, workspace: str, item_id: str, actor: str, as_json: bool) -> None:
    """Let a dismissed or snoozed ITEM wait for a person again."""
    with operator.connectors() as connectors:
        item = connectors.review.reopen(workspace=workspace, item_id=item_id, actor=actor)
    say(_lines(item), item, as_json=as_json)


@review.command()
@click.argument("workspace")
@click.option("--days", type=click.FloatRange(min=1), required=True, help="Forget what saw no event for so long.")
@actor
@click.pass_obj
def forget(operator: Operator, *, workspace: str, days: float, actor: str) -> None:
    """Delete the items that saw no event for some days; what was dismissed is kept."""
    with operator.connectors() as connectors:
        before = connectors.store.now() - timedelta(days=days)
        forgotten = connectors.review.forget_older(workspace=workspace, before=before, actor=actor)
    click.echo(f"forgot {forgotten} items")


@review.group()
def rules() -> None:
    """Keep the ignore rules, which run before people."""


def conditions(command: Command) -> Command:
    """Add an option for each condition of an ignore rule."""
    for each in fields(IgnoreConditions):
        name, is_flag = each.name.replace("_", "-"), each.default is False
        words = HELP[each.name]
        command = click.option(f"--{name}", is_flag=is_flag, default=each.default, help=words)(command)
    return command


@rules.command(name="list")
@click.argument("workspace")
@as_json
@click.pass_obj
def list_rules(operator: Operator, *, workspace: str, as_json: bool) -> None:
    """List a workspace's ignore rules."""
    with operator.connectors() as connectors:
        rows = [_rule_row(each) for each in connectors.review.rules.list(workspace=workspace)]
    show_rows(rows, as_json=as_json, nothing="there is no ignore rule")


@rules.command(name="add")
@click.argument("workspace")
@conditions
@click.option("--note", default="", help="Why, for a person.")
@click.option(
    "--by", "author", default="operator", show_default=True, help="Who asks for it: operator, or member:ID."
)
@click.pass_obj
def add_rule(operator: Operator, /, *, workspace: str, note: str, author: str, **given: object) -> None:
    """Ignore what meets all the conditions, all but flags being globs."""
    with operator.connectors() as connectors:
        rule = connectors.review.rules.add(
            workspace=workspace, conditions=_conditions(given), actor=author, note=note
        )
    click.echo(f"{rule.id}: ignores {rule.conditions}")


@rules.command(name="test")
@click.argument("workspace")
@conditions
@as_json
@click.pass_obj
def test_rule(operator: Operator, /, *, workspace: str, as_json: bool, **given: object) -> None:
    """Show which of the latest 100 items the conditions would have ignored; change nothing."""
    with operator.connectors() as connectors:
        trial = connectors.review.rules.test(workspace=workspace, conditions=_conditions(given))
    nothing = f"none of {trial.tried} items would have been ignored"
    show_rows([_row(each) for each in trial.matched], as_json=as_json, nothing=nothing)


@rules.command(name="remove")
@click.argument("workspace")
@click.argument("rule_id", metavar="RULE")
@actor
@click.pass_obj
def remove_rule(operator: Operator, *, workspace: str, rule_id: str, actor: str) -> None:
    """Ask people again about what RULE ignored."""
    with operator.connectors() as connectors:
        connectors.review.rules.remove(workspace=workspace, rule_id=rule_id, actor=actor)
    click.echo(f"removed {rule_id}")


def _conditions(given: dict[str, object]) -> IgnoreConditions:
    try:
        return IgnoreConditions(**given)  # type: ignore[arg-type]  # the options are made from its fields
    except ValueError as error:
        raise click.UsageError(str(error)) from None


def _row(item: ReviewItem) -> dict[str, object]:
    return {
        "id": item.id,
        "provider": item.provider,
        "resource": f"{item.subject.kind} {item.subject.key or item.subject.id}".strip(),
        "reason": item.reason,
        "count": item.count,
        "state": item.state.value,
        "first_seen": item.first_seen.isoformat(),
        "last_seen": item.last_seen.isoformat(),
    }


def _lines(item: ReviewItem) -> list[str]:
    why = f": {item.state_reason}" if item.state_reason else ""
    subject = f"{item.subject.kind} {item.subject.key or item.subject.id}".strip() or "no resource"
    return [
        f"{item.provider} {subject}, {item.state}{why}",
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


def _rule_row(rule: IgnoreRule) -> dict[str, object]:
    return {
        "id": rule.id,
        "ignores": str(rule.conditions),
        "note": rule.note,
        "created_by": rule.created_by,
        "created_at": rule.created_at.isoformat(),
    }
