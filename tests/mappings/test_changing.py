"""Changing mappings and taking changes back, finding them by any name, and what they are warned of."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest

from speckitty_connectors import (
    ConfigurationError,
    ConflictError,
    NotFoundError,
    Resource,
    ResourceReference,
    Target,
)
from speckitty_connectors.contract.fake import FakeProvider
from speckitty_connectors.installations.types import Installation
from speckitty_connectors.loading.registry import Registry
from speckitty_connectors.mappings.lifecycle import update_states
from speckitty_connectors.mappings.service import Mappings, may_both_want
from speckitty_connectors.mappings.types import Direction, MappingState, ResourceMapping, Selector
from speckitty_connectors.resources.repository import change_resource
from speckitty_connectors.resources.types import ResourceStatus
from speckitty_connectors.store.engine import Store
from testbed.layers import MOMENT, add_installation, add_resources, audited

APOLLO = Target(kind="project", id="apollo")
GEMINI = Target(kind="project", id="gemini")
MENU = ResourceReference(kind="board", id="b1")
SPACE = ResourceReference(kind="space", id="s1")

Make = Callable[..., ResourceMapping]


@pytest.fixture
def installation(store: Store) -> Installation:
    """An installation that sees a board in a space in a space."""
    made = add_installation(store)
    add_resources(
        store,
        made,
        Resource(kind="space", id="s0", key="house"),
        Resource(kind="space", id="s1", key="kitchen", parent_id="s0"),
        Resource(kind="board", id="b1", key="kitchen/menu", parent_id="s1", url="https://boards.acme.example/b1"),
        Resource(kind="board", id="b2", key="kitchen/orders", parent_id="s1"),
    )
    return made


@pytest.fixture
def mappings(store: Store) -> Mappings:
    """The service under test, which knows the manifest of the provider ``fake``."""
    registry = Registry(entry_points=())
    registry.register(FakeProvider())
    return Mappings(store, registry)


@pytest.fixture
def make(mappings: Mappings, installation: Installation) -> Make:
    """Makes mappings as mona, by default of the menu to apollo."""

    def create(**values: object) -> ResourceMapping:
        given: dict[str, object] = {
            "workspace": "w1",
            "installation_id": installation.id,
            "resource": MENU,
            "target": APOLLO,
            "actor": "member:mona",
            **values,
        }
        return mappings.create(**given)  # type: ignore[arg-type]  # what the test is about

    return create


def test_a_change_keeps_origin_and_author(store: Store, mappings: Mappings, make: Make) -> None:
    """Selector, direction and target are changed where given, and who made the mapping stays known."""
    made = make(selector=Selector(kinds=("push",)))
    changed = mappings.update(
        workspace="w1", actor="member:zoe", mapping_id=made.id, target=GEMINI, direction=Direction.IN
    )
    assert (changed.target, changed.direction, changed.selector) == (GEMINI, Direction.IN, made.selector)
    assert (changed.created_by, changed.origin) == ("member:mona", made.origin)
    assert mappings.get(workspace="w1", mapping_id=made.id) == changed
    mappings.update(workspace="w1", actor="member:zoe", mapping_id=made.id, target=GEMINI)
    assert audited(store) == ["mapping.created", "mapping.updated"]


def test_a_change_to_a_target_that_is_taken_or_unknown_is_refused(mappings: Mappings, make: Make) -> None:
    """A resource has one mapping to a target, and only targets that the host has."""
    made = make()
    make(target=GEMINI)
    with pytest.raises(ConflictError):
        mappings.update(workspace="w1", actor="member:zoe", mapping_id=made.id, target=GEMINI)
    with pytest.raises(ConfigurationError):
        mappings.update(
            workspace="w1", actor="member:zoe", mapping_id=made.id, target=Target(kind="planet", id="mars")
        )
    assert mappings.get(workspace="w1", mapping_id=made.id) == made


def test_the_last_change_is_undone_and_undoing_again_brings_it_back(mappings: Mappings, make: Make) -> None:
    """Undo goes back by one change, whatever it was, and is itself a change."""
    made = make()
    changed = mappings.update(
        workspace="w1", actor="member:zoe", mapping_id=made.id, target=GEMINI, selector=Selector(branches=("main",))
    )
    undone = mappings.undo(workspace="w1", actor="member:zoe", mapping_id=made.id)
    assert undone is not None
    assert (undone.target, undone.selector) == (APOLLO, Selector())
    redone = mappings.undo(workspace="w1", actor="member:zoe", mapping_id=made.id)
    assert redone is not None
    assert (redone.target, redone.selector) == (changed.target, changed.selector)


def test_a_removal_is_undone_under_the_same_id(mappings: Mappings, make: Make) -> None:
    """What comes back is the mapping with its author and all, so that dispatches still know it."""
    made = make(selector=Selector(paths=("src",)))
    mappings.remove(workspace="w1", actor="member:zoe", mapping_id=made.id)
    assert mappings.undo(workspace="w1", actor="member:zoe", mapping_id=made.id) == mappings.get(
        workspace="w1", mapping_id=made.id
    )
    back = mappings.get(workspace="w1", mapping_id=made.id)
    assert (back.id, back.created_by, back.created_at, back.selector) == (
        made.id,
        made.created_by,
        made.created_at,
        made.selector,
    )


def test_a_creation_is_undone_by_removing(mappings: Mappings, make: Make) -> None:
    """Nothing is left of a mapping whose creation is undone, until that is undone."""
    made = make()
    assert mappings.undo(workspace="w1", actor="member:zoe", mapping_id=made.id) is None
    assert mappings.list(workspace="w1") == ()
    assert mappings.undo(workspace="w1", actor="member:zoe", mapping_id=made.id) is not None


def test_a_pause_is_undone(mappings: Mappings, make: Make) -> None:
    """Undoing a pause lets the mapping route again, and undoing a resume pauses it with the reason of before."""
    made = make()
    mappings.pause(workspace="w1", actor="member:zoe", mapping_id=made.id, reason="too loud")
    resumed = mappings.undo(workspace="w1", actor="member:zoe", mapping_id=made.id)
    assert resumed is not None
    assert resumed.state is MappingState.ACTIVE
    paused = mappings.undo(workspace="w1", actor="member:zoe", mapping_id=made.id)
    assert paused is not None
    assert (paused.state, paused.state_reason) == (MappingState.PAUSED, "too loud")


def withdraw(store: Store, installation: Installation) -> None:
    """Take the menu away on the provider's side."""
    at = MOMENT + timedelta(days=1)
    with store.transaction() as connection:
        change_resource(
            connection,
            installation,
            ResourceReference(kind="board", id="b1"),
            at=at,
            told={"status": ResourceStatus.WITHDRAWN},
        )
        update_states(connection, installation, at)


def test_what_the_provider_did_is_not_undone(
    store: Store, mappings: Mappings, make: Make, installation: Installation
) -> None:
    """A mapping whose resource is gone meanwhile comes back orphaned, and undo looks for a person's change."""
    made = make()
    mappings.update(workspace="w1", actor="member:zoe", mapping_id=made.id, target=GEMINI)
    withdraw(store, installation)
    undone = mappings.undo(workspace="w1", actor="member:zoe", mapping_id=made.id)
    assert undone is not None
    assert (undone.target, undone.state) == (APOLLO, MappingState.ORPHANED)


def test_undo_does_not_take_another_mappings_place(mappings: Mappings, make: Make) -> None:
    """Where somebody mapped the same meanwhile, undo says so and changes nothing."""
    made = make()
    mappings.update(workspace="w1", actor="member:zoe", mapping_id=made.id, target=GEMINI)
    make()
    with pytest.raises(ConflictError):
        mappings.undo(workspace="w1", actor="member:zoe", mapping_id=made.id)


@pytest.mark.parametrize("workspace", ["w1", "w2"])
def test_there_is_nothing_to_undo_of_what_is_not_there(mappings: Mappings, make: Make, workspace: str) -> None:
    """Another workspace's mapping has no history here, like one that never was."""
    mapping_id = make().id if workspace == "w2" else "missing"
    with pytest.raises(NotFoundError):
        mappings.undo(workspace=workspace, mapping_id=mapping_id, actor="member:eve")


def test_a_mapping_made_of_a_resource_that_is_gone_is_orphaned_at_once(
    store: Store, make: Make, installation: Installation
) -> None:
    """A new mapping doesn't pretend that events could come."""
    withdraw(store, installation)
    assert make().state is MappingState.ORPHANED


def test_an_archived_resource_degrades_its_mappings(
    store: Store, mappings: Mappings, make: Make, installation: Installation
) -> None:
    """It still routes, and says why little will come; what is restored is as before."""
    made = make()
    for archived, state in ((True, MappingState.DEGRADED), (False, MappingState.ACTIVE)):
        at = MOMENT + timedelta(days=2 - archived)
        with store.transaction() as connection:
            change_resource(
                connection,
                installation,
                ResourceReference(kind="board", id="b1"),
                at=at,
                told={"archived": archived},
            )
            update_states(connection, installation, at)
        now = mappings.get(workspace="w1", mapping_id=made.id)
        assert (now.state, now.routes) == (state, True)
    assert audited(store) == ["mapping.adopted", "mapping.created", "mapping.degraded"]


@pytest.mark.parametrize(
    ("resource", "host"),
    [
        (ResourceReference(kind="board", id="b1"), ""),
        (ResourceReference(kind="fake_board", id="b1"), "fake.example"),
        (ResourceReference(kind="fake_board", id="", key="kitchen/menu"), "boards.acme.example"),
        (ResourceReference(kind="board", id="", key="kitchen/menu"), "account 7"),
        (ResourceReference(kind="", id="", key="kitchen/carte"), ""),
    ],
)
def test_a_mapping_is_found_by_what_files_and_hosts_call_its_resource(
    store: Store, mappings: Mappings, make: Make, installation: Installation, resource: ResourceReference, host: str
) -> None:
    """By immutable id, by a key of today or of before, under an alias of the kind or of the host."""
    with store.transaction() as connection:
        for days, key in ((1, "kitchen/carte"), (2, "kitchen/menu")):
            change_resource(
                connection,
                installation,
                ResourceReference(kind="board", id="b1", key=key),
                at=MOMENT + timedelta(days=days),
            )
    made = make()
    assert mappings.find(workspace="w1", provider="fake", resource=resource, host=host) == (made,)
    assert mappings.find(workspace="w2", provider="fake", resource=resource, host=host) == ()
    assert mappings.find(workspace="w1", provider="fake", resource=resource, host="elsewhere.example") == ()


def test_a_key_that_two_hosts_have_needs_the_host(store: Store, mappings: Mappings, make: Make) -> None:
    """Two sites may share a key; naming one of them finds its mapping, naming none is refused."""
    made = make()
    other = add_installation(store, host="fake.internal", account_id="9")
    add_resources(store, other, Resource(kind="board", id="77", key="kitchen/menu"))
    wanted = ResourceReference(kind="board", id="", key="kitchen/menu")
    with pytest.raises(ConflictError):
        mappings.find(workspace="w1", provider="fake", resource=wanted)
    assert mappings.find(workspace="w1", provider="fake", resource=wanted, host="fake.example") == (made,)


def test_a_new_mapping_warns_of_what_it_takes_from_broader_ones(make: Make) -> None:
    """The rule that wins is named with each of the mappings that it meets."""
    house = make(resource=ResourceReference(kind="space", id="s0"), target=GEMINI)
    (overlap,) = make().overlaps
    assert (overlap.mapping_id, overlap.rule) == (house.id, "most_specific")
    assert str(overlap) == (
        "project:gemini gets no events of board kitchen/menu from the mapping of space house any more: "
        "the most specific mapped resource wins"
    )


def test_a_broad_mapping_warns_of_what_it_does_not_get(make: Make) -> None:
    """Whatever is mapped inside keeps its events; outward mappings keep nothing."""
    inner = make()
    make(resource=ResourceReference(kind="board", id="b2"), target=GEMINI, direction=Direction.OUT)
    (overlap,) = make(resource=ResourceReference(kind="space", id="s0"), target=GEMINI).overlaps
    assert (overlap.mapping_id, overlap.rule) == (inner.id, "most_specific")


def test_a_second_target_warns_that_events_go_to_both(mappings: Mappings, make: Make) -> None:
    """It is a warning where both could want an event, and none where they never do."""
    first = make(selector=Selector(branches=("main",)))
    assert make(target=GEMINI, selector=Selector(branches=("next",))).overlaps == ()
    changed = mappings.update(workspace="w1", actor="member:zoe", mapping_id=first.id, selector=Selector())
    assert [overlap.rule for overlap in changed.overlaps] == ["fans_out"]
    assert mappings.get(workspace="w1", mapping_id=first.id).overlaps == ()


@pytest.mark.parametrize(
    ("one", "other", "both"),
    [
        (Selector(), Selector(kinds=("push",)), True),
        (Selector(kinds=("push",)), Selector(kinds=("issue",)), False),
        (Selector(kinds=("issue",)), Selector(kinds=("issue.opened",)), True),
        (Selector(kinds=("issue.closed",)), Selector(kinds=("issue.opened",)), False),
        (Selector(branches=("main",)), Selector(branches=("release/*",)), True),
        (Selector(branches=("main", "next")), Selector(branches=("next",)), True),
        (Selector(paths=("web",)), Selector(paths=("api",)), True),
    ],
)
def test_selectors_meet_unless_they_certainly_do_not(one: Selector, other: Selector, both: bool) -> None:
    """An event may touch several paths, and a glob may match any branch; kinds and plain branches tell apart."""
    assert may_both_want(one, other) is may_both_want(other, one) is both


def test_a_hundred_mappings_inside_are_not_all_told(store: Store, make: Make, installation: Installation) -> None:
    """Ten warnings show the pattern; the answer stays readable and bounded."""
    boards = [Resource(kind="board", id=f"n{number}", key=f"n{number}", parent_id="s1") for number in range(40)]
    add_resources(store, installation, *boards)
    for board in boards:
        make(resource=ResourceReference(kind="board", id=board.id))
    assert len(make(resource=SPACE, target=GEMINI).overlaps) == 10
