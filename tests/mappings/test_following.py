"""Mappings follow what becomes of their resources and installations."""

from __future__ import annotations

from datetime import timedelta

import pytest

from speckitty_connectors import Account, Change, Lifecycle, Resource, ResourceReference, Target
from speckitty_connectors.installations import lifecycle
from speckitty_connectors.installations.types import Installation
from speckitty_connectors.mappings.lifecycle import update_states
from speckitty_connectors.mappings.service import Mappings
from speckitty_connectors.mappings.types import MappingState, ResourceMapping
from speckitty_connectors.resources.repository import upsert_resources
from speckitty_connectors.resources.types import ResourceStatus
from speckitty_connectors.store.engine import Store
from testbed.layers import MOMENT, add_installation, add_resources, audited, resource_of

MENU = ResourceReference(kind="board", id="b1")
LATER = MOMENT + timedelta(days=1)


@pytest.fixture
def installation(store: Store) -> Installation:
    """An installation that sees one board."""
    made = add_installation(store)
    add_resources(store, made, Resource(kind="board", id="b1", key="kitchen/menu"))
    return made


@pytest.fixture
def mapping(store: Store, installation: Installation) -> ResourceMapping:
    """The board's mapping."""
    return Mappings(store).create(
        workspace="w1",
        installation_id=installation.id,
        resource=MENU,
        target=Target(kind="project", id="apollo"),
        actor="member:mona",
    )


def happen(
    store: Store, installation: Installation, change: Change, days: int, *references: ResourceReference
) -> int:
    """Let the provider change something, as the router applies it; return how many mappings changed."""
    now = MOMENT + timedelta(days=days)
    with store.transaction() as connection:
        lifecycle.apply(
            connection,
            installation=installation,
            lifecycle=Lifecycle(change=change, resources=references, occurred_at=now),
            now=now,
        )
        return update_states(connection, installation, now)


def state_of(store: Store, mapping: ResourceMapping) -> tuple[MappingState, str]:
    """Return a mapping's state and the reason for it."""
    now = Mappings(store).get(workspace="w1", mapping_id=mapping.id)
    return now.state, now.state_reason


def test_a_withdrawn_resource_orphans_its_mapping_and_its_return_adopts_it(
    store: Store, installation: Installation, mapping: ResourceMapping
) -> None:
    """The mapping survives without a resource to route from, and needs nobody to come back."""
    assert happen(store, installation, Change.RESOURCES_REMOVED, 1, MENU) == 1
    assert state_of(store, mapping) == (MappingState.ORPHANED, "the resource is withdrawn")
    assert happen(store, installation, Change.RESOURCES_ADDED, 2, MENU) == 1
    assert state_of(store, mapping) == (MappingState.ACTIVE, "")
    assert "mapping.adopted" in audited(store)


def test_an_uninstall_orphans_every_mapping(
    store: Store, installation: Installation, mapping: ResourceMapping
) -> None:
    """What an uninstalled account mapped is kept, and says why it doesn't route."""
    happen(store, installation, Change.UNINSTALLED, 1)
    assert state_of(store, mapping) == (MappingState.ORPHANED, "the installation is removed")


def test_a_suspension_leaves_mappings_alone(
    store: Store, installation: Installation, mapping: ResourceMapping
) -> None:
    """Whoever suspends comes back: nothing about the resource changed."""
    assert happen(store, installation, Change.SUSPENDED, 1) == 0
    assert state_of(store, mapping)[0] is MappingState.ACTIVE


def test_following_twice_changes_nothing_more(
    store: Store, installation: Installation, mapping: ResourceMapping
) -> None:
    """The second look finds everything in line and writes no audit."""
    happen(store, installation, Change.UNINSTALLED, 1)
    before = audited(store)
    with store.transaction() as connection:
        assert update_states(connection, installation, LATER) == 0
    assert audited(store) == before


def test_what_a_person_paused_stays_paused(
    store: Store, installation: Installation, mapping: ResourceMapping
) -> None:
    """Neither the loss of the resource nor its return undoes a person's decision."""
    Mappings(store).pause(workspace="w1", mapping_id=mapping.id, actor="member:mona", reason="too loud")
    happen(store, installation, Change.RESOURCES_REMOVED, 1, MENU)
    assert state_of(store, mapping) == (MappingState.PAUSED, "too loud")
    happen(store, installation, Change.RESOURCES_ADDED, 2, MENU)
    assert state_of(store, mapping) == (MappingState.PAUSED, "too loud")


def test_a_mapping_resumed_without_its_resource_is_orphaned(
    store: Store, installation: Installation, mapping: ResourceMapping
) -> None:
    """Resuming doesn't pretend that a resource is there which isn't."""
    Mappings(store).pause(workspace="w1", mapping_id=mapping.id, actor="member:mona")
    happen(store, installation, Change.RESOURCES_REMOVED, 1, MENU)
    resumed = Mappings(store).resume(workspace="w1", mapping_id=mapping.id, actor="member:mona")
    assert (resumed.state, resumed.state_reason) == (MappingState.ORPHANED, "the resource is withdrawn")


def test_a_mapping_stays_with_a_resource_that_is_rekeyed(
    store: Store, installation: Installation, mapping: ResourceMapping
) -> None:
    """The provider gave the resource another immutable id; what was mapped to it is still mapped."""
    with store.transaction() as connection:
        upsert_resources(
            connection,
            installation,
            listed=[Resource(kind="board", id="c1", key="kitchen/menu")],
            at=LATER,
        )
        lifecycle.apply(
            connection,
            installation=installation,
            lifecycle=Lifecycle(
                change=Change.RESOURCE_REKEYED,
                resources=(ResourceReference(kind="board", id="c1"),),
                former=("b1",),
            ),
            now=LATER,
        )
        update_states(connection, installation, LATER)
    kept = Mappings(store).get(workspace="w1", mapping_id=mapping.id)
    assert (kept.resource_external_id, kept.state) == ("c1", MappingState.ACTIVE)


def test_a_transfer_orphans_the_mapping_where_the_resource_left(
    store: Store, installation: Installation, mapping: ResourceMapping
) -> None:
    """Only the receiving account is told, and the mapping under the other one follows all the same."""
    receiver = add_installation(store, account_id="8")
    told = Lifecycle(
        change=Change.RESOURCE_TRANSFERRED, account=Account(id="8"), resources=(MENU,), occurred_at=LATER
    )
    with store.transaction() as connection:
        lifecycle.apply(connection, installation=receiver, lifecycle=told, now=LATER, follow=update_states)
    assert state_of(store, mapping) == (MappingState.ORPHANED, "the resource is transferred")


def test_a_mapping_of_the_new_id_is_kept_when_the_ids_turn_out_to_be_one_resource(
    store: Store, installation: Installation, mapping: ResourceMapping
) -> None:
    """Whoever mapped what a listing showed under the new id keeps that mapping beside the old one."""
    add_resources(store, installation, Resource(kind="board", id="c1", key="kitchen/menu"), at=LATER)
    second = Mappings(store).create(
        workspace="w1",
        installation_id=installation.id,
        resource=ResourceReference(kind="board", id="c1"),
        target=Target(kind="project", id="gemini"),
        actor="member:mona",
    )
    told = Lifecycle(
        change=Change.RESOURCE_REKEYED,
        resources=(ResourceReference(kind="board", id="c1"),),
        former=("b1",),
        occurred_at=LATER,
    )
    with store.transaction() as connection:
        lifecycle.apply(connection, installation=installation, lifecycle=told, now=LATER, follow=update_states)
        update_states(connection, installation, LATER)
    kept = [Mappings(store).get(workspace="w1", mapping_id=each.id) for each in (mapping, second)]
    assert [(each.resource_external_id, each.state) for each in kept] == [("c1", MappingState.ACTIVE)] * 2


def test_a_listing_that_still_shows_a_former_id_does_not_bring_it_back(
    store: Store, installation: Installation, mapping: ResourceMapping
) -> None:
    """A page that was cached on the provider's side makes no second resource of one that got a new id."""
    told = Lifecycle(
        change=Change.RESOURCE_REKEYED,
        resources=(ResourceReference(kind="board", id="c1"),),
        former=("b1",),
        occurred_at=LATER,
    )
    with store.transaction() as connection:
        lifecycle.apply(connection, installation=installation, lifecycle=told, now=LATER, follow=update_states)
    cached = Resource(kind="board", id="b1", key="kitchen/menu")
    add_resources(store, installation, cached, at=LATER + timedelta(days=1))
    assert resource_of(store, installation, "b1").status is ResourceStatus.REKEYED
    assert state_of(store, mapping) == (MappingState.ACTIVE, "")
