"""What the provider does to an installation, applied in any order and any number of times."""

from __future__ import annotations

import itertools
from datetime import datetime, timedelta

import pytest

from speckitty_connectors import Account, Change, ExternalIdentity, Lifecycle, Resource, ResourceReference
from speckitty_connectors.installations import lifecycle, repository
from speckitty_connectors.installations.statuses import InstallationStatus
from speckitty_connectors.installations.types import Installation
from speckitty_connectors.resources.types import ResourceStatus
from speckitty_connectors.store.engine import Store
from testbed.layers import MOMENT, add_installation, add_resources, audited, installation_of, resource_of

MENU = ResourceReference(kind="board", id="b1", key="kitchen/menu")
ORDERS = ResourceReference(kind="board", id="b2", key="kitchen/orders")


def day(number: float) -> datetime:
    """Return a moment that many days after everything was made."""
    return MOMENT + timedelta(days=number)


@pytest.fixture
def installation(store: Store) -> Installation:
    """An installation that sees two boards, listed to the end."""
    made = add_installation(store, inventory_synced_at=MOMENT)
    add_resources(
        store,
        made,
        Resource(kind="board", id="b1", key="kitchen/menu"),
        Resource(kind="board", id="b2", key="kitchen/orders"),
    )
    return made


def apply(
    store: Store, installation: Installation, *changes: Lifecycle, now: datetime | None = None
) -> Installation:
    """Apply changes in this order, each in a transaction of its own; return what the installation is then."""
    for change in changes:
        with store.transaction() as connection:
            lifecycle.apply(connection, installation=installation, lifecycle=change, now=now or day(30))
    return installation_of(store, installation)


@pytest.mark.parametrize(
    ("change", "status"),
    [
        (Change.SUSPENDED, InstallationStatus.SUSPENDED),
        (Change.UNINSTALLED, InstallationStatus.REMOVED),
        (Change.ACCOUNT_DELETED, InstallationStatus.ORPHANED),
        (Change.HOOK_REMOVED, InstallationStatus.DEGRADED),
        (Change.CREDENTIAL_REVOKED, InstallationStatus.NEEDS_REAUTHORISATION),
    ],
)
def test_each_change_of_status_says_why_and_is_audited_once(
    store: Store, installation: Installation, change: Change, status: InstallationStatus
) -> None:
    """Applying it again changes nothing and writes nothing."""
    once = apply(store, installation, Lifecycle(change=change, occurred_at=day(1)))
    assert once.status is status
    assert once.status_reason
    assert apply(store, installation, Lifecycle(change=change, occurred_at=day(1))) == once
    assert audited(store) == [f"installation.{change}"]


def test_the_latest_change_holds_in_whatever_order_they_arrive(store: Store) -> None:
    """Suspend, resume, suspend, resume: every order of arrival ends where the provider is."""
    changes = [
        Lifecycle(change=Change.SUSPENDED, occurred_at=day(1)),
        Lifecycle(change=Change.RESUMED, occurred_at=day(2)),
        Lifecycle(change=Change.SUSPENDED, occurred_at=day(3)),
    ]
    for number, order in enumerate(itertools.permutations(changes)):
        made = add_installation(store, account_id=str(number))
        assert apply(store, made, *order).status is InstallationStatus.SUSPENDED, order


def test_a_late_uninstall_does_not_undo_a_new_connection(store: Store) -> None:
    """An uninstall that occurred before the account was connected again came too late to matter."""
    made = add_installation(store, status_at=day(5))
    assert apply(store, made, Lifecycle(change=Change.UNINSTALLED, occurred_at=day(4))).is_live
    assert not apply(store, made, Lifecycle(change=Change.UNINSTALLED, occurred_at=day(6))).is_live


def test_nothing_of_the_provider_revives_what_is_gone(store: Store, installation: Installation) -> None:
    """After an uninstall only a new proof of control makes it active again."""
    gone = apply(store, installation, Lifecycle(change=Change.UNINSTALLED, occurred_at=day(1)))
    for change in (Change.RESUMED, Change.SUSPENDED, Change.HOOK_REMOVED, Change.ACCOUNT_DELETED):
        apply(store, installation, Lifecycle(change=change, occurred_at=day(2)))
    assert installation_of(store, installation).status is gone.status


def test_an_uninstall_orphans_the_resources(store: Store, installation: Installation) -> None:
    """They are kept for the day of a re-install; what was deleted before stays deleted."""
    apply(
        store,
        installation,
        Lifecycle(change=Change.RESOURCE_DELETED, resources=(ORDERS,), occurred_at=day(1)),
        Lifecycle(change=Change.UNINSTALLED, occurred_at=day(2)),
    )
    assert resource_of(store, installation, "b1").status is ResourceStatus.ORPHANED
    assert resource_of(store, installation, "b2").status is ResourceStatus.DELETED


def test_what_waits_for_approval_is_not_touched(store: Store) -> None:
    """A pending request has no life on the provider's side that could change."""
    made = add_installation(store, status=InstallationStatus.PENDING_APPROVAL)
    assert apply(store, made, Lifecycle(change=Change.UNINSTALLED)) == made


def test_a_moment_ahead_of_our_clock_is_taken_for_now(store: Store, installation: Installation) -> None:
    """A provider with a wrong clock can't lock out what happens next."""
    apply(store, installation, Lifecycle(change=Change.SUSPENDED, occurred_at=day(300)), now=day(1))
    resumed = apply(store, installation, Lifecycle(change=Change.RESUMED, occurred_at=day(2)), now=day(2))
    assert resumed.status is InstallationStatus.ACTIVE


def test_scopes_and_names_follow_the_provider(store: Store, installation: Installation) -> None:
    """A rename changes the label of this account only, and new scopes end the need for consent."""
    with store.transaction() as connection:
        repository.set_status(
            connection,
            installation,
            InstallationStatus.NEEDS_RECONSENT,
            reason="more is needed",
            at=day(1),
        )
    after = apply(
        store,
        installation,
        Lifecycle(change=Change.ACCOUNT_RENAMED, account=Account(id="7", name="seven"), occurred_at=day(2)),
        Lifecycle(change=Change.ACCOUNT_RENAMED, account=Account(id="8", name="eight"), occurred_at=day(3)),
        Lifecycle(change=Change.SCOPES_CHANGED, scopes=("boards:write",), occurred_at=day(4)),
    )
    assert (after.account_name, after.scopes) == ("seven", ("boards:write",))
    assert (after.status, after.status_reason) == (InstallationStatus.ACTIVE, "")


def test_a_change_that_names_not_everything_asks_for_a_listing(store: Store, installation: Installation) -> None:
    """The inventory says itself that it must be listed anew."""
    told = Lifecycle(change=Change.RESOURCES_REMOVED, resources=(), relist=True, occurred_at=day(1))
    assert installation.inventory_synced_at is not None
    assert apply(store, installation, told).inventory_synced_at is None


@pytest.mark.parametrize(
    ("change", "attribute", "value"),
    [
        (Change.RESOURCES_REMOVED, "status", ResourceStatus.WITHDRAWN),
        (Change.RESOURCE_DELETED, "status", ResourceStatus.DELETED),
        (Change.RESOURCE_ARCHIVED, "archived", True),
    ],
)
def test_a_change_of_a_resource_touches_that_one_only(
    store: Store, installation: Installation, change: Change, attribute: str, value: object
) -> None:
    """It is applied once, audited once, and a change that occurred before it undoes nothing."""
    told = Lifecycle(change=change, resources=(MENU,), occurred_at=day(2))
    apply(store, installation, told, told)
    apply(store, installation, Lifecycle(change=Change.RESOURCES_ADDED, resources=(MENU,), occurred_at=day(1)))
    assert getattr(resource_of(store, installation, "b1"), attribute) == value
    assert resource_of(store, installation, "b2").status is ResourceStatus.ACTIVE
    assert audited(store).count(f"installation.{change}") == 1


def test_resources_come_back_by_their_id(store: Store, installation: Installation) -> None:
    """What is added again is the same resource under our own id, with its key of today."""
    before = resource_of(store, installation, "b1")
    renamed = ResourceReference(kind="board", id="b1", key="kitchen/carte")
    apply(
        store,
        installation,
        Lifecycle(change=Change.RESOURCES_REMOVED, resources=(MENU,), occurred_at=day(1)),
        Lifecycle(change=Change.RESOURCES_ADDED, resources=(renamed,), occurred_at=day(2)),
    )
    after = resource_of(store, installation, "b1")
    assert (after.id, after.key, after.status) == (before.id, "kitchen/carte", ResourceStatus.ACTIVE)


def test_an_older_rename_does_not_undo_a_newer_one(store: Store, installation: Installation) -> None:
    """Of two renames the later one holds, whichever arrives last."""
    newer = ResourceReference(kind="board", id="b1", key="newer")
    older = ResourceReference(kind="board", id="b1", key="older")
    apply(
        store,
        installation,
        Lifecycle(change=Change.RESOURCE_RENAMED, resources=(newer,), occurred_at=day(2)),
        Lifecycle(change=Change.RESOURCE_RENAMED, resources=(older,), occurred_at=day(1)),
    )
    assert resource_of(store, installation, "b1").key == "newer"


def test_a_transfer_moves_a_resource_between_the_accounts_of_a_workspace(
    store: Store, installation: Installation
) -> None:
    """It arrives where it went to, and the account that it left has it no more."""
    receiver = add_installation(store, account_id="8")
    told = Lifecycle(
        change=Change.RESOURCE_TRANSFERRED, account=Account(id="8"), resources=(MENU,), occurred_at=day(1)
    )
    apply(store, receiver, told)
    assert resource_of(store, receiver, "b1").status is ResourceStatus.ACTIVE
    assert resource_of(store, installation, "b1").status is ResourceStatus.TRANSFERRED


def test_the_side_that_a_resource_leaves_may_be_told_too(store: Store, installation: Installation) -> None:
    """Where the receiving account is another one, the resource is gone from here."""
    told = Lifecycle(
        change=Change.RESOURCE_TRANSFERRED, account=Account(id="8"), resources=(MENU,), occurred_at=day(1)
    )
    apply(store, installation, told)
    assert resource_of(store, installation, "b1").status is ResourceStatus.TRANSFERRED


@pytest.mark.parametrize("listed_before", [False, True])
def test_a_new_immutable_id_keeps_our_own(store: Store, installation: Installation, listed_before: bool) -> None:
    """A provider may re-key a resource; ours stays, even where a listing saw the new id first."""
    before = resource_of(store, installation, "b1")
    if listed_before:
        add_resources(store, installation, Resource(kind="board", id="c1", key="kitchen/menu"), at=day(1))
    told = Lifecycle(
        change=Change.RESOURCE_REKEYED,
        resources=(ResourceReference(kind="board", id="c1"),),
        former=("b1",),
        occurred_at=day(2),
    )
    apply(store, installation, told, told)
    after = resource_of(store, installation, "c1")
    assert (after.id, after.status) == (before.id, ResourceStatus.ACTIVE)


def test_another_workspace_of_the_same_account_is_not_touched(store: Store, installation: Installation) -> None:
    """Each workspace's installation is told apart, and by its own delivery."""
    other = add_installation(store, workspace="w2")
    add_resources(store, other, Resource(kind="board", id="b1", key="kitchen/menu"))
    told = Lifecycle(
        change=Change.UNINSTALLED, actor=ExternalIdentity(id="99"), resources=(MENU,), occurred_at=day(1)
    )
    apply(store, installation, told)
    assert installation_of(store, other) == other
    assert resource_of(store, other, "b1").status is ResourceStatus.ACTIVE
    assert audited(store, "w2") == []


def test_lost_deliveries_ask_for_a_listing(store: Store, installation: Installation) -> None:
    """Nothing is known of what they told, so the inventory is stale and all else stays."""
    lost = apply(store, installation, Lifecycle(change=Change.DELIVERIES_LOST, relist=True))
    assert (lost.status, lost.inventory_synced_at) == (InstallationStatus.ACTIVE, None)


@pytest.mark.parametrize("order", [1, -1])
def test_a_revoked_credential_and_an_uninstall_may_come_in_any_order(
    store: Store, installation: Installation, order: int
) -> None:
    """The uninstall is the end of it either way, and a late revocation brings nothing back."""
    revoked = Lifecycle(change=Change.CREDENTIAL_REVOKED, occurred_at=day(1))
    uninstalled = Lifecycle(change=Change.UNINSTALLED, occurred_at=day(1))
    told = (revoked, uninstalled)[::order]
    assert apply(store, installation, *told).status is InstallationStatus.REMOVED
