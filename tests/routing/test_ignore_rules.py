"""Ignore rules: what people don't want to be asked about, decided before it reaches them."""

from __future__ import annotations

from datetime import timedelta

import pytest

from speckitty_connectors import Event, ExternalIdentity, GitFacts, NotFoundError, Resource, ResourceReference
from speckitty_connectors.installations.types import Installation
from speckitty_connectors.routing.review.ignore_rules import IgnoreConditions, IgnoreRules
from speckitty_connectors.routing.types import Stage
from speckitty_connectors.store.engine import Store
from testbed.inbound import Inbound, card
from testbed.layers import MOMENT, add_installation, add_resources, audited

MENU = ResourceReference(kind="board", id="b1", key="kitchen/menu")
FORKED = Event(
    kind="pull_request",
    action="opened",
    resources=(MENU,),
    actor=ExternalIdentity(id="49699333", name="dependabot[bot]"),
    git=GitFacts(branch="main", from_fork=True),
)


@pytest.fixture
def rules(store: Store) -> IgnoreRules:
    """The service under test."""
    return IgnoreRules(store)


@pytest.fixture
def installation(store: Store) -> Installation:
    """An installation that sees a board that was archived."""
    made = add_installation(store)
    add_resources(store, made, Resource(kind="board", id="b1", key="kitchen/b1", archived=True))
    return made


def route(store: Store, *documents: dict[str, object]) -> list[tuple[Stage, str]]:
    """Deliver and route; return each decision's stage and rule."""
    inbound = Inbound.on(store)
    endpoint = inbound.endpoint()
    ids = [inbound.deliver(endpoint, document) for document in documents]
    inbound.router().route_due()
    return [(decision.stage, decision.rule) for decision in map(inbound.decision, ids)]


@pytest.mark.parametrize(
    ("conditions", "met"),
    [
        ({"forks": True}, True),
        ({"key": "kitchen/*"}, True),
        ({"key": "Kitchen/*"}, False),
        ({"resource_kind": "space"}, False),
        ({"event": "pull_request"}, True),
        ({"event": "pull_request.opened"}, True),
        ({"event": "pull_request.closed"}, False),
        ({"actor": "*[[]bot]"}, True),
        ({"actor": "49699333"}, True),
        ({"forks": True, "actor": "mona"}, False),
        ({"archived": True}, False),
        ({"provider": "fake"}, False),
    ],
)
def test_everything_that_is_given_must_be_met(conditions: dict[str, object], met: bool) -> None:
    """One condition that isn't met lets the event through to people."""
    assert IgnoreConditions(**conditions).meets(FORKED, MENU) is met  # type: ignore[arg-type]  # the test's own


def test_a_rule_without_conditions_is_refused() -> None:
    """Nobody silences a whole workspace by leaving a form empty."""
    with pytest.raises(ValueError, match="ignore everything"):
        IgnoreConditions()


def test_a_rule_runs_before_people_and_is_named_in_the_explanation(
    store: Store, rules: IgnoreRules, installation: Installation
) -> None:
    """What it names never becomes a review item; what it doesn't name does."""
    conditions = IgnoreConditions(forks=True)
    rule = rules.add(workspace="w1", conditions=conditions, actor="member:mona", note="forks are not ours")
    forked = card("b2", git={"branch": "main", "from_fork": True})
    assert route(store, forked, card("b2")) == [(Stage.IGNORED, "ignore_rule"), (Stage.REVIEW, "no_mapping")]
    (item,) = Inbound.on(store).review_items()
    assert item.count == 1
    rules.remove(workspace="w1", rule_id=rule.id, actor="member:mona")
    assert route(store, forked) == [(Stage.REVIEW, "no_mapping")]
    assert audited(store) == ["ignore_rule.added", "ignore_rule.removed"]


def test_what_is_archived_can_be_left_aside(store: Store, rules: IgnoreRules, installation: Installation) -> None:
    """The inventory says what is archived, the delivery doesn't have to."""
    rules.add(workspace="w1", conditions=IgnoreConditions(archived=True), actor="member:mona")
    assert [stage for stage, _ in route(store, card("b1"), card("b2"))] == [Stage.IGNORED, Stage.REVIEW]


def test_a_rule_never_keeps_a_mapped_event_from_its_target(
    store: Store, rules: IgnoreRules, installation: Installation
) -> None:
    """What people mapped is theirs; a rule speaks only of what nobody placed."""
    Inbound.on(store).map(installation, "b1", "apollo")
    rules.add(workspace="w1", conditions=IgnoreConditions(key="*"), actor="member:mona")
    assert route(store, card("b1")) == [(Stage.EXPLICIT, "mapping")]


def test_a_rule_of_another_workspace_counts_for_nothing(
    store: Store, rules: IgnoreRules, installation: Installation
) -> None:
    """Rules are a workspace's own, and so is the right to remove them."""
    rule = rules.add(workspace="w2", conditions=IgnoreConditions(key="*"), actor="member:eve")
    assert route(store, card("b2")) == [(Stage.REVIEW, "no_mapping")]
    with pytest.raises(NotFoundError):
        rules.remove(workspace="w1", rule_id=rule.id, actor="member:mona")


def test_conditions_are_tried_on_what_waits_before_they_hold(
    store: Store, rules: IgnoreRules, installation: Installation
) -> None:
    """The trial names the items whose latest event would have been ignored, and changes nothing."""
    route(store, card("b1"), card("b2"), card("b3", git={"branch": "main", "from_fork": True}))
    by_key = rules.test(workspace="w1", conditions=IgnoreConditions(key="kitchen/b[12]", provider="fake"))
    assert (by_key.tried, sorted(item.subject.id for item in by_key.matched)) == (3, ["b1", "b2"])
    archived = rules.test(workspace="w1", conditions=IgnoreConditions(archived=True))
    assert [item.subject.id for item in archived.matched] == ["b1"]
    assert rules.list(workspace="w1") == ()
    assert len(Inbound.on(store).review_items()) == 3


def test_the_time_of_a_rule_is_its_makers(store: Store, rules: IgnoreRules) -> None:
    """A rule is kept whole, with its author and its moment."""
    conditions = IgnoreConditions(key="kitchen/*", event="card.moved", archived=True)
    made = rules.add(workspace="w1", conditions=conditions, actor="member:mona", note="noise")
    assert rules.list(workspace="w1") == (made,)
    assert made.created_at > MOMENT - timedelta(days=1)
