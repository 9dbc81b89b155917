"""What would become of an event: the router's own answer, under other mappings, with nothing changed."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select

from speckitty_connectors import Event, NotFoundError, Resource, ResourceReference, Selector, Target
from speckitty_connectors.identifiers import new_id
from speckitty_connectors.mappings.types import Direction, MappingState
from speckitty_connectors.providers.codec import to_document
from speckitty_connectors.routing.simulation import Proposal, ProposedMapping, Simulation, as_bytes, simulate
from speckitty_connectors.routing.tables import decisions, dispatches
from speckitty_connectors.routing.types import Conclusion, Decision, Stage
from speckitty_connectors.store.audit import audit
from speckitty_connectors.store.engine import Store
from testbed.inbound import Inbound, card, change
from testbed.layers import MOMENT, add_installation, add_resources

APOLLO = Target(kind="project", id="apollo")
GEMINI = Target(kind="project", id="gemini")
MENU = ResourceReference(kind="board", id="b1", key="kitchen/b1")
BOARDS = ("b1", "b2", "b3")


class World:
    """An installation that sees three boards in a space."""

    def __init__(self, store: Store, **values: object) -> None:
        self.store = store
        self.inbound = Inbound.on(store)
        self.installation = add_installation(store, **values)  # type: ignore[arg-type]  # what the test gives
        add_resources(
            store,
            self.installation,
            Resource(kind="space", id="s1", key="kitchen"),
            *(Resource(kind="board", id=each, key=f"kitchen/{each}", parent_id="s1") for each in BOARDS),
        )
        self.endpoint = self.inbound.endpoint()

    def deliver(self, *documents: dict[str, object]) -> list[str]:
        ids = [self.inbound.deliver(self.endpoint, document) for document in documents]
        while self.inbound.router().route_due():
            pass
        return ids

    def simulate(self, **values: object) -> Simulation:
        (simulated,) = simulate(self.store, self.inbound.registry, workspace="w1", **values)  # type: ignore[arg-type]  # what the test gives
        return simulated

    def proposed(self, target: Target, **values: object) -> ProposedMapping:
        given_: dict[str, object] = {"installation_id": self.installation.id, "resource": MENU, "target": target}
        return ProposedMapping(**{**given_, **values})  # type: ignore[arg-type]  # what the test gives


@pytest.fixture
def world(store: Store) -> World:
    """Three boards, on both databases."""
    return World(store)


def conclusion_of(decision: Decision) -> Conclusion:
    return Conclusion(
        stage=decision.stage, rule=decision.rule, targets=decision.targets, evidence=decision.evidence
    )


def test_a_stored_event_is_shown_as_it_would_be_under_another_mapping(world: World) -> None:
    """An event that waited would be routed, and the difference is said in words."""
    (event_id,) = world.deliver(card())
    proposal = Proposal(add=(world.proposed(APOLLO),))
    simulated = world.simulate(event_id=event_id, proposal=proposal)
    assert (simulated.now.stage, simulated.proposed.stage) == (Stage.REVIEW, Stage.EXPLICIT)
    assert [routed.target for routed in simulated.proposed.targets] == [APOLLO]
    assert simulated.lines() == [
        "now: review by rule no_mapping",
        "  against: none of the event's resources is mapped",
        "proposed: explicit by rule mapping → project:apollo",
        "  for: board kitchen/b1 is mapped to project:apollo",
    ]


def test_nothing_is_changed_by_it(world: World) -> None:
    """Neither decisions nor dispatches, labels nor audit know of a simulation."""
    (event_id,) = world.deliver(card())

    def everything() -> list[object]:
        with world.store.reading() as connection:
            return [connection.execute(select(table)).all() for table in (decisions, dispatches, audit)]

    before = everything()
    renamed = Event(kind="card", resources=(ResourceReference(kind="board", id="b1", key="kitchen/carte"),))
    world.simulate(event_id=event_id, proposal=Proposal(add=(world.proposed(APOLLO),)))
    world.simulate(event=renamed, installation_id=world.installation.id)
    assert everything() == before
    assert world.inbound.map(world.installation, "b1", "apollo").resource_key == "kitchen/b1"


def test_a_given_event_needs_no_delivery(world: World) -> None:
    """What might happen can be asked about before it does."""
    world.inbound.map(world.installation, "b1", "apollo")
    push = Event(kind="push", resources=(MENU,))
    simulated = world.simulate(event=push, installation_id=world.installation.id)
    assert (simulated.now.rule, simulated.differs) == ("mapping", False)
    assert simulated.lines()[0] == "now, and as proposed: explicit by rule mapping → project:apollo"


def test_a_mapping_may_be_taken_away_or_replaced(world: World) -> None:
    """Removing shows who takes over; removing and adding shows a change of selector."""
    inner = world.inbound.map(world.installation, "b1", "apollo")
    event = Event(kind="push", resources=(MENU,))
    given_ = {"event": event, "installation_id": world.installation.id}
    assert world.simulate(**given_, proposal=Proposal(remove=(inner.id,))).proposed.rule == "no_mapping"
    space = world.proposed(GEMINI, resource=ResourceReference(kind="space", id="s1"))
    taken_over = world.simulate(**given_, proposal=Proposal(add=(space,), remove=(inner.id,)))
    assert [routed.target for routed in taken_over.proposed.targets] == [GEMINI]
    narrow = world.proposed(APOLLO, selector=Selector(kinds=("issue",)))
    narrowed = world.simulate(**given_, proposal=Proposal(add=(narrow,), remove=(inner.id,)))
    assert narrowed.proposed.rule == "selector"
    outward = world.proposed(APOLLO, direction=Direction.OUT)
    assert world.simulate(**given_, proposal=Proposal(add=(outward,))).differs is False


def test_a_board_without_a_mapping_goes_where_its_space_goes(world: World) -> None:
    """The inventory knows what contains what; an event doesn't have to say it."""
    space = ResourceReference(kind="space", id="s1")
    proposal = Proposal(add=(world.proposed(GEMINI, resource=space),))
    (event_id,) = world.deliver(card("b2"))
    simulated = world.simulate(event_id=event_id, proposal=proposal)
    assert simulated.proposed.evidence[0].text == (
        "space s1, which contains board kitchen/b2, is mapped to project:gemini"
    )


def test_what_concerns_another_workspace_is_not_there(world: World) -> None:
    """Neither its events nor its installations can be asked about."""
    (event_id,) = world.deliver(card())
    for asked in (
        {"event_id": event_id},
        {"event_id": "missing"},
        {"event": Event(kind="push"), "installation_id": world.installation.id},
    ):
        with pytest.raises(NotFoundError):
            simulate(world.store, world.inbound.registry, workspace="w2", **asked)


documents = st.builds(
    lambda board, kind, branch, fork: card(board, event=kind, git={"branch": branch, "from_fork": fork}),
    st.sampled_from([*BOARDS, "b4"]),
    st.sampled_from(["push", "issue"]),
    st.sampled_from(["main", "next"]),
    st.booleans(),
)
mapped = st.lists(
    st.fixed_dictionaries(
        {
            "external_id": st.sampled_from(BOARDS),
            "target": st.sampled_from(["apollo", "gemini"]),
            "selector": st.sampled_from([Selector(), Selector(branches=("main",)), Selector(kinds=("push",))]),
            "state": st.sampled_from(list(MappingState)),
        }
    ),
    max_size=5,
    unique_by=lambda each: (each["external_id"], each["target"]),
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow], max_examples=20)
@given(st.lists(documents, min_size=1, max_size=6), mapped)
def test_the_router_decides_what_a_simulation_says(
    store: Store, log: list[dict[str, object]], mappings: list[dict[str, object]]
) -> None:
    """For any log and any mappings, what is asked again afterwards is byte for byte what was decided."""
    account = new_id()
    world = World(store, account_id=account)
    for each in mappings:
        world.inbound.map(world.installation, **each)  # type: ignore[arg-type]  # what was drawn
    for event_id in world.deliver(*({**document, "account": {"id": account}} for document in log)):
        (simulated,) = simulate(store, world.inbound.registry, workspace="w1", event_id=event_id)
        assert as_bytes(simulated.now) == as_bytes(conclusion_of(world.inbound.decision(event_id)))


def replayed(store: Store, log: list[dict[str, object]], mappings: list[dict[str, object]]) -> list[bytes]:
    """Route a log in a workspace where everything has the ids that it always has; return the decisions."""
    world = World(store, id="installation")
    for number, each in enumerate(mappings):
        world.inbound.map(world.installation, **{**each, "id": f"mapping-{number}"})  # type: ignore[arg-type]  # drawn
    ids = world.deliver(*log)
    decided = [world.inbound.decision(event_id) for event_id in ids]
    return [as_bytes(conclusion_of(each)) + json.dumps(to_document(each.outcome)).encode() for each in decided]


def test_the_same_log_replayed_gives_byte_equal_decisions(sqlite_store: Store, postgresql_url: str) -> None:
    """Two databases that were told the same, renames and lifecycle included, decided the same in the same bytes."""
    at = (MOMENT + timedelta(days=1)).isoformat()
    log: list[dict[str, object]] = [
        card("b1"),
        card("b2", git={"branch": "main"}),
        change("resource_renamed", board={"id": "b1", "key": "kitchen/carte"}, at=at),
        card("b1"),
        change("resources_removed", board={"id": "b2"}, at=at),
        card("b2"),
        card("b3", git={"branch": "main", "from_fork": True}),
        card("b9"),
    ]
    mappings: list[dict[str, object]] = [
        {"external_id": "b1", "target": "apollo"},
        {"external_id": "b1", "target": "gemini", "selector": Selector(kinds=("push",))},
        {"external_id": "b2", "target": "apollo"},
        {"external_id": "b3", "target": "apollo", "selector": Selector(branches=("main",))},
    ]
    other = Store(postgresql_url)
    try:
        first, second = replayed(sqlite_store, log, mappings), replayed(other, log, mappings)
    finally:
        other.close()
    assert first == second
    assert len(set(first)) > 5
