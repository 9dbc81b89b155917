"""What no webhook told of: found by comparing with the provider's side, explained, and mended."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import timedelta

import pytest
from attrs import evolve
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from speckitty_connectors import (
    ApiForbiddenError,
    ApiNotFoundError,
    ApiUnavailableError,
    Capability,
    ConflictError,
    Refused,
    Support,
)
from speckitty_connectors.contract.fake import MANIFEST
from speckitty_connectors.installations.drift import Difference, DifferenceKind
from speckitty_connectors.installations.statuses import Action
from speckitty_connectors.installations.steps import Done
from speckitty_connectors.installations.types import Installation
from speckitty_connectors.mappings.lifecycle import update_states
from speckitty_connectors.plugin import (
    AppTokenRules,
    Authorize,
    AwaitApproval,
    Conversation,
    InstallAnswer,
    InstallationListing,
    Listing,
    ResourcePage,
    hookimpl,
)
from testbed.desk import Desk, Script, open_desk
from testbed.hosts import Received, Reply
from testbed.layers import audited, installation_of

MINTING = evolve(
    MANIFEST,
    app_tokens=AppTokenRules(
        mint_url="{api}/installations/{installation}/tokens",
        required_scopes=("boards:read",),
        scope_levels=("read", "write"),
        installations=InstallationListing(url="{api}/installations", entries="installations"),
    ),
)


def entry(number: int, account: int, name: str = "Seven", **values: object) -> dict[str, object]:
    """Return an installation as the provider lists it."""
    permissions = {"boards": "read"}
    account_fields = {"id": account, "login": name, "type": "Space"}
    return {"id": number, "account": account_fields, "permissions": permissions, "suspended_at": None, **values}


class Listed:
    """The provider's own list of where the app is installed, one entry a page."""

    def __init__(self, *entries: dict[str, object]) -> None:
        self.entries = list(entries)
        self.breaks_at = -1

    def __call__(self, received: Received) -> Reply:
        page = int(received.path.partition("?page=")[2] or 0)
        if page == self.breaks_at:
            return Reply(status=404)
        here = self.entries[page : page + 1]
        more = page + 1 < len(self.entries)
        link = {"Link": f'</api/installations?page={page + 1}>; rel="next"'} if more else {}
        return Reply(
            body=json.dumps({"installations": here}).encode(),
            headers={"Content-Type": "application/json", **link},
        )


class Probed(Script):
    """A provider without such a list, which may have forgotten the installation."""

    failure: Exception | None = None

    @hookimpl
    def list_resources(self, listing: Listing) -> Iterator[ResourcePage]:
        if self.failure is not None:
            raise self.failure
        yield from super().list_resources(listing)


@pytest.fixture(scope="module")
def private_key() -> str:
    """The key of an app that speaks for itself."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    pem = serialization.PrivateFormat.TraditionalOpenSSL
    return key.private_bytes(serialization.Encoding.PEM, pem, serialization.NoEncryption()).decode()


@pytest.fixture
def desk(database_url: str, private_key: str) -> Iterator[Desk]:
    """A desk of a provider whose app lists where it is installed; mappings follow."""
    with open_desk(database_url, manifest=MINTING, private_key=private_key, follow=update_states) as opened:
        yield opened


def connect(desk: Desk, **details: object) -> Installation:
    """Connect an account; the app's own permissions are its scopes."""
    step = desk.connect({"installation": "42", "scope": "boards:read", **details})
    assert isinstance(step, Done)
    return step.installations[0]


def check(desk: Desk, *entries: dict[str, object]) -> list[Difference]:
    """Compare with the provider's list."""
    desk.server.on_get = Listed(*entries)
    return list(desk.upkeep.check("w1"))


def test_where_both_sides_agree_there_is_nothing_to_do(desk: Desk) -> None:
    """The installation is found on the second page, whatever else is installed elsewhere."""
    connect(desk)
    assert check(desk, entry(1, 99, "others"), entry(42, 7)) == []


@pytest.mark.parametrize(
    ("there", "kind", "status"),
    [
        ([], DifferenceKind.GONE_THERE, "removed"),
        ([entry(42, 7, suspended_at="2026-01-02T00:00:00Z")], DifferenceKind.SUSPENDED_THERE, "suspended"),
        ([entry(42, 7, "Renamed")], DifferenceKind.RENAMED_THERE, "active"),
        ([entry(42, 7, permissions={"boards": "write"})], DifferenceKind.SCOPES_CHANGED_THERE, "active"),
    ],
)
def test_each_difference_is_explained_and_mended(
    desk: Desk, there: list[dict[str, object]], kind: DifferenceKind, status: str
) -> None:
    """Checking changes nothing; the fix does, is audited, and leaves nothing to mend."""
    made = connect(desk)
    (difference,) = check(desk, *there)
    assert (difference.kind, installation_of(desk.store, made)) == (kind, made)
    assert difference.text
    desk.clock.advance(60)
    fixed = desk.upkeep.fix(difference, actor="operator")
    assert (fixed.status, installation_of(desk.store, made)) == (status, fixed)
    assert "installation.repaired" in audited(desk.store)
    assert check(desk, *there) == []


def test_an_end_of_a_suspension_that_nobody_told_of(desk: Desk) -> None:
    """It is active there, so it becomes active here."""
    made = connect(desk)
    suspended = entry(42, 7, suspended_at="2026-01-02T00:00:00Z")
    desk.clock.advance(60)
    desk.upkeep.fix(check(desk, suspended)[0], actor="operator")
    (difference,) = check(desk, entry(42, 7))
    assert difference.kind is DifferenceKind.RESUMED_THERE
    desk.clock.advance(60)
    assert desk.upkeep.fix(difference, actor="operator").status == "active"
    assert installation_of(desk.store, made).next_step.action is Action.NONE


def test_installed_there_but_not_shown_here(desk: Desk) -> None:
    """Only a person's own proof connects it; for the operator, those that nobody ever connected are listed."""
    made = connect(desk)
    desk.onboarding.remove(workspace="w1", installation_id=made.id, actor="member:mona")
    (difference,) = check(desk, entry(43, 7), entry(50, 9, "Nine"))
    assert difference.kind is DifferenceKind.CONNECTED_THERE
    with pytest.raises(ConflictError) as caught:
        desk.upkeep.fix(difference, actor="operator")
    assert "connect the account again" in caught.value.remedy
    unconnected = desk.upkeep.unconnected(**desk.place)
    assert [(each.id, each.account.name) for each in unconnected] == [("43", "Seven"), ("50", "Nine")]
    connect(desk)
    assert [each.id for each in desk.upkeep.unconnected(**desk.place)] == ["50"]


def test_a_reinstall_that_nobody_told_of_is_the_same_account(desk: Desk) -> None:
    """Another id of the provider's for the same account isn't taken for gone."""
    connect(desk)
    assert check(desk, entry(43, 7)) == []


def test_a_list_that_breaks_off_takes_nothing_for_gone(desk: Desk) -> None:
    """A part is never taken for the whole."""
    made = connect(desk)
    listed = Listed(entry(1, 99), entry(42, 7))
    listed.breaks_at = 1
    desk.server.on_get = listed
    with pytest.raises(ApiNotFoundError):
        desk.upkeep.check("w1")
    assert installation_of(desk.store, made) == made


def test_entries_that_cannot_be_read_are_left_aside(desk: Desk) -> None:
    """A provider that lists something new breaks nothing."""
    connect(desk)
    assert check(desk, {"id": None}, {"account": "?"}, entry(42, 7, permissions=["boards:read"])) == []


@pytest.mark.parametrize(
    ("failure", "kinds"),
    [
        (None, []),
        (ApiNotFoundError("no such space", status=404), [DifferenceKind.GONE_THERE]),
        (ApiUnavailableError("no answer", status=502), [DifferenceKind.UNREACHABLE]),
    ],
)
def test_where_no_list_can_be_had_the_installation_itself_is_asked(
    database_url: str, failure: Exception | None, kinds: list[DifferenceKind]
) -> None:
    """What isn't there is told from what doesn't answer, and only the first can be mended from here."""
    plugin = Probed()
    with open_desk(database_url, plugin=plugin, follow=update_states) as desk:
        step = desk.connect()
        assert isinstance(step, Done)
        plugin.failure = failure
        found = desk.upkeep.check("w1", actor="member:mona")
        assert [each.kind for each in found] == kinds
        assert all((each.fix is None) == (each.kind is DifferenceKind.UNREACHABLE) for each in found)
        assert installation_of(desk.store, step.installations[0]) == step.installations[0]
        with pytest.raises(ConflictError):
            desk.upkeep.unconnected(**desk.place)


def test_a_round_of_upkeep_lists_what_is_stale_and_goes_on_after_a_failure(database_url: str) -> None:
    """One installation that fails holds up no other, and takes nothing for missing."""
    plugin = Probed()
    with open_desk(database_url, plugin=plugin, follow=update_states) as desk:
        for workspace in ("w1", "w2"):
            desk.connect(workspace=workspace)
        first = desk.upkeep.run()
        assert ([each.workspace for each in first.listed], first.failed) == (["w1", "w2"], ())
        assert desk.upkeep.run().listed == ()
        desk.clock.advance(2 * 24 * 3600)
        plugin.failure = KeyError("a mistake of the plugin's")
        second = desk.upkeep.run(older_than=timedelta(days=1))
        assert [each.workspace for each, _ in second.failed] == ["w1", "w2"]
        plugin.failure = None
        assert len(desk.upkeep.run().listed) == 2


def test_a_request_that_cannot_be_asked_about_holds_up_no_other(database_url: str) -> None:
    """Two wait; the plugin fails on the first, and the second is settled."""
    with open_desk(database_url, follow=update_states) as desk:
        declined = Refused(code="declined", reason="Declined.", remedy="Ask an owner.")
        answers: Iterator[Exception | Refused] = iter([KeyError("a mistake of the plugin's"), declined])

        def answer(conversation: Conversation) -> InstallAnswer:
            if conversation.pending is None:
                return AwaitApproval() if conversation.grant else Authorize()
            told = next(answers)
            if isinstance(told, Exception):
                raise told
            return told

        desk.plugin.accounts = answer
        for workspace in ("w1", "w2"):
            desk.connect(workspace=workspace)
        assert [each.workspace for each in desk.upkeep.run().settled] == ["w2"]


@pytest.fixture
def probed(database_url: str, private_key: str) -> Iterator[Desk]:
    """A desk of a provider whose app lists where it is installed, and whose own listing may fail."""
    plugin = Probed(MINTING)
    with open_desk(database_url, plugin=plugin, private_key=private_key, follow=update_states) as opened:
        yield opened


def repair(desk: Desk, failure: Exception | None, *entries: dict[str, object]) -> list[Installation]:
    """Run upkeep a day later, with what the app's list says, and how the listing of resources fails."""
    desk.server.on_get = Listed(*entries)
    assert isinstance(desk.plugin, Probed)
    desk.plugin.failure = failure
    desk.clock.advance(25 * 3600)
    return list(desk.upkeep.run().repaired)


def test_a_suspension_that_no_webhook_told_of_is_followed_and_so_is_its_end(probed: Desk) -> None:
    """Both webhooks were lost: the app's own list makes up for them, without a person."""
    made = connect(probed)
    suspended = entry(42, 7, suspended_at="2026-01-01T00:00:00Z")
    assert [each.status for each in repair(probed, ApiForbiddenError("no", status=403), suspended)] == ["suspended"]
    assert repair(probed, None, suspended) == []
    assert [each.status for each in repair(probed, None, entry(42, 7))] == ["active"]
    assert installation_of(probed.store, made).status == "active"


@pytest.mark.parametrize(
    ("failure", "status"),
    [
        (ApiNotFoundError("no such installation", status=404), "removed"),
        (ApiUnavailableError("no answer", status=502), "active"),
    ],
)
def test_what_is_gone_is_removed_where_both_say_so(probed: Desk, failure: Exception, status: str) -> None:
    """That the app's list lacks an installation is believed where its own request is answered with 404, too."""
    made = connect(probed)
    repair(probed, failure, entry(1, 99, "others"))
    assert installation_of(probed.store, made).status == status


def test_an_app_whose_list_cannot_be_had_changes_nothing(probed: Desk) -> None:
    """Where the app is refused, the operator is told, and every installation stays as it is."""
    made = connect(probed)
    probed.server.on_get = lambda _: Reply(status=401)
    assert isinstance(probed.plugin, Probed)
    probed.plugin.failure = ApiNotFoundError("no such installation", status=404)
    probed.clock.advance(25 * 3600)
    assert probed.upkeep.run().repaired == ()
    assert installation_of(probed.store, made).status == "active"


class Mute(Script):
    """A provider that has no way to list anything."""

    list_resources = None  # type: ignore[assignment]  # takes the hook away


def test_what_a_provider_does_not_list_is_not_stale(database_url: str) -> None:
    """A plugin that can't list is left in peace, by rounds of upkeep and by checks."""
    unsupported = {Capability.LIST_RESOURCES: Support.unsupported("it has no API for it")}
    plugin = Mute(evolve(MANIFEST, capabilities={**MANIFEST.capabilities, **unsupported}))
    with open_desk(database_url, plugin=plugin, follow=update_states) as desk:
        desk.connect()
        result = desk.upkeep.run()
        assert (result.listed, result.failed, desk.upkeep.check("w1")) == ((), (), ())


def test_a_round_of_upkeep_tells_how_far_it_is(database_url: str) -> None:
    """Each page that was kept is reported, for a progress bar."""
    with open_desk(database_url) as desk:
        desk.connect()
        seen: list[tuple[int, int]] = []
        desk.upkeep.run(report=lambda progress: seen.append((progress.pages, progress.listed)))
        assert seen == [(1, 3)]
