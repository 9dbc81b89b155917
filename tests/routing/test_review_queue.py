"""The review queue: one item a resource, decided by people, replayed once, and bounded."""

from __future__ import annotations

from contextlib import closing, suppress
from datetime import timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import func, select

from speckitty_connectors import (
    Confidence,
    ConflictError,
    NotFoundError,
    Resource,
    ResourceReference,
    Selector,
    Signal,
    Target,
)
from speckitty_connectors.identifiers import new_id
from speckitty_connectors.installations import repository as installations
from speckitty_connectors.installations.statuses import InstallationStatus
from speckitty_connectors.mappings.service import Mappings
from speckitty_connectors.mappings.types import MappingOrigin
from speckitty_connectors.routing.review import holding
from speckitty_connectors.routing.review.items import ReviewItem, ReviewState
from speckitty_connectors.routing.review.queue import ReviewQueue
from speckitty_connectors.routing.tables import dispatches, review_events
from speckitty_connectors.routing.types import Stage
from speckitty_connectors.signals.service import Signals
from speckitty_connectors.store.engine import Store
from testbed.inbound import Inbound, card, change
from testbed.layers import MOMENT, add_installation, add_resources, audited
from testbed.statements import counted

APOLLO = Target(kind="project", id="apollo")
GEMINI = Target(kind="project", id="gemini")


class Desk:
    """A workspace whose deliveries nobody has mapped, and the queue in which they wait."""

    def __init__(self, store: Store, account_id: str = "7") -> None:
        self.store = store
        self.inbound = Inbound.on(store)
        self.installation = add_installation(store, account_id=account_id)
        self.endpoint = self.inbound.endpoint()
        self.mappings = Mappings(store, self.inbound.registry)
        self.queue = ReviewQueue(store, self.inbound.registry, self.mappings)

    def deliver(self, *documents: dict[str, object]) -> list[str]:
        """Deliver and route, one after the other; return the ids in the inbox."""
        ids = [self.inbound.deliver(self.endpoint, document) for document in documents]
        while self.inbound.router().route_due():
            pass
        return ids

    def item(self) -> ReviewItem:
        """Return the one item that waits."""
        (item,) = self.queue.list(workspace="w1")
        return item

    def told(self) -> list[tuple[str, str]]:
        """Return every dispatch with its target, in the order in which they were made."""
        with self.store.reading() as connection:
            rows = connection.execute(select(dispatches).order_by(dispatches.c.id)).all()
        return [(row.decision_id, row.target_id) for row in rows]


@pytest.fixture
def desk(store: Store) -> Desk:
    """Deliveries and a queue, on both databases."""
    return Desk(store)


def test_events_of_one_resource_wait_in_one_item(desk: Desk) -> None:
    """Whatever the reasons, they are counted together and each reason by itself."""
    desk.deliver(card(), card(), card("b2"))
    menu = ResourceReference(kind="board", id="b1", key="kitchen/b1")
    first = {item.subject.id: item for item in desk.queue.list(workspace="w1")}
    assert {name: item.count for name, item in first.items()} == {"b1": 2, "b2": 1}
    assert first["b1"].subject == menu
    add_resources(desk.store, desk.installation, Resource(kind="board", id="b1", key="kitchen/b1"))
    desk.inbound.map(desk.installation, "b1", "apollo")
    desk.deliver(change("resources_removed", board={"id": "b1"}), card())
    item = next(item for item in desk.queue.list(workspace="w1") if item.subject.id == "b1")
    assert {reason.reason: reason.count for reason in item.reasons} == {"no_mapping": 2, "orphaned": 1}
    assert (item.id, item.count, item.held, item.reason) == (first["b1"].id, 3, 3, "orphaned")


def test_what_waited_for_a_mapping_goes_on_when_the_mapping_routes_again(desk: Desk) -> None:
    """A resource that is back adopts its mapping, and with it what came meanwhile, in the order of arrival."""
    add_resources(desk.store, desk.installation, Resource(kind="board", id="b1", key="kitchen/b1"))
    desk.inbound.map(desk.installation, "b1", "apollo")
    _, *ids = desk.deliver(change("resources_removed", board={"id": "b1"}), card(), card())
    assert desk.item().reason == "orphaned"
    desk.deliver(change("resources_added", board={"id": "b1", "key": "kitchen/b1"}))
    decisions = [desk.inbound.decision(event_id) for event_id in ids]
    assert [decision.stage for decision in decisions] == [Stage.EXPLICIT] * 2
    assert desk.told() == [(decision.id, "apollo") for decision in decisions]
    assert desk.queue.list(workspace="w1") == ()
    assert "review.replayed" in audited(desk.store)


def test_a_replay_locks_in_the_order_of_what_comes_from_the_provider(postgresql_url: str) -> None:
    """The installation comes before the item, so that a person and a listing wait for each other only one way."""
    with closing(Store(postgresql_url)) as store:
        desk = Desk(store)
        desk.deliver(card())
        item = desk.item()
        with counted(store) as statements:
            desk.queue.replay(workspace="w1", item_id=item.id, actor="member:mona")
    locked = [each.partition("FROM ")[2].split()[0] for each in statements if "FOR UPDATE" in each]
    assert locked[:2] == ["installations", "review_items"]


def test_what_a_person_dismissed_stays_so_when_a_mapping_routes_again(desk: Desk) -> None:
    """Nothing of a dismissed item is handed over by itself."""
    add_resources(desk.store, desk.installation, Resource(kind="board", id="b1", key="kitchen/b1"))
    desk.inbound.map(desk.installation, "b1", "apollo")
    desk.deliver(change("resources_removed", board={"id": "b1"}), card())
    desk.queue.dismiss(workspace="w1", item_id=desk.item().id, actor="member:mona", reason="a playground")
    desk.deliver(change("resources_added", board={"id": "b1", "key": "kitchen/b1"}))
    assert desk.told() == []


def test_mapping_an_item_replays_what_waited_in_order_and_once(desk: Desk) -> None:
    """The mapping is made, each event gets its dispatch in the order of arrival, and the item is done."""
    ids = desk.deliver(*(card() for _ in range(5)))
    item = desk.item()
    done = desk.queue.map(workspace="w1", item_id=item.id, target=APOLLO, actor="member:mona")
    decisions = [desk.inbound.decision(event_id) for event_id in ids]
    assert desk.told() == [(decision.id, "apollo") for decision in decisions]
    assert {(decision.stage, decision.rule) for decision in decisions} == {(Stage.EXPLICIT, "mapping")}
    assert (done.replay.decided, done.replay.waiting) == ({Stage.EXPLICIT: 5}, 0)
    assert done.mapping.created_by == "member:mona"
    assert desk.queue.list(workspace="w1") == ()
    assert desk.queue.get(workspace="w1", item_id=item.id).state is ReviewState.MAPPED
    desk.queue.replay(workspace="w1", item_id=item.id, actor="member:mona")
    assert len(desk.told()) == 5


def test_the_explanation_of_a_replayed_event_says_that_it_waited(desk: Desk) -> None:
    """Nothing of the first decision is lost: it is the evidence that was overruled."""
    (event_id,) = desk.deliver(card())
    item = desk.item()
    desk.queue.map(workspace="w1", item_id=item.id, target=APOLLO, actor="member:mona")
    last = desk.inbound.decision(event_id).evidence[-1]
    assert (last.rule, last.against) == ("waited", True)
    assert last.text == f"until then it waited in review item {item.id}, by rule no_mapping"


def test_a_selector_lets_the_replay_ignore_what_it_does_not_want(desk: Desk) -> None:
    """Every event that waited leaves the queue by a decision, wanted or not."""
    desk.deliver(card(git={"branch": "main"}), card(git={"branch": "next"}))
    done = desk.queue.map(
        workspace="w1",
        item_id=desk.item().id,
        target=APOLLO,
        actor="member:mona",
        selector=Selector(branches=("main",)),
    )
    assert done.replay.decided == {Stage.EXPLICIT: 1, Stage.IGNORED: 1}


def test_a_resource_that_was_mapped_elsewhere_is_replayed_too(desk: Desk) -> None:
    """Whoever maps a board on its own page finds the waiting events when they ask for the replay."""
    desk.deliver(card())
    add_resources(desk.store, desk.installation, Resource(kind="board", id="b1", key="kitchen/b1"))
    desk.inbound.map(desk.installation, "b1", "apollo")
    replayed = desk.queue.replay(workspace="w1", item_id=desk.item().id, actor="member:mona")
    assert (replayed.decided, replayed.waiting) == ({Stage.EXPLICIT: 1}, 0)


def test_a_mapped_item_opens_anew_when_events_wait_again(desk: Desk) -> None:
    """The count begins again, so that it says what waits and not what was."""
    desk.deliver(card(), card())
    done = desk.queue.map(workspace="w1", item_id=desk.item().id, target=APOLLO, actor="member:mona")
    desk.mappings.remove(workspace="w1", mapping_id=done.mapping.id, actor="member:mona")
    desk.deliver(card())
    assert (desk.item().count, desk.item().held, len(desk.item().reasons)) == (1, 1, 1)


@pytest.mark.parametrize("status", [InstallationStatus.SUSPENDED, InstallationStatus.REMOVED])
def test_nothing_of_an_installation_that_is_cut_off_is_replayed(desk: Desk, status: InstallationStatus) -> None:
    """Authority is asked for when the events are handed on, not only when they came."""
    desk.deliver(card())
    item = desk.item()
    with desk.store.transaction() as connection:
        installations.set_status(connection, desk.installation, status, at=MOMENT)
    with pytest.raises(ConflictError):
        desk.queue.map(workspace="w1", item_id=item.id, target=APOLLO, actor="member:mona")
    assert (desk.told(), desk.mappings.list(workspace="w1")) == ([], ())


def test_what_cannot_be_trusted_stays_when_its_resource_is_mapped(desk: Desk) -> None:
    """Mapping a board vouches for the board, not for a delivery that somebody may have recorded and sent again."""
    desk.inbound.deliver(desk.endpoint, card())
    desk.inbound.deliver(desk.endpoint, card(), replayable=True)
    desk.inbound.router().route_due()
    item = desk.item()
    assert {reason.reason for reason in item.reasons} == {"no_mapping", "replay_suspect"}
    done = desk.queue.map(workspace="w1", item_id=item.id, target=APOLLO, actor="member:mona")
    assert (done.replay.decided, done.replay.waiting, len(desk.told())) == ({Stage.EXPLICIT: 1}, 1, 1)
    assert desk.item().held == 1


def test_an_item_of_no_installation_cannot_be_mapped(desk: Desk) -> None:
    """An account that nobody connected must be connected first; the refusal says so."""
    desk.deliver(card(account="99"))
    (item,) = desk.queue.list()
    with pytest.raises(ConflictError) as caught:
        desk.queue.map(workspace="", item_id=item.id, target=APOLLO, actor="operator")
    assert "connect the account" in caught.value.remedy


def test_a_dismissed_item_silences_events_like_it_until_there_is_a_new_reason(desk: Desk) -> None:
    """A person's no holds for the reasons they saw; another reason is another question."""
    desk.deliver(card())
    item = desk.item()
    desk.queue.dismiss(workspace="w1", item_id=item.id, actor="member:mona", reason="a playground")
    (event_id,) = desk.deliver(card())
    decision = desk.inbound.decision(event_id)
    assert (decision.stage, decision.rule) == (Stage.IGNORED, "dismissed")
    assert decision.evidence[0].text == "events like this were dismissed: a playground"
    assert desk.queue.list(workspace="w1") == ()
    add_resources(desk.store, desk.installation, Resource(kind="board", id="b1", key="kitchen/b1"))
    desk.inbound.map(desk.installation, "b1", "apollo")
    desk.deliver(change("resources_removed", board={"id": "b1"}), card())
    assert (desk.item().id, desk.item().reason) == (item.id, "orphaned")


def test_a_reopened_item_waits_with_what_it_held(desk: Desk) -> None:
    """Dismissing loses nothing: the events are there when somebody thinks again."""
    desk.deliver(card())
    item_id = desk.item().id
    desk.queue.dismiss(workspace="w1", item_id=item_id, actor="member:mona", reason="later")
    desk.queue.reopen(workspace="w1", item_id=item_id, actor="member:mona")
    assert desk.item().held == 1
    desk.deliver(card())
    assert desk.item().held == 2
    assert audited(desk.store) == ["review.dismissed", "review.reopened"]


def test_a_snoozed_item_comes_back_by_itself_and_counts_meanwhile(desk: Desk) -> None:
    """Until its moment only those who ask for snoozed items see it."""
    desk.deliver(card())
    item_id, now = desk.item().id, desk.store.now()
    desk.queue.snooze(workspace="w1", item_id=item_id, actor="member:mona", until=now + timedelta(hours=1))
    desk.deliver(card())
    assert desk.queue.list(workspace="w1") == ()
    (asleep,) = desk.queue.list(workspace="w1", state=ReviewState.SNOOZED)
    assert asleep.count == 2
    desk.queue.snooze(workspace="w1", item_id=item_id, actor="member:mona", until=now - timedelta(hours=1))
    assert (desk.item().id, desk.item().state) == (item_id, ReviewState.OPEN)


def test_a_candidate_is_assigned_and_labelled_as_suggested(store: Store) -> None:
    """What a stage found worth a look is shown with its evidence, and only that can be assigned."""
    desk = Desk(store)
    seen = [Signal(project_id=name, remote_url="https://fake.example/kitchen/b1") for name in ("apollo", "soyuz")]
    add_resources(store, desk.installation, Resource(kind="board", id="b1", key="kitchen/b1"))
    Signals(store).report(workspace="w1", signals=seen)
    desk.deliver(card())
    first, second = desk.item().candidates
    assert (first.target, first.confidence, second.target.id) == (APOLLO, Confidence.MEDIUM, "soyuz")
    assert first.evidence[0].text == "a git remote of apollo is kitchen/b1"
    with pytest.raises(NotFoundError):
        desk.queue.assign(workspace="w1", item_id=desk.item().id, target=GEMINI, actor="member:mona")
    done = desk.queue.assign(workspace="w1", item_id=desk.item().id, target=APOLLO, actor="member:mona")
    assert (done.mapping.origin, done.replay.waiting) == (MappingOrigin.SUGGESTED, 0)


def test_a_flood_stays_bounded(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """Past the caps events are counted, not held, and resources are no longer told apart; nothing is lost."""
    monkeypatch.setattr(holding, "ITEMS_PER_INSTALLATION", 3)
    monkeypatch.setattr(holding, "HELD_EVENTS", 2)
    desk.deliver(*(card(f"b{number}") for number in range(10)), *(card("b0") for _ in range(5)))
    items = desk.queue.list(workspace="w1")
    assert sorted(item.count for item in items) == [1, 1, 6, 7]
    assert all(item.held <= 2 for item in items)
    with desk.store.reading() as connection:
        held = connection.scalar(select(func.count()).select_from(review_events))
    assert held == sum(item.held for item in items)


def test_what_is_old_is_forgotten_and_what_was_dismissed_is_not(desk: Desk) -> None:
    """Retention takes what nobody decided; a dismissal is a decision."""
    desk.deliver(card("b1"), card("b2"))
    first, second = desk.queue.list(workspace="w1")
    desk.queue.dismiss(workspace="w1", item_id=first.id, actor="member:mona", reason="no")
    later = desk.store.now() + timedelta(days=1)
    assert desk.queue.forget_older(workspace="w1", before=MOMENT, actor="operator") == 0
    assert desk.queue.forget_older(workspace="w1", before=later, actor="operator") == 1
    (kept,) = desk.queue.list(workspace="w1", state=None)
    assert (kept.id, kept.state) == (first.id, ReviewState.DISMISSED)
    with pytest.raises(NotFoundError):
        desk.queue.get(workspace="w1", item_id=second.id)


def test_another_workspaces_item_is_as_good_as_missing(desk: Desk) -> None:
    """A foreign id gives the answer that an unknown one gives, and nothing happens to it."""
    desk.deliver(card())
    item = desk.item()
    for attempt in (
        lambda item_id: desk.queue.get(workspace="w2", item_id=item_id),
        lambda item_id: desk.queue.map(workspace="w2", item_id=item_id, target=APOLLO, actor="member:eve"),
        lambda item_id: desk.queue.dismiss(workspace="w2", item_id=item_id, actor="member:eve", reason="mine"),
        lambda item_id: desk.queue.replay(workspace="w2", item_id=item_id, actor="member:eve"),
    ):
        texts = []
        for item_id in (item.id, "missing"):
            with pytest.raises(NotFoundError) as caught:
                attempt(item_id)
            texts.append(str(caught.value).replace(item_id, "…"))
        assert texts[0] == texts[1]
    assert desk.item() == item


STEPS = ("deliver b1", "deliver b2", "map b1", "map b2", "unmap", "replay", "dismiss", "reopen")


def take(desk: Desk, account: str, step: str) -> list[str]:
    """Do what a person or the provider does; a refusal is an answer too. Return what was delivered."""
    verb, _, board = step.partition(" ")
    waiting = desk.queue.list(workspace="w1", state=None, installation_id=desk.installation.id)
    with suppress(ConflictError):
        if verb == "deliver":
            return desk.deliver(card(board, account=account))
        for item in waiting:
            if verb == "map" and item.subject.id == board:
                desk.queue.map(workspace="w1", actor="member:mona", item_id=item.id, target=APOLLO)
            elif verb == "replay":
                desk.queue.replay(workspace="w1", actor="member:mona", item_id=item.id)
            elif verb == "dismiss":
                desk.queue.dismiss(workspace="w1", actor="member:mona", item_id=item.id, reason="no")
            elif verb == "reopen":
                desk.queue.reopen(workspace="w1", actor="member:mona", item_id=item.id)
        if verb == "unmap":
            for mapping in desk.mappings.list(workspace="w1", installation_id=desk.installation.id):
                desk.mappings.remove(workspace="w1", actor="member:mona", mapping_id=mapping.id)
    return []


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow], max_examples=25)
@given(st.lists(st.sampled_from(STEPS), max_size=14))
def test_no_sequence_of_steps_tells_a_target_twice(store: Store, steps: list[str]) -> None:
    """Each event ends with one decision, whatever people do, and reaches a target at most once."""
    account = new_id()
    desk = Desk(store, account_id=account)
    delivered = [event_id for step in steps for event_id in take(desk, account, step)]
    for event_id in delivered:
        assert desk.inbound.decision(event_id).stage in {Stage.EXPLICIT, Stage.REVIEW, Stage.IGNORED}
    told = desk.told()
    assert len(told) == len(set(told))
