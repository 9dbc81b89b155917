"""Changes of Slack's own state, each as the change that core knows."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from speckitty_connectors.plugin import (
    Account,
    Change,
    Event,
    ExternalIdentity,
    Ignored,
    Lifecycle,
    Outcome,
    ResourceReference,
)

AT = datetime(2026, 1, 2, tzinfo=UTC)
WORKSPACE = Account(id="T1", kind="workspace")
ORGANIZATION = Account(id="E1", kind="organization")
OF_ORGANIZATION = (
    {"team_id": None, "enterprise_id": "E1", "user_id": "UBOT", "is_bot": True, "is_enterprise_install": True},
)


def channel(channel_id: str = "C1", key: str = "") -> tuple[ResourceReference, ...]:
    return (ResourceReference(kind="channel", id=channel_id, key=key),)


def person(person_id: str) -> ExternalIdentity:
    return ExternalIdentity(id=person_id, kind="User")


@pytest.mark.parametrize("family", ["channel", "group"])
@pytest.mark.parametrize(
    ("kind", "values", "change", "key"),
    [
        ("rename", {"channel": {"id": "C1", "name": "plans"}}, Change.RESOURCE_RENAMED, "#plans"),
        ("archive", {"channel": "C1"}, Change.RESOURCE_ARCHIVED, ""),
        ("unarchive", {"channel": "C1"}, Change.RESOURCE_RESTORED, ""),
        ("deleted", {"channel": "C1"}, Change.RESOURCE_DELETED, ""),
        ("left", {"channel": "C1"}, Change.RESOURCES_REMOVED, ""),
    ],
)
def test_public_and_private_channels_change_alike(
    tell: Callable[..., Outcome], family: str, kind: str, values: dict[str, Any], change: Change, key: str
) -> None:
    """Both families of events say the same."""
    assert tell(f"{family}_{kind}", actor_id="U1", **values) == Lifecycle(
        change=change, account=WORKSPACE, resources=channel(key=key), actor=person("U1"), occurred_at=AT
    )


@pytest.mark.parametrize(
    ("kind", "values", "expected"),
    [
        ("app_uninstalled", {}, {"change": Change.UNINSTALLED}),
        ("channel_shared", {"channel": "C1"}, {"change": Change.VISIBILITY_CHANGED, "resources": channel()}),
        ("channel_unshared", {"channel": "C1"}, {"change": Change.VISIBILITY_CHANGED, "resources": channel()}),
        (
            "channel_id_changed",
            {"old_channel_id": "G1", "new_channel_id": "C1"},
            {"change": Change.RESOURCE_REKEYED, "resources": channel(), "former": ("G1",)},
        ),
        ("grid_migration_started", {"enterprise_id": "E1"}, {"change": Change.SUSPENDED}),
        ("grid_migration_finished", {"enterprise_id": "E1"}, {"change": Change.RESUMED, "relist": True}),
        (
            "team_rename",
            {"name": "Octo"},
            {"change": Change.ACCOUNT_RENAMED, "account": Account(id="T1", name="Octo", kind="workspace")},
        ),
        (
            "team_domain_change",
            {"url": "https://octo.slack.com", "domain": "octo"},
            {
                "change": Change.ACCOUNT_RENAMED,
                "account": Account(id="T1", kind="workspace", url="https://octo.slack.com"),
            },
        ),
        (
            "channel_archive",
            {"channel": "C1", "is_moved": 1},
            {"change": Change.RESOURCES_REMOVED, "resources": channel()},
        ),
        (
            "user_change",
            {"user": {"id": "U1", "deleted": True}},
            {"change": Change.LINK_REVOKED, "identities": (person("U1"),)},
        ),
    ],
)
def test_each_change_is_read(
    tell: Callable[..., Outcome], kind: str, values: dict[str, Any], expected: dict[str, Any]
) -> None:
    """Account and time come from the envelope, the rest from the event."""
    assert tell(kind, **values) == Lifecycle(**{"account": WORKSPACE, "occurred_at": AT, **expected})


@pytest.mark.parametrize(
    ("tokens", "change", "people"),
    [
        ({"oauth": ["U1", "U2"]}, Change.LINK_REVOKED, ("U1", "U2")),
        ({"bot": ["UBOT"]}, Change.CREDENTIAL_REVOKED, ()),
        ({"oauth": ["U1"], "bot": ["UBOT"]}, Change.CREDENTIAL_REVOKED, ("U1",)),
        ({"oauth": ["U1", 7, ""], "bot": "UBOT"}, Change.LINK_REVOKED, ("U1",)),
    ],
)
def test_revoked_tokens_are_the_bots_or_peoples(
    tell: Callable[..., Outcome], tokens: dict[str, Any], change: Change, people: tuple[str, ...]
) -> None:
    """The lists hold ids of people and bots; a bot's end the installation's credential, people's their links."""
    told = tell("tokens_revoked", tokens=tokens)
    assert told == Lifecycle(
        change=change, account=WORKSPACE, identities=tuple(map(person, people)), occurred_at=AT
    )


@pytest.mark.parametrize("kind", ["member_joined_channel", "member_left_channel"])
def test_only_our_own_bot_gains_or_loses_a_channel(tell: Callable[..., Outcome], kind: str) -> None:
    """Anybody else who comes or goes is an event."""
    expected = Change.RESOURCES_ADDED if kind == "member_joined_channel" else Change.RESOURCES_REMOVED
    ours = tell(kind, user="UBOT", channel="C1")
    assert isinstance(ours, Lifecycle)
    assert (ours.change, ours.resources) == (expected, channel())
    assert isinstance(tell(kind, user="U1", channel="C1"), Event)
    assert isinstance(tell(kind, user="UBOT", channel="C1", seen=[{"team_id": "T1", "user_id": "UBOT"}]), Event)


@pytest.mark.parametrize(
    ("kind", "change"),
    [("team_access_granted", Change.RESOURCES_ADDED), ("team_access_revoked", Change.RESOURCES_REMOVED)],
)
def test_workspaces_of_an_organization_come_and_go(tell: Callable[..., Outcome], kind: str, change: Change) -> None:
    """Which channels that means only a listing can tell."""
    assert tell(kind, seen=OF_ORGANIZATION, team_ids=["T1"]) == Lifecycle(
        change=change, account=ORGANIZATION, relist=True, occurred_at=AT
    )


def test_a_workspaces_name_is_not_its_organizations(tell: Callable[..., Outcome]) -> None:
    """Where the whole organization has the app, the new name of one of its workspaces renames nothing."""
    assert isinstance(tell("team_rename", seen=OF_ORGANIZATION, name="Octo"), Ignored)


def test_a_channel_that_moves_inside_an_organization_stays_in_sight(tell: Callable[..., Outcome]) -> None:
    """It isn't archived; a listing tells in which workspace it is now."""
    told = tell("channel_archive", seen=OF_ORGANIZATION, channel="C1", is_moved=1)
    assert isinstance(told, Lifecycle)
    assert (told.change, told.relist) == (Change.VISIBILITY_CHANGED, True)


def test_left_out_deliveries_ask_for_a_listing(route: Callable[..., Outcome]) -> None:
    """The notice is no event: its type stands at the top, with the minute in which it began."""
    notice = {"type": "app_rate_limited", "team_id": "T1", "minute_rate_limited": 1_767_312_000, "api_app_id": "A1"}
    assert route(notice) == Lifecycle(change=Change.DELIVERIES_LOST, account=WORKSPACE, relist=True, occurred_at=AT)
    assert isinstance(route({**notice, "team_id": None}), Ignored)


@pytest.mark.parametrize(
    ("kind", "values"),
    [
        ("channel_rename", {"channel": None}),
        ("channel_archive", {"channel": 7}),
        ("channel_id_changed", {"old_channel_id": "", "new_channel_id": "C1"}),
        ("channel_id_changed", {"old_channel_id": "G1"}),
        ("tokens_revoked", {"tokens": {"oauth": [], "bot": []}}),
        ("tokens_revoked", {"tokens": None}),
        ("team_rename", {"name": ""}),
        ("user_change", {"user": {"id": "U1", "deleted": False}}),
        ("user_change", {"user": {"deleted": True}}),
        ("app_uninstalled", {"seen": [], "_team_id": None}),
        ("team_access_granted", {"seen": [], "_team_id": None}),
        ("grid_migration_started", {"seen": [], "_team_id": None}),
    ],
)
def test_a_change_of_nothing_is_ignored(tell: Callable[..., Outcome], kind: str, values: dict[str, Any]) -> None:
    """Where a delivery doesn't name what changed, it says so instead of guessing."""
    assert isinstance(tell(kind, **values), Ignored)
