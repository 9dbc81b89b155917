"""Installations and resources as they are stored: whole, inside one workspace, found by immutable ids."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest
from attrs import evolve
from sqlalchemy import Connection
from sqlalchemy.exc import IntegrityError

from speckitty_connectors import NotFoundError, Resource, ResourceReference
from speckitty_connectors.identifiers import InstallationKey
from speckitty_connectors.installations import repository
from speckitty_connectors.installations.statuses import InstallationStatus
from speckitty_connectors.installations.types import Installation
from speckitty_connectors.resources.repository import (
    Unseen,
    change_resource,
    former_keys,
    mark_unseen,
    note_references,
    orphan_resources,
    resolve_key,
    upsert_resources,
)
from speckitty_connectors.resources.types import Belief, ResourceStatus
from speckitty_connectors.store.engine import Store
from testbed.layers import MOMENT, add_installation, add_resources, installation_of, resource_of

LATER = MOMENT + timedelta(days=1)
MENU = Resource(kind="board", id="b1", key="kitchen/menu")


def found_live(store: Store, **wanted: str) -> list[str]:
    """Return the workspaces that a delivery concerns."""
    with store.reading() as connection:
        found = repository.find_live(connection, provider="fake", host="fake.example", **wanted)
    return [installation.workspace for installation in found]


def test_an_installation_is_read_back_whole(store: Store) -> None:
    """Every attribute survives the store, also after a change."""
    made = add_installation(
        store,
        provider_installation_id="42",
        scopes=("boards:read",),
        defaults={"digest": None},
        credential_id="c1",
        connected_by="mona",
        requester_id="9",
    )
    assert installation_of(store, made) == made
    changed = evolve(made, account_name="renamed", inventory_synced_at=LATER, updated_at=LATER)
    with store.transaction() as connection:
        repository.save(connection, changed)
    assert installation_of(store, made) == changed


def test_a_workspace_has_one_installation_of_an_account(store: Store) -> None:
    """SQL refuses a second one, but not another workspace's, another host's, or two that wait for an account."""
    add_installation(store)
    with pytest.raises(IntegrityError):
        add_installation(store)
    add_installation(store, workspace="w2")
    add_installation(store, host="fake.internal")
    for _ in range(2):
        add_installation(store, account_id="", status=InstallationStatus.PENDING_APPROVAL)


def test_the_providers_installation_id_decides_before_the_account(store: Store) -> None:
    """A delivery of another installation of the same account doesn't reach a workspace that never proved it."""
    add_installation(store, workspace="w1", provider_installation_id="41")
    add_installation(store, workspace="w2", provider_installation_id="42")
    add_installation(store, workspace="w3")
    assert found_live(store, provider_installation_id="42", account_id="7") == ["w2", "w3"]


def test_an_account_shared_by_workspaces_is_found_for_each(store: Store) -> None:
    """One webhook for every customer fans out to all that connected its account."""
    add_installation(store, workspace="w1")
    add_installation(store, workspace="w2", status=InstallationStatus.SUSPENDED)
    add_installation(store, workspace="w3", account_id="8")
    assert found_live(store, account_id="7") == ["w1", "w2"]


@pytest.mark.parametrize("status", [InstallationStatus.REMOVED, InstallationStatus.PENDING_APPROVAL])
def test_what_was_removed_or_waits_is_not_live(store: Store, status: InstallationStatus) -> None:
    """No delivery concerns it."""
    add_installation(store, status=status)
    assert found_live(store, account_id="7") == []


def test_a_delivery_that_names_neither_concerns_nobody(store: Store) -> None:
    """An empty account never matches an installation that waits for one, or any other."""
    add_installation(store, account_id="")
    add_installation(store)
    assert found_live(store) == []
    assert found_live(store, provider_installation_id="") == []


def test_another_host_or_provider_is_another_account(store: Store) -> None:
    """Ids mean nothing outside the host that gave them."""
    add_installation(store, host="fake.internal")
    add_installation(store, provider="other")
    assert found_live(store, account_id="7") == []


def test_an_installation_that_is_gone_keeps_its_status(store: Store) -> None:
    """A failing call that is reported late doesn't make a removed installation look alive."""
    made = add_installation(store, status=InstallationStatus.REMOVED, status_reason="uninstalled")
    with store.transaction() as connection:
        after = repository.set_status(
            connection,
            made,
            InstallationStatus.NEEDS_REAUTHORISATION,
            reason="refused",
            at=LATER,
        )
    assert after == made


READS: list[Callable[[Connection, str, Installation], object]] = [
    lambda connection, workspace, made: repository.get(
        connection, InstallationKey(workspace=workspace, id=made.id)
    ),
    lambda connection, workspace, made: repository.set_status(
        connection, InstallationKey(workspace=workspace, id=made.id), InstallationStatus.REMOVED, at=LATER
    ),
    lambda connection, workspace, made: resolve_key(
        connection,
        InstallationKey(workspace=workspace, id=made.id),
        ResourceReference(kind="", id="", key="kitchen/menu"),
    ),
]


@pytest.mark.parametrize("read", READS)
def test_a_foreign_installation_is_as_good_as_missing(
    store: Store, read: Callable[[Connection, str, Installation], object]
) -> None:
    """Another workspace's id gives word for word the answer that an unknown one gives."""
    made = add_installation(store)
    add_resources(store, made, MENU)
    texts = []
    for workspace, wanted in (("w2", made), ("w1", evolve(made, id="missing"))):
        with pytest.raises(NotFoundError) as caught, store.transaction() as connection:
            read(connection, workspace, wanted)
        texts.append(str(caught.value).replace(wanted.id, "…"))
    assert texts[0] == texts[1]
    assert installation_of(store, made) == made


WRITES: list[Callable[[Connection, Installation], object]] = [
    lambda connection, made: change_resource(
        connection,
        InstallationKey(workspace="w2", id=made.id),
        ResourceReference(kind="board", id="b1"),
        at=LATER,
        told={"archived": True},
    ),
    lambda connection, made: orphan_resources(
        connection,
        InstallationKey(workspace="w2", id=made.id),
    ),
    lambda connection, made: (
        mark_unseen(
            connection, InstallationKey(workspace="w2", id=made.id), since=LATER, belief=Belief(), is_confirmed=True
        ).missing
    ),
]


@pytest.mark.parametrize("write", WRITES)
def test_a_foreign_workspace_changes_no_resource(
    store: Store, write: Callable[[Connection, Installation], object]
) -> None:
    """Naming another workspace's installation touches none of its resources."""
    made = add_installation(store)
    add_resources(store, made, MENU)
    before = resource_of(store, made, "b1")
    with store.transaction() as connection:
        assert not write(connection, made)
    assert resource_of(store, made, "b1") == before


def test_a_resource_cannot_be_written_under_a_foreign_installation(store: Store) -> None:
    """The composite key refuses a resource whose workspace isn't its installation's."""
    made = add_installation(store)
    with pytest.raises(IntegrityError), store.transaction() as connection:
        upsert_resources(connection, InstallationKey(workspace="w2", id=made.id), listed=[MENU], at=MOMENT)


def test_a_listing_updates_what_a_mention_began(store: Store) -> None:
    """A delivery's mention knows a label only; the listing adds the rest, under the same id."""
    made = add_installation(store)
    with store.transaction() as connection:
        note_references(
            connection,
            made,
            references=[ResourceReference(kind="board", id="b1", key="kitchen/menu")],
            at=MOMENT,
        )
    mentioned = resource_of(store, made, "b1")
    listed = evolve(MENU, url="https://fake.example/b1", private=True, attributes={"default_branch": "main"})
    add_resources(store, made, listed, at=LATER)
    after = resource_of(store, made, "b1")
    assert (after.id, after.first_seen, after.last_seen) == (mentioned.id, MOMENT, LATER)
    assert after.as_listed() == listed


def test_a_mention_without_a_label_keeps_what_is_known(store: Store) -> None:
    """A bare id in a delivery wipes neither the key nor what a listing found."""
    made = add_installation(store)
    listed = evolve(MENU, url="https://fake.example/b1", private=True)
    add_resources(store, made, listed)
    with store.transaction() as connection:
        note_references(
            connection,
            made,
            references=[ResourceReference(kind="board", id="b1")],
            at=LATER,
        )
    assert resource_of(store, made, "b1").as_listed() == listed


def test_former_keys_are_a_history(store: Store) -> None:
    """Every key a resource had is kept, the newest first, and a late rename only adds to it."""
    made = add_installation(store)
    add_resources(store, made, MENU)
    with store.transaction() as connection:
        for key, at in (("kitchen/carte", LATER), ("kitchen/board", MOMENT - timedelta(days=1))):
            change_resource(connection, made, ResourceReference(kind="board", id="b1", key=key), at=at)
    known = resource_of(store, made, "b1")
    with store.reading() as connection:
        history = former_keys(connection, workspace="w1", resource_id=known.id)
    assert known.key == "kitchen/carte"
    assert history == ["kitchen/carte", "kitchen/menu", "kitchen/board"]


def test_ids_are_compared_byte_for_byte(store: Store) -> None:
    """Two ids that differ in case are two resources."""
    made = add_installation(store)
    add_resources(store, made, MENU, evolve(MENU, id="B1", key="other"))
    assert resource_of(store, made, "b1").id != resource_of(store, made, "B1").id


def test_what_a_listing_does_not_show_is_missing_and_nothing_else_is(store: Store) -> None:
    """Only what was active and wasn't seen since the listing began counts as missing."""
    made = add_installation(store)
    add_resources(store, made, MENU, evolve(MENU, id="b2"), evolve(MENU, id="b3"))
    with store.transaction() as connection:
        change_resource(
            connection,
            made,
            ResourceReference(kind="board", id="b3"),
            at=MOMENT,
            told={"status": ResourceStatus.DELETED},
        )
    add_resources(store, made, MENU, at=LATER)
    with store.transaction() as connection:
        unseen = mark_unseen(connection, made, since=LATER, belief=Belief(), is_confirmed=True)
    assert unseen == Unseen(missing=1)
    assert [resource_of(store, made, name).status for name in ("b1", "b2", "b3")] == [
        ResourceStatus.ACTIVE,
        ResourceStatus.MISSING,
        ResourceStatus.DELETED,
    ]
