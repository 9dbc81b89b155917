"""Each thing that can happen on Slack's side, and what the four layers look like before and after."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import timedelta
from typing import Any

import pytest

from speckitty_connectors import ResourceReference
from speckitty_connectors.conversations.refusals import OnboardingRefusedError
from speckitty_connectors.installations.inventory import SyncInterruptedError
from speckitty_connectors_slack.standin import documents
from testbed.layers import believe_at_once
from testbed.slack import WORKSPACE, Office, ago

FIRST = documents.channel_id(0)
BOT: dict[str, Any] = {"user": documents.BOT_ID, "channel": FIRST}
BEFORE: dict[str, object] = {
    "installation": "active",
    "account": documents.TEAM,
    "listed": True,
    "links": ["active"],
    "mappings": [(FIRST, "#apollo", "active")],
    "policy": {"muted_kinds": ["star"]},
}
"""All four layers of an office that is set up."""


@pytest.mark.parametrize(
    ("kind", "values", "after"),
    [
        ("app_uninstalled", {}, {"installation": "removed", "mappings": [(FIRST, "#apollo", "orphaned")]}),
        ("tokens_revoked", {"tokens": {"bot": [documents.BOT_ID]}}, {"installation": "needs_reauthorisation"}),
        ("tokens_revoked", {"tokens": {"oauth": [documents.USER_ID]}}, {"links": ["revoked"]}),
        (
            "tokens_revoked",
            {"tokens": {"oauth": [documents.USER_ID], "bot": [documents.BOT_ID]}},
            {"installation": "needs_reauthorisation", "links": ["revoked"]},
        ),
        ("tokens_revoked", {"tokens": {"oauth": ["USTRANGER"]}}, {}),
        ("user_change", {"user": {"id": documents.USER_ID, "deleted": True}}, {"links": ["revoked"]}),
        ("user_change", {"user": {"id": documents.USER_ID, "deleted": False}}, {}),
        ("team_rename", {"name": "Octo Labs"}, {"account": "Octo Labs"}),
        ("team_domain_change", {"url": "https://octo.slack.com", "domain": "octo"}, {}),
        (
            "channel_rename",
            {"channel": {"id": FIRST, "name": "apollo-11"}},
            {"mappings": [(FIRST, "#apollo-11", "active")]},
        ),
        (
            "group_rename",
            {"channel": {"id": FIRST, "name": "apollo-11"}},
            {"mappings": [(FIRST, "#apollo-11", "active")]},
        ),
        ("channel_archive", {"channel": FIRST}, {"mappings": [(FIRST, "#apollo", "degraded")]}),
        ("channel_unarchive", {"channel": FIRST}, {}),
        ("channel_deleted", {"channel": FIRST}, {"mappings": [(FIRST, "#apollo", "orphaned")]}),
        ("group_deleted", {"channel": FIRST}, {"mappings": [(FIRST, "#apollo", "orphaned")]}),
        ("channel_archive", {"channel": FIRST, "is_moved": 1}, {"mappings": [(FIRST, "#apollo", "orphaned")]}),
        ("channel_left", {"channel": FIRST}, {"mappings": [(FIRST, "#apollo", "orphaned")]}),
        ("group_left", {"channel": FIRST}, {"mappings": [(FIRST, "#apollo", "orphaned")]}),
        ("member_left_channel", BOT, {"mappings": [(FIRST, "#apollo", "orphaned")]}),
        ("member_joined_channel", BOT, {}),
        ("channel_shared", {"channel": FIRST, "connected_team_id": "E9"}, {"listed": False}),
        ("channel_unshared", {"channel": FIRST, "is_ext_shared": False}, {"listed": False}),
        (
            "channel_id_changed",
            {"old_channel_id": FIRST, "new_channel_id": "C9"},
            {"mappings": [("C9", "#apollo", "active")]},
        ),
        ("grid_migration_started", {"enterprise_id": "E9"}, {"installation": "suspended"}),
        ("team_access_granted", {"team_ids": ["T9"]}, {"listed": False}),
        ("team_access_revoked", {"team_ids": ["T9"]}, {"listed": False}),
    ],
)
def test_what_slack_tells_changes_its_own_layer_and_no_other(
    office: Office, kind: str, values: dict[str, Any], after: dict[str, object]
) -> None:
    """Everything that isn't named stays as it was, and telling it twice changes nothing more."""
    office.set_up()
    assert office.layers() == BEFORE
    for _ in range(2):
        office.tell(kind, **values)
        assert office.layers() == {**BEFORE, **after}


@pytest.mark.parametrize("family", ["channel", "group"])
def test_an_archived_channel_is_shown_as_such_until_it_is_back(office: Office, family: str) -> None:
    """Its mapping stays, since no event comes while it is archived."""
    installation = office.set_up()

    def archived() -> bool:
        found = office.connectors.inventory.resources(WORKSPACE, installation.id)
        return next(each.archived for each in found if each.external_id == FIRST)

    office.tell(f"{family}_archive", channel=FIRST)
    assert archived()
    office.tell(f"{family}_unarchive", channel=FIRST)
    assert not archived()
    assert office.layers() == BEFORE


def test_an_app_that_is_invited_again_adopts_its_mapping(office: Office) -> None:
    """Out of the channel nothing is routed, and in it again everything is, what came meanwhile too."""
    office.set_up()
    office.tell("member_left_channel", **BOT)
    office.write()
    assert office.dispatched == []
    office.tell("member_joined_channel", inviter=documents.USER_ID, **BOT)
    assert office.layers() == BEFORE
    office.write()
    assert [str(dispatch.target) for dispatch in office.dispatched] == ["project:apollo"] * 2


def test_events_follow_a_channel_to_its_new_id(office: Office) -> None:
    """What comes under the new id is routed over the mapping of the old one."""
    office.set_up()
    office.tell("channel_id_changed", old_channel_id=FIRST, new_channel_id="C9")
    office.tell("message", channel="C9", user=documents.USER_ID)
    assert len(office.dispatched) == 1


def test_a_workspace_that_moves_pauses_until_it_has_moved(office: Office) -> None:
    """Nothing is routed meanwhile, and afterwards it is listed again."""
    office.set_up()
    office.tell("grid_migration_started", enterprise_id="E9")
    office.write()
    assert office.dispatched == []
    office.tell("grid_migration_finished", enterprise_id="E9")
    assert office.layers() == {**BEFORE, "listed": False}
    office.write()
    assert len(office.dispatched) == 1


@pytest.mark.parametrize("order", [1, -1])
def test_uninstalled_and_revoked_come_in_any_order(office: Office, order: int) -> None:
    """Either way the installation is removed and the people's links have ended; the mapping waits."""
    office.set_up()
    tokens = {"oauth": [documents.USER_ID], "bot": [documents.BOT_ID]}
    told: list[tuple[str, dict[str, Any]]] = [("app_uninstalled", {}), ("tokens_revoked", {"tokens": tokens})]
    for kind, values in told[::order]:
        office.tell(kind, **values)
    assert office.layers() == {
        **BEFORE,
        "installation": "removed",
        "links": ["revoked"],
        "mappings": [(FIRST, "#apollo", "orphaned")],
    }


@pytest.mark.parametrize(
    ("kind", "values"),
    [
        ("tokens_revoked", {"tokens": {"bot": [documents.BOT_ID], "oauth": [documents.USER_ID]}}),
        ("app_uninstalled", {}),
    ],
)
def test_what_happened_before_a_new_connection_changes_nothing(
    office: Office, kind: str, values: dict[str, Any]
) -> None:
    """Connected again after an uninstall, mappings are adopted; a word from before that comes late is too late."""
    first = office.set_up()
    office.tell("app_uninstalled")
    again = office.connect()
    assert again.id == first.id
    assert office.layers() == {**BEFORE, "listed": False}
    office.tell(kind, at=ago(3600), **values)
    assert office.layers() == {**BEFORE, "listed": False}


def test_a_revoked_token_is_mended_by_connecting_the_same_account_again(office: Office) -> None:
    """The installation keeps its id and its mappings, and is active again."""
    installation = office.set_up()
    office.tell("tokens_revoked", tokens={"bot": [documents.BOT_ID]})
    assert office.reauthorise(installation).id == installation.id
    assert office.layers() == {**BEFORE, "listed": False}


def test_left_out_deliveries_ask_for_a_listing(office: Office) -> None:
    """The notice has no event in it and no event id."""
    office.set_up()
    notice = b'{"type": "app_rate_limited", "team_id": "%s", "minute_rate_limited": 4102444800, "api_app_id": "A1"}'
    assert office.post(notice % documents.TEAM_ID.encode()).status == 202
    office.work()
    assert office.layers() == {**BEFORE, "listed": False}


# --- signals that never arrive ---------------------------------------------------------------------------------


def test_a_silent_uninstall_is_found_by_listing(office: Office) -> None:
    """Slack says nothing more, so the refused token tells it; all mappings are kept."""
    installation = office.set_up()
    office.stand_in.uninstall()
    with pytest.raises(SyncInterruptedError):
        office.connectors.inventory.sync(WORKSPACE, installation.id)
    assert office.layers() == {**BEFORE, "installation": "degraded"}


@pytest.mark.parametrize(
    ("changes", "after"),
    [
        ({"is_member": False}, {"mappings": [(FIRST, "#apollo", "orphaned")]}),
        ({"name": "apollo-11"}, {"mappings": [(FIRST, "#apollo-11", "active")]}),
        ({"is_archived": True}, {"mappings": [(FIRST, "#apollo", "degraded")]}),
        ({"is_ext_shared": True}, {}),
    ],
)
def test_a_silent_change_of_a_channel_is_found_by_listing(
    office: Office, changes: dict[str, Any], after: dict[str, object]
) -> None:
    """An app that was removed, a new name, an archived or a shared channel: the next listing shows it."""
    installation = office.set_up()
    believe_at_once(office.connectors)
    office.stand_in.channels[documents.TEAM_ID][0].update(changes)
    office.connectors.inventory.sync(WORKSPACE, installation.id)
    assert office.layers() == {**BEFORE, **after}
    (found,) = (
        each
        for each in office.connectors.inventory.resources(WORKSPACE, installation.id)
        if each.external_id == FIRST
    )
    assert found.archived is changes.get("is_archived", False)
    assert found.attributes["is_ext_shared"] == ("true" if changes.get("is_ext_shared") else "false")


def test_a_silently_deleted_channel_is_found_by_listing(office: Office) -> None:
    """A complete listing without it orphans its mapping, and one that shows it again adopts it."""
    installation = office.set_up()
    believe_at_once(office.connectors)
    gone = office.stand_in.channels[documents.TEAM_ID].pop(0)
    office.connectors.inventory.sync(WORKSPACE, installation.id)
    assert office.layers() == {**BEFORE, "mappings": [(FIRST, "#apollo", "orphaned")]}
    office.stand_in.channels[documents.TEAM_ID].insert(0, gone)
    office.connectors.inventory.sync(WORKSPACE, installation.id)
    assert office.layers() == BEFORE


# --- rotated tokens --------------------------------------------------------------------------------------------


def test_a_rotated_token_is_renewed_before_its_end(office: Office) -> None:
    """Eleven hours later the listing goes on with a new token, and nobody has to connect anything again."""
    installation = office.set_up()
    office.clock.ahead = timedelta(hours=11)
    for _ in range(2):
        assert office.connectors.inventory.sync(WORKSPACE, installation.id).complete
    assert office.stand_in.renewals == 1
    assert office.layers() == BEFORE


def test_a_refused_renewal_degrades_until_the_account_is_connected_again(office: Office) -> None:
    """Slack's own word for it counts as a refusal, a single one isn't final, and a new connection mends it."""
    installation = office.set_up()
    office.stand_in.uninstall()
    office.clock.ahead = timedelta(hours=13)
    with pytest.raises(SyncInterruptedError):
        office.connectors.inventory.sync(WORKSPACE, installation.id)
    assert office.layers() == {**BEFORE, "installation": "degraded"}
    office.reauthorise(installation)
    assert office.layers() == {**BEFORE, "listed": False}


# --- organizations ---------------------------------------------------------------------------------------------

OpenOffice = Callable[..., AbstractContextManager[Office]]


def test_an_organization_gains_and_loses_workspaces(open_office: OpenOffice) -> None:
    """Connected without any team, it lists each workspace; what is taken from it is gone with the next listing."""
    with open_office(organization=True) as office:
        installation = office.set_up()
        before = {**BEFORE, "account": documents.ORGANIZATION, "links": []}
        assert office.layers() == before
        assert len(office.connectors.inventory.resources(WORKSPACE, installation.id)) == 50
        office.write()
        assert len(office.dispatched) == 1
        believe_at_once(office.connectors)
        taken = office.stand_in.channels.pop(documents.TEAM_ID)
        office.tell("team_access_revoked", team_ids=[documents.TEAM_ID])
        office.connectors.inventory.sync(WORKSPACE, installation.id)
        assert office.layers() == {**before, "mappings": [(FIRST, "#apollo", "orphaned")]}
        office.stand_in.channels[documents.TEAM_ID] = taken
        office.tell("team_access_granted", team_ids=[documents.TEAM_ID])
        office.connectors.inventory.sync(WORKSPACE, installation.id)
        assert office.layers() == before


def test_the_name_of_an_organization_is_not_its_workspaces(open_office: OpenOffice) -> None:
    """A renamed workspace renames nothing where the whole organization is connected."""
    with open_office(organization=True) as office:
        office.set_up()
        before = office.layers()
        office.tell("team_rename", name="Octo Labs")
        assert office.layers() == before


def test_a_member_whose_organization_is_unproven_is_refused(open_office: OpenOffice) -> None:
    """Slack's sign-in names a workspace alone, and nobody is guessed to belong to the organization."""
    with open_office(organization=True) as office:
        installation = office.connect()
        with pytest.raises(OnboardingRefusedError) as caught:
            office.link(installation)
    assert caught.value.refusal == "other_account"


def test_all_public_channels_can_be_listed_where_the_operator_wants_it(open_office: OpenOffice) -> None:
    """Then a channel without the app in it can be mapped before the app is invited."""
    with open_office(channels="all") as office:
        office.stand_in.channels[documents.TEAM_ID][0]["is_member"] = False
        installation = office.connect()
        assert office.connectors.inventory.sync(WORKSPACE, installation.id).listed == 25
        assert office.map_channel(installation).resource_key == "#apollo"


def test_the_expected_account_is_connected_again_and_no_other(office: Office) -> None:
    """Whoever picks another workspace on Slack's page is refused, and nothing changes."""
    installation = office.set_up()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(documents, "TEAM_ID", "T9")
        with pytest.raises(OnboardingRefusedError) as caught:
            office.reauthorise(installation)
    assert caught.value.refusal == "account_mismatch"
    assert office.layers() == BEFORE


def test_what_only_the_channels_label_says_maps_too(office: Office) -> None:
    """People know channels by name."""
    installation = office.set_up()
    mapping = office.connectors.mappings.create(
        workspace=WORKSPACE,
        installation_id=installation.id,
        resource=ResourceReference(kind="channel", id="", key="#builds"),
        target=office.map_channel(installation, 2).target,
        actor="member:mona",
    )
    assert mapping.resource_external_id == documents.channel_id(1)
