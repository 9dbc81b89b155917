"""Listing what an installation can see: page by page, resumable, and never taking a gap for an absence."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from attrs import evolve

from speckitty_connectors import (
    Account,
    ApiUnauthorizedError,
    ApiUnavailableError,
    ConflictError,
    NotFoundError,
    Resource,
    ResourceReference,
    Target,
)
from speckitty_connectors.installations import inventory
from speckitty_connectors.installations.inventory import SyncInterruptedError
from speckitty_connectors.installations.statuses import InstallationStatus, StatusReason
from speckitty_connectors.installations.steps import Done
from speckitty_connectors.installations.types import Installation
from speckitty_connectors.mappings.lifecycle import follow
from speckitty_connectors.mappings.service import Mappings
from speckitty_connectors.mappings.types import MappingState
from speckitty_connectors.plugin import AccountGoneError, Listing, ResourcePage, hookimpl
from speckitty_connectors.resources.repository import former_keys, list_resources
from speckitty_connectors.resources.types import ResourceStatus
from testbed.desk import Desk, Script, open_desk
from testbed.layers import audited, installation_of, resource_of

BOARDS = tuple(Resource(kind="board", id=f"b{number}", key=f"kitchen/{number}") for number in range(5))


class Shelf(Script):
    """The fake provider with a listing of three pages, of which one may fail."""

    def __init__(self) -> None:
        super().__init__()
        self.pages = [BOARDS[0:2], (), BOARDS[2:5]]
        self.failing: dict[int, Exception] = {}
        self.last_cursor = ""
        self.account: Account | None = None
        self.listings: list[Listing] = []

    @hookimpl
    def list_resources(self, listing: Listing) -> Iterator[ResourcePage]:
        self.listings.append(listing)
        for number in range(int(listing.cursor or 0), len(self.pages)):
            if number in self.failing:
                raise self.failing[number]
            last = number + 1 == len(self.pages)
            cursor = self.last_cursor if last else str(number + 1)
            yield ResourcePage(resources=self.pages[number], cursor=cursor, account=self.account)


@pytest.fixture
def shelf() -> Shelf:
    """The provider under test."""
    return Shelf()


@pytest.fixture
def desk(database_url: str, shelf: Shelf) -> Iterator[Desk]:
    """A desk for that provider; mappings follow."""
    with open_desk(database_url, plugin=shelf, follow=follow) as opened:
        yield opened


@pytest.fixture
def installation(desk: Desk) -> Installation:
    """A connected account."""
    step = desk.connect({"installation": "42"})
    assert isinstance(step, Done)
    return step.installations[0]


def sync(desk: Desk, installation: Installation, *, resume: bool = False) -> inventory.SyncResult:
    """List, a moment after whatever was before."""
    desk.clock.advance(60)
    return desk.inventory.sync(installation.workspace, installation.id, resume=resume)


def statuses(desk: Desk, installation: Installation) -> dict[str, ResourceStatus]:
    """Return what the inventory knows."""
    with desk.store.reading() as connection:
        known = list_resources(connection, installation)
    return {resource.external_id: resource.status for resource in known}


def test_every_page_is_kept_also_after_an_empty_one(desk: Desk, shelf: Shelf, installation: Installation) -> None:
    """A complete listing knows all of it, and the installation when that was."""
    result = sync(desk, installation)
    assert (result.listed, result.missing, result.complete, result.cursor) == (5, 0, True, "")
    assert statuses(desk, installation) == dict.fromkeys(["b0", "b1", "b2", "b3", "b4"], ResourceStatus.ACTIVE)
    assert installation_of(desk.store, installation).inventory_synced_at == desk.clock()
    (listing,) = shelf.listings
    assert (listing.installation, listing.account.id, listing.app.host) == ("42", "7", desk.place["host"])
    assert listing.scopes == installation.scopes == ("boards:read",)


def test_what_a_complete_listing_does_not_show_is_missing(
    desk: Desk, shelf: Shelf, installation: Installation
) -> None:
    """It is marked, not deleted; its mapping is orphaned; and it is back when a listing shows it again."""
    sync(desk, installation)
    mappings = Mappings(desk.store)
    mapping = mappings.create(
        workspace="w1",
        installation_id=installation.id,
        resource=ResourceReference(kind="board", id="b4"),
        target=Target(kind="project", id="apollo"),
        actor="member:mona",
    )
    shelf.pages = [BOARDS[0:4]]
    assert sync(desk, installation).missing == 1
    assert statuses(desk, installation)["b4"] is ResourceStatus.MISSING
    assert mappings.get(workspace="w1", mapping_id=mapping.id).state is MappingState.ORPHANED
    assert "installation.resources_missing" in audited(desk.store)
    shelf.pages = [BOARDS]
    assert sync(desk, installation).missing == 0
    assert mappings.get(workspace="w1", mapping_id=mapping.id).state is MappingState.ACTIVE


def test_a_failing_page_keeps_what_came_before_and_resumes_there(
    desk: Desk, shelf: Shelf, installation: Installation
) -> None:
    """Nothing is taken for missing, the error carries the cursor, and the rest is listed from there."""
    sync(desk, installation)
    shelf.pages = [BOARDS[0:1], BOARDS[1:2], BOARDS[2:3]]
    shelf.failing = {2: ApiUnavailableError("no answer", status=502)}
    with pytest.raises(SyncInterruptedError) as caught:
        sync(desk, installation)
    assert (caught.value.cursor, caught.value.listed) == ("2", 2)
    assert ResourceStatus.MISSING not in statuses(desk, installation).values()
    shelf.failing = {}
    resumed = sync(desk, installation, resume=True)
    assert (resumed.listed, resumed.complete, resumed.missing) == (1, False, 0)
    assert ResourceStatus.MISSING not in statuses(desk, installation).values()
    assert installation_of(desk.store, installation).status is InstallationStatus.ACTIVE


def test_a_listing_goes_on_after_the_process_that_began_it_is_gone(
    desk: Desk, shelf: Shelf, installation: Installation
) -> None:
    """Where it goes on is kept with each page; once the end was reached, resuming begins anew."""
    shelf.pages = [BOARDS[0:1], BOARDS[1:2], BOARDS[2:3]]
    shelf.failing = {1: MemoryError("the process died")}
    with pytest.raises(MemoryError):
        sync(desk, installation)
    shelf.failing = {}
    rest = sync(desk, installation, resume=True)
    assert (rest.listed, rest.pages, rest.complete) == (2, 2, False)
    whole = sync(desk, installation, resume=True)
    assert (whole.listed, whole.complete) == (3, True)


def test_each_page_is_reported(desk: Desk, installation: Installation) -> None:
    """A progress bar sees how much is kept, page by page."""
    seen: list[tuple[str, int, int]] = []
    desk.inventory.sync(
        "w1",
        installation.id,
        report=lambda now: seen.append((now.installation.id, now.pages, now.listed)),
    )
    assert seen == [(installation.id, 1, 2), (installation.id, 2, 2), (installation.id, 3, 5)]


def test_a_truncated_listing_takes_nothing_for_missing(
    desk: Desk, shelf: Shelf, installation: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither where the plugin stops early, nor where there is more than we follow, nor where nothing comes."""
    sync(desk, installation)
    shelf.pages, shelf.last_cursor = [BOARDS[0:1]], "more"
    stopped = sync(desk, installation)
    assert (stopped.complete, stopped.cursor) == (False, "more")
    monkeypatch.setattr(inventory, "MOST_PAGES", 1)
    shelf.pages, shelf.last_cursor = [BOARDS[0:1], BOARDS[1:5]], ""
    cut = sync(desk, installation)
    assert (cut.complete, cut.cursor) == (False, "1")
    shelf.pages = []
    assert not sync(desk, installation).complete
    assert ResourceStatus.MISSING not in statuses(desk, installation).values()


def test_a_refused_credential_shows_in_the_status(desk: Desk, shelf: Shelf, installation: Installation) -> None:
    """The installation says what it needs, and the next sync doesn't ask the provider again."""
    shelf.failing = {0: ApiUnauthorizedError("refused", status=401)}
    with pytest.raises(SyncInterruptedError):
        sync(desk, installation)
    assert installation_of(desk.store, installation).status is InstallationStatus.NEEDS_REAUTHORISATION
    with pytest.raises(ConflictError):
        sync(desk, installation)
    assert len(shelf.listings) == 1


def test_a_renamed_resource_keeps_our_id(desk: Desk, shelf: Shelf, installation: Installation) -> None:
    """The listing changes the label of what has the same immutable id."""
    sync(desk, installation)
    before = resource_of(desk.store, installation, "b0")
    shelf.pages = [(evolve(BOARDS[0], key="kitchen/renamed"), *BOARDS[1:5])]
    sync(desk, installation)
    after = resource_of(desk.store, installation, "b0")
    assert (after.id, after.key) == (before.id, "kitchen/renamed")
    assert desk.inventory.former_keys("w1", after.id) == ["kitchen/renamed", "kitchen/0"]
    with pytest.raises(NotFoundError):
        desk.inventory.former_keys("w2", after.id)


def test_another_workspaces_installation_cannot_be_listed(
    desk: Desk, shelf: Shelf, installation: Installation
) -> None:
    """A foreign id is as good as a missing one, and the provider isn't asked."""
    with pytest.raises(NotFoundError):
        desk.inventory.sync("w2", installation.id)
    assert shelf.listings == []


def test_a_listing_refreshes_the_labels_of_its_account(
    desk: Desk, shelf: Shelf, installation: Installation
) -> None:
    """Name and address are those that the listing gives today; those of another account change nothing."""
    for account in (Account(id="7", name="Seven Seas", url="https://seas.example"), Account(id="8", name="Eight")):
        shelf.account = account
        sync(desk, installation)
    after = installation_of(desk.store, installation)
    assert (after.account_name, after.account_url) == ("Seven Seas", "https://seas.example")


def test_former_keys_and_the_bin_are_remembered(desk: Desk, shelf: Shelf, installation: Installation) -> None:
    """What the provider says of a resource's past is in its history, and what lies in its bin may come back."""
    told = Resource(kind="board", id="b9", key="new", former_keys=("old", "older"), deleted=True)
    shelf.pages = [(told,)]
    for _ in range(2):
        sync(desk, installation)
    binned = resource_of(desk.store, installation, "b9")
    assert binned.status is ResourceStatus.DELETED
    with desk.store.reading() as connection:
        keys = former_keys(connection, workspace="w1", resource_id=binned.id)
    assert sorted(keys) == ["new", "old", "older"]
    shelf.pages = [(evolve(told, deleted=False),)]
    sync(desk, installation)
    assert resource_of(desk.store, installation, "b9").status is ResourceStatus.ACTIVE


def test_an_account_that_the_grant_reaches_no_more_is_uninstalled(
    desk: Desk, shelf: Shelf, installation: Installation
) -> None:
    """What no delivery told is found by listing: the app is gone there, and mappings wait for its return."""
    sync(desk, installation)
    mapping = Mappings(desk.store).create(
        workspace="w1",
        installation_id=installation.id,
        resource=ResourceReference(kind="board", id="b1"),
        target=Target(kind="project", id="apollo"),
        actor="member:mona",
    )
    shelf.failing[0] = AccountGoneError("the site isn't among those of the grant", status=200)
    with pytest.raises(SyncInterruptedError):
        sync(desk, installation)
    after = installation_of(desk.store, installation)
    assert (after.status, after.status_reason) == ("removed", StatusReason.UNINSTALLED)
    assert resource_of(desk.store, installation, "b1").status is ResourceStatus.ORPHANED
    (orphaned,) = Mappings(desk.store).list(workspace="w1")
    assert (orphaned.id, orphaned.state) == (mapping.id, MappingState.ORPHANED)
