"""Listing what an installation can see: page by page, resumable, and never taking a gap for an absence."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from attrs import evolve

from speckitty_connectors import (
    Account,
    ApiError,
    ApiUnauthorizedError,
    ApiUnavailableError,
    ConflictError,
    NotFoundError,
    Resource,
    ResourceReference,
    Target,
)
from speckitty_connectors.installations import inventory, repository
from speckitty_connectors.installations.inventory import SyncInterruptedError
from speckitty_connectors.installations.statuses import InstallationStatus, StatusReason
from speckitty_connectors.installations.steps import Done
from speckitty_connectors.installations.types import Installation
from speckitty_connectors.mappings.lifecycle import update_states
from speckitty_connectors.mappings.service import Mappings
from speckitty_connectors.mappings.types import MappingState
from speckitty_connectors.plugin import AccountGoneError, AppRefusedError, Listing, ResourcePage, hookimpl
from speckitty_connectors.resources.repository import former_keys, list_resources
from speckitty_connectors.resources.types import ResourceStatus
from testbed.desk import Desk, Script, open_desk
from testbed.layers import audited, installation_of, resource_of

HOUR = 3600.0

MANY = tuple(Resource(kind="board", id=f"m{number}", key=f"many/{number}") for number in range(30))

BOARDS = tuple(Resource(kind="board", id=f"b{number}", key=f"kitchen/{number}") for number in range(5))


class Shelf(Script):
    """The fake provider with a listing of three pages, of which one may fail."""

    def __init__(self) -> None:
        super().__init__()
        self.pages = [BOARDS[0:2], (), BOARDS[2:5]]
        self.failing: dict[int, Exception] = {}
        self.last_cursor = ""
        self.total: int | None = None
        self.skipped: tuple[str, ...] = ()
        self.dead: Exception | None = None
        self.account: Account | None = None
        self.listings: list[Listing] = []

    @hookimpl
    def list_resources(self, listing: Listing) -> Iterator[ResourcePage]:
        self.listings.append(listing)
        if listing.cursor and self.dead is not None:
            raise self.dead
        for number in range(int(listing.cursor or 0), len(self.pages)):
            if number in self.failing:
                raise self.failing[number]
            last = number + 1 == len(self.pages)
            cursor = self.last_cursor if last else str(number + 1)
            yield ResourcePage(
                resources=self.pages[number],
                cursor=cursor,
                account=self.account,
                total=self.total,
                skipped=self.skipped,
            )


@pytest.fixture
def shelf() -> Shelf:
    """The provider under test."""
    return Shelf()


@pytest.fixture
def desk(database_url: str, shelf: Shelf) -> Iterator[Desk]:
    """A desk for that provider; mappings follow."""
    with open_desk(database_url, plugin=shelf, follow=update_states) as opened:
        yield opened


@pytest.fixture
def installation(desk: Desk) -> Installation:
    """A connected account."""
    step = desk.connect({"installation": "42"})
    assert isinstance(step, Done)
    return step.installations[0]


def sync(
    desk: Desk, installation: Installation, *, resume: bool = False, after: float = 60
) -> inventory.SyncResult:
    """List, a moment after whatever was before."""
    desk.clock.advance(after)
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


def test_what_two_complete_listings_an_hour_apart_do_not_show_is_missing(
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
    for after in (60, HOUR - 60):
        once = sync(desk, installation, after=after)
        assert (once.missing, once.doubted) == (0, 1)
        assert mappings.get(workspace="w1", mapping_id=mapping.id).state is MappingState.ACTIVE
    assert sync(desk, installation).missing == 1
    assert statuses(desk, installation)["b4"] is ResourceStatus.MISSING
    assert mappings.get(workspace="w1", mapping_id=mapping.id).state is MappingState.ORPHANED
    assert "installation.resources_missing" in audited(desk.store)
    shelf.pages = [BOARDS]
    assert sync(desk, installation).missing == 0
    assert mappings.get(workspace="w1", mapping_id=mapping.id).state is MappingState.ACTIVE


def test_what_is_seen_in_between_is_doubted_anew(desk: Desk, shelf: Shelf, installation: Installation) -> None:
    """A page that was cut once, and again an hour later, takes nothing for missing that was there in between."""
    sync(desk, installation)
    for pages, doubted in (([BOARDS[0:4]], 1), ([BOARDS], 0), ([BOARDS[0:4]], 1)):
        shelf.pages = pages
        found = sync(desk, installation, after=HOUR)
        assert (found.missing, found.doubted) == (0, doubted)


def test_too_many_at_once_are_held_back_until_a_person_confirms(
    desk: Desk, shelf: Shelf, installation: Installation, caplog: pytest.LogCaptureFixture
) -> None:
    """An empty answer, however often it comes, orphans nothing; the operator is told what to run."""
    shelf.pages = [MANY]
    sync(desk, installation)
    shelf.pages = [()]
    for _ in range(3):
        found = sync(desk, installation, after=HOUR)
        assert found.missing == 0
    assert found.held_back == 30
    assert "--confirm-missing" in caplog.text
    assert set(statuses(desk, installation).values()) == {ResourceStatus.ACTIVE}
    desk.clock.advance(60)
    confirmed = desk.inventory.sync("w1", installation.id, is_confirmed=True)
    assert (confirmed.missing, confirmed.held_back) == (30, 0)


def test_a_listing_that_gives_less_than_the_provider_counts_has_failed(
    desk: Desk, shelf: Shelf, installation: Installation
) -> None:
    """More was promised than given: the error says so, and nothing is doubted."""
    sync(desk, installation)
    shelf.pages, shelf.total = [BOARDS[0:2]], 5
    with pytest.raises(SyncInterruptedError, match="counts 5 resources, and gave 2"):
        sync(desk, installation)
    assert resource_of(desk.store, installation, "b4").missed_at is None


def test_a_part_that_refuses_is_noted_and_the_rest_is_listed(
    desk: Desk, shelf: Shelf, installation: Installation
) -> None:
    """One part of an account that can't be listed hides nothing else, and nothing in it is doubted."""
    sync(desk, installation)
    shelf.pages, shelf.skipped = [BOARDS[0:2]], ("team 9: it answered 403",)
    found = sync(desk, installation, after=HOUR)
    assert (found.listed, found.complete, found.skipped, found.doubted) == (2, False, shelf.skipped, 0)


@pytest.mark.parametrize("status", [400, 404, 410, 422])
def test_a_dead_cursor_begins_anew(desk: Desk, shelf: Shelf, installation: Installation, status: int) -> None:
    """Where the provider doesn't know a cursor any more, the listing begins at the beginning by itself."""
    shelf.failing = {1: ApiUnavailableError("down", status=503)}
    with pytest.raises(SyncInterruptedError):
        sync(desk, installation)
    shelf.failing, shelf.dead = {}, ApiError("no such cursor", status=status)
    found = sync(desk, installation, resume=True)
    assert (found.listed, found.complete) == (5, True)


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


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (ApiUnauthorizedError("refused", status=401), StatusReason.ACCESS_REFUSED),
        (AccountGoneError("the site isn't among those of the grant", status=200), StatusReason.ACCOUNT_UNREACHED),
    ],
)
def test_a_refused_listing_degrades_until_the_next_good_one(
    desk: Desk, shelf: Shelf, installation: Installation, error: ApiError, reason: StatusReason
) -> None:
    """What a provider refuses once, or many times, is tried again by upkeep, and heals without a person."""
    sync(desk, installation)
    shelf.failing = {0: error}
    for _ in range(3):
        desk.clock.advance(25 * HOUR)
        assert len(desk.upkeep.run().failed) == 1
        after = installation_of(desk.store, installation)
        assert (after.status, after.status_reason) == (InstallationStatus.DEGRADED, reason)
    assert after.credential_id == installation.credential_id
    shelf.failing = {}
    assert desk.upkeep.run().failed == ()
    assert installation_of(desk.store, installation).status is InstallationStatus.ACTIVE
    assert set(statuses(desk, installation).values()) == {ResourceStatus.ACTIVE}


def test_the_operators_mistake_changes_no_status(desk: Desk, shelf: Shelf, installation: Installation) -> None:
    """Where the provider refuses the app's own proof, no customer's connection is at fault."""
    shelf.failing = {0: AppRefusedError("the provider refused the app's own proof", status=401)}
    with pytest.raises(SyncInterruptedError):
        sync(desk, installation)
    assert installation_of(desk.store, installation).status is InstallationStatus.ACTIVE


def test_a_status_that_shows_nothing_is_not_listed(desk: Desk, shelf: Shelf, installation: Installation) -> None:
    """Where a person has to act first, the provider isn't asked."""
    with desk.store.transaction() as connection:
        known = repository.get(connection, installation)
        repository.save(connection, evolve(known, status=InstallationStatus.NEEDS_REAUTHORISATION))
    with pytest.raises(ConflictError):
        sync(desk, installation)
    assert shelf.listings == []


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
