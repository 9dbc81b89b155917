"""Mapping resources to targets: explicit, audited, and inside one workspace."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest
from sqlalchemy import insert
from sqlalchemy.exc import IntegrityError

from speckitty_connectors import (
    ConfigurationError,
    ConflictError,
    ConnectorsError,
    NotFoundError,
    Resource,
    ResourceReference,
    Target,
)
from speckitty_connectors.identifiers import InstallationKey
from speckitty_connectors.installations.types import Installation
from speckitty_connectors.mappings import repository
from speckitty_connectors.mappings.service import Mappings
from speckitty_connectors.mappings.tables import resource_mappings
from speckitty_connectors.mappings.types import Direction, MappingOrigin, MappingState, ResourceMapping, Selector
from speckitty_connectors.resources.repository import change_resource
from speckitty_connectors.store.engine import Store
from testbed.layers import MOMENT, add_installation, add_resources, audited, resource_of

APOLLO = Target(kind="project", id="apollo")
MENU = ResourceReference(kind="board", id="b1")


@pytest.fixture
def installation(store: Store) -> Installation:
    """An installation that sees two boards."""
    made = add_installation(store)
    add_resources(
        store,
        made,
        Resource(kind="board", id="b1", key="kitchen/menu"),
        Resource(kind="board", id="b2", key="kitchen/orders"),
    )
    return made


@pytest.fixture
def mappings(store: Store) -> Mappings:
    """The service under test."""
    return Mappings(store)


@pytest.fixture
def mapping(mappings: Mappings, installation: Installation) -> ResourceMapping:
    """One mapping of the menu to the project apollo."""
    return mappings.create(
        workspace="w1", installation_id=installation.id, resource=MENU, target=APOLLO, actor="member:mona"
    )


def test_what_was_created_is_read_back_whole(store: Store, mappings: Mappings, installation: Installation) -> None:
    """Every part of a mapping survives the store, with an author and an origin."""
    made = mappings.create(
        workspace="w1",
        installation_id=installation.id,
        resource=MENU,
        target=APOLLO,
        selector=Selector(kinds=("push",), branches=("main",), paths=("src",)),
        direction=Direction.IN,
        origin=MappingOrigin.MIGRATED,
        actor="operator",
    )
    assert mappings.get(workspace="w1", mapping_id=made.id) == made
    assert (made.resource_key, made.created_by, made.origin) == ("kitchen/menu", "operator", MappingOrigin.MIGRATED)
    assert audited(store) == ["mapping.created"]


def test_a_former_key_still_finds_the_resource(
    store: Store, mappings: Mappings, installation: Installation
) -> None:
    """A person, or an import, may use a key from before a rename; what is mapped is the resource itself."""
    with store.transaction() as connection:
        change_resource(
            connection,
            installation,
            ResourceReference(kind="board", id="b1", key="kitchen/carte"),
            at=MOMENT + timedelta(days=1),
        )
    made = mappings.create(
        workspace="w1",
        installation_id=installation.id,
        resource=ResourceReference(kind="board", id="", key="kitchen/menu"),
        target=APOLLO,
        actor="member:mona",
    )
    assert (made.resource_external_id, made.resource_key) == ("b1", "kitchen/carte")


def test_the_key_of_today_wins_over_a_former_one(
    store: Store, mappings: Mappings, installation: Installation
) -> None:
    """Where somebody else took over a key, it means what has it today."""
    with store.transaction() as connection:
        for external_id, key in (("b1", "kitchen/carte"), ("b2", "kitchen/menu")):
            change_resource(
                connection,
                installation,
                ResourceReference(kind="board", id=external_id, key=key),
                at=MOMENT + timedelta(days=1),
            )
    made = mappings.create(
        workspace="w1",
        installation_id=installation.id,
        resource=ResourceReference(kind="", id="", key="kitchen/menu"),
        target=APOLLO,
        actor="member:mona",
    )
    assert made.resource_external_id == "b2"


def test_an_ambiguous_key_is_refused(store: Store, mappings: Mappings, installation: Installation) -> None:
    """Two resources of one key make a person name the one they mean."""
    add_resources(store, installation, Resource(kind="space", id="s1", key="kitchen/menu"))
    with pytest.raises(ConflictError):
        mappings.create(
            workspace="w1",
            installation_id=installation.id,
            resource=ResourceReference(kind="", id="", key="kitchen/menu"),
            target=APOLLO,
            actor="member:mona",
        )


def test_the_same_target_twice_is_refused_and_another_is_not(
    mappings: Mappings, installation: Installation, mapping: ResourceMapping
) -> None:
    """A resource may fan out to several targets, and to each of them once."""
    again = {"workspace": "w1", "installation_id": installation.id, "resource": MENU, "actor": "member:mona"}
    with pytest.raises(ConflictError):
        mappings.create(target=APOLLO, **again)  # type: ignore[arg-type]  # what the test is about
    mappings.create(target=Target(kind="feed", id="apollo"), **again)  # type: ignore[arg-type]  # what the test is about
    assert len(mappings.list(workspace="w1")) == 2
    assert mappings.list(workspace="w1", target=APOLLO) == (mapping,)


@pytest.mark.parametrize("target", [Target(kind="planet", id="mars"), Target(kind="project", id="")])
def test_a_target_that_the_host_has_not_is_refused(
    store: Store, mappings: Mappings, installation: Installation, target: Target
) -> None:
    """Only the kinds that the host registered can be mapped to, and only with an id."""
    with pytest.raises(ConfigurationError):
        mappings.create(
            workspace="w1", installation_id=installation.id, resource=MENU, target=target, actor="member:mona"
        )
    assert not audited(store)


def test_a_host_may_bring_its_own_kinds_of_targets(store: Store, installation: Installation) -> None:
    """A kind given at the start is as good as the built-in ones."""
    made = Mappings(store, target_kinds=["planet"]).create(
        workspace="w1",
        installation_id=installation.id,
        resource=MENU,
        target=Target(kind="planet", id="mars"),
        actor="member:mona",
    )
    assert str(made.target) == "planet:mars"


def test_pause_and_resume_say_who_and_why(store: Store, mappings: Mappings, mapping: ResourceMapping) -> None:
    """A paused mapping doesn't route until it is resumed, and both are audited once."""
    for _ in range(2):
        paused = mappings.pause(workspace="w1", mapping_id=mapping.id, actor="member:mona", reason="too loud")
    assert (paused.state, paused.state_reason, paused.routes) == (MappingState.PAUSED, "too loud", False)
    for _ in range(2):
        resumed = mappings.resume(workspace="w1", mapping_id=mapping.id, actor="member:mona")
    assert (resumed.state, resumed.state_reason, resumed.routes) == (MappingState.ACTIVE, "", True)
    assert audited(store) == ["mapping.created", "mapping.paused", "mapping.resumed"]


def test_a_removed_mapping_is_gone_and_the_audit_remembers_it(
    store: Store, mappings: Mappings, mapping: ResourceMapping
) -> None:
    """Removal is final for routing but not for whoever asks later."""
    mappings.remove(workspace="w1", mapping_id=mapping.id, actor="member:mona")
    assert mappings.list(workspace="w1") == ()
    assert "mapping.removed" in audited(store)


def test_mappings_are_found_for_the_resources_of_an_event(
    store: Store, mappings: Mappings, installation: Installation, mapping: ResourceMapping
) -> None:
    """Kind and immutable id find them; a label, another kind or another installation doesn't."""

    def found(installation_id: str, *references: ResourceReference) -> list[ResourceMapping]:
        with store.reading() as connection:
            key = InstallationKey(workspace="w1", id=installation_id)
            return repository.find_for_resources(connection, key, [reference.place for reference in references])

    assert found(installation.id, ResourceReference(kind="board", id="b2"), MENU) == [mapping]
    assert found(installation.id, ResourceReference(kind="space", id="b1", key="kitchen/menu")) == []
    assert found(installation.id) == []
    assert found(add_installation(store, account_id="8").id, MENU) == []


FOREIGN: list[Callable[[Mappings, str], object]] = [
    lambda mappings, mapping_id: mappings.get(workspace="w2", mapping_id=mapping_id),
    lambda mappings, mapping_id: mappings.pause(workspace="w2", mapping_id=mapping_id, actor="member:eve"),
    lambda mappings, mapping_id: mappings.resume(workspace="w2", mapping_id=mapping_id, actor="member:eve"),
    lambda mappings, mapping_id: mappings.remove(workspace="w2", mapping_id=mapping_id, actor="member:eve"),
]


@pytest.mark.parametrize("attempt", FOREIGN)
def test_another_workspaces_mapping_is_as_good_as_missing(
    mappings: Mappings, mapping: ResourceMapping, attempt: Callable[[Mappings, str], object]
) -> None:
    """A foreign id gives word for word the answer that a missing one gives, and changes nothing."""
    texts = []
    for mapping_id in (mapping.id, "missing"):
        with pytest.raises(NotFoundError) as caught:
            attempt(mappings, mapping_id)
        texts.append(str(caught.value).replace(mapping_id, "…"))
    assert texts[0] == texts[1]
    assert mappings.list(workspace="w1") == (mapping,)


def test_another_workspaces_installation_cannot_be_mapped(mappings: Mappings, installation: Installation) -> None:
    """Neither its installation nor its resources can be named from outside."""
    with pytest.raises(NotFoundError):
        mappings.create(
            workspace="w2", installation_id=installation.id, resource=MENU, target=APOLLO, actor="member:eve"
        )
    assert mappings.list(workspace="w2") == ()


def test_sql_itself_refuses_a_resource_of_another_installation(
    store: Store, installation: Installation, mapping: ResourceMapping
) -> None:
    """A row that crosses workspaces, or installations of one workspace, can't be written at all."""
    other = add_installation(store, workspace="w2")
    sibling = add_installation(store, account_id="8")
    resource_id = resource_of(store, installation, "b1").id
    for workspace, installation_id in (("w2", other.id), ("w1", sibling.id), ("w2", installation.id)):
        values = {
            "workspace_id": workspace,
            "id": "crossing",
            "installation_id": installation_id,
            "resource_id": resource_id,
            "target_kind": "project",
            "target_id": "mine",
            "selector": {},
            "direction": "in",
            "origin": "manual",
            "state": "active",
            "state_reason": "",
            "created_by": "member:eve",
            "created_at": MOMENT,
            "updated_at": MOMENT,
        }
        with pytest.raises(IntegrityError), store.transaction() as connection:
            connection.execute(insert(resource_mappings).values(values))


def test_every_refusal_says_what_to_do_next(mappings: Mappings, installation: Installation) -> None:
    """An error about a resource nobody listed names it and the next step."""
    with pytest.raises(ConnectorsError) as caught:
        mappings.create(
            workspace="w1",
            installation_id=installation.id,
            resource=ResourceReference(kind="board", id="b9"),
            target=APOLLO,
            actor="member:mona",
        )
    assert (caught.value.code, caught.value.subject) == ("not_found", "resource board b9")
    assert "sync the inventory" in caught.value.remedy
