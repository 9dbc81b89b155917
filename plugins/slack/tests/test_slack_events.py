"""Events, interactions and slash commands: where each thing stands in the three envelopes."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from speckitty_connectors.plugin import (
    Account,
    Event,
    ExternalIdentity,
    Handshake,
    Ignored,
    Outcome,
    ResourceReference,
)

SEEN = {"team_id": "T1", "enterprise_id": None, "user_id": "UBOT", "is_bot": True, "is_enterprise_install": False}
WORKSPACE = Account(id="T1", kind="workspace")
ORGANIZATION = Account(id="E1", kind="organization")
NOON = 1_767_312_000


def event(outcome: Outcome) -> Event:
    assert isinstance(outcome, Event), outcome
    return outcome


def test_a_message_is_an_event_of_its_channel(tell: Callable[..., Outcome]) -> None:
    """Kind, subtype, workspace, channel, person, message and time come out as Slack states them."""
    told = tell(
        "message",
        subtype="thread_broadcast",
        channel="C1",
        channel_type="channel",
        user="U1",
        ts="1767312000.000100",
        event_ts="1767312000.000100",
    )
    assert told == Event(
        kind="message",
        action="thread_broadcast",
        account=WORKSPACE,
        resources=(ResourceReference(kind="channel", id="C1"),),
        actor=ExternalIdentity(id="U1", kind="User"),
        subject="1767312000.000100",
        occurred_at=datetime(2026, 1, 2, 0, 0, 0, 100, tzinfo=UTC),
    )


@pytest.mark.parametrize(
    ("kind", "values"),
    [
        ("message", {"channel": "C1"}),
        ("app_mention", {"channel": "C1"}),
        ("link_shared", {"channel": "C1"}),
        ("channel_created", {"channel": {"id": "C1", "name": "plans"}}),
        ("file_shared", {"channel_id": "C1", "user_id": "U1"}),
        ("pin_added", {"channel_id": "C1", "item": {"channel": "C9"}}),
        ("reaction_added", {"item": {"type": "message", "channel": "C1", "ts": "1.2"}}),
        ("member_joined_channel", {"channel": "C1", "user": "U1"}),
        ("an event of next year", {"channel": "C1"}),
    ],
)
def test_a_channel_is_found_wherever_an_event_has_it(
    tell: Callable[..., Outcome], kind: str, values: dict[str, Any]
) -> None:
    """As text, as an object, as `channel_id`, or inside the item; an object's name becomes the label."""
    (channel,) = event(tell(kind, **values)).resources
    assert (channel.kind, channel.id, channel.key) == ("channel", "C1", "#plans" * (kind == "channel_created"))


@pytest.mark.parametrize("channel", ["C1", "G1", "a form of tomorrow"])
def test_a_prefix_decides_nothing(tell: Callable[..., Outcome], channel: str) -> None:
    """Private channels may have either prefix, so the id is taken as it is."""
    assert event(tell("message", channel=channel, channel_type="group")).resources[0].id == channel


@pytest.mark.parametrize(
    ("kind", "values"),
    [
        ("message", {"channel": "D1", "channel_type": "im"}),
        ("message", {"subtype": "message_changed", "channel": "D1", "message": {"user": "U1"}}),
        ("reaction_added", {"item": {"type": "message", "channel": "D1", "ts": "1.2"}}),
        ("reaction_removed", {"item": {"type": "message", "channel": "D1", "ts": "1.2"}}),
        ("file_shared", {"channel_id": "D1", "user_id": "U1"}),
        ("pin_added", {"channel_id": "D1", "item": {"channel": "D1"}}),
        ("app_mention", {"channel": "D1"}),
        ("an event of next year", {"channel": {"id": "D1"}}),
        ("an event of next year", {"channel": {"id": "G1", "is_mpim": True}}),
        ("an event of next year", {"channel": {"id": "C1", "name": "mpdm-mona--octo-1"}}),
        ("message", {"channel": "G1", "channel_type": "mpim"}),
        ("message", {"channel": "D1", "channel_type": "app_home"}),
        ("app_home_opened", {"channel": "D1"}),
        ("im_open", {"channel": "D1"}),
        ("team_join", {"user": {"id": "U1"}}),
        ("emoji_changed", {}),
        ("", {"channel": "C1"}),
        ("message", {"channel": ""}),
        ("message", {"channel": 7}),
        ("reaction_added", {"item": "C1"}),
    ],
)
def test_what_concerns_no_channel_is_ignored(
    tell: Callable[..., Outcome], kind: str, values: dict[str, Any]
) -> None:
    """Direct messages, and events without a channel, concern nothing that could be mapped; each says why."""
    ignored = tell(kind, **values)
    assert isinstance(ignored, Ignored)
    assert "no channel" in ignored.reason


# --- whose event it is -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("seen", "outer", "account"),
    [
        ([{"team_id": "T1", "enterprise_id": None, "is_enterprise_install": False}], {"_team_id": "T9"}, WORKSPACE),
        ([{"team_id": "T1", "enterprise_id": "E1", "is_enterprise_install": False}], {}, WORKSPACE),
        ([{"team_id": None, "enterprise_id": "E1", "is_enterprise_install": True}], {}, ORGANIZATION),
        ([{"team_id": "T1", "enterprise_id": "E1", "is_enterprise_install": True}], {}, ORGANIZATION),
        ([], {"_team_id": "T9", "_context_team_id": "T1"}, WORKSPACE),
        ([], {"_team_id": "T1", "_enterprise_id": "E1"}, WORKSPACE),
        ([], {"_team_id": None, "_enterprise_id": "E1"}, ORGANIZATION),
        ([], {"_team_id": "T1", "_enterprise_id": "E1", "_is_enterprise_install": True}, ORGANIZATION),
        ([{"team_id": None}, {"team_id": "T9"}], {"_team_id": "T1"}, WORKSPACE),
        ([], {"_team_id": None}, None),
    ],
)
def test_the_visible_authorisation_says_whose_event_it_is(
    tell: Callable[..., Outcome], seen: list[dict[str, Any]], outer: dict[str, Any], account: Account | None
) -> None:
    """It wins over the outer team, which may be somebody else's in a shared channel; context comes next."""
    assert event(tell("message", seen=seen, channel="C1", **outer)).account == account


@pytest.mark.parametrize(
    ("values", "actor"),
    [
        ({"user": "U1"}, ExternalIdentity(id="U1", kind="User")),
        ({"user_id": "U1"}, ExternalIdentity(id="U1", kind="User")),
        ({"user": {"id": "U1", "name": "mona"}}, ExternalIdentity(id="U1", name="mona", kind="User")),
        ({"user": "U1", "user_team": "T1"}, ExternalIdentity(id="U1", kind="User")),
        ({"user": "U1", "user_team": "T9"}, ExternalIdentity(id="U1", kind="External")),
        ({"user": "U1", "source_team": "E9"}, ExternalIdentity(id="U1", kind="External")),
        ({"bot_id": "B1"}, ExternalIdentity(id="B1", kind="Bot")),
        ({}, None),
    ],
)
def test_the_actor_is_told_apart_from_bots_and_people_of_other_companies(
    tell: Callable[..., Outcome], values: dict[str, Any], actor: ExternalIdentity | None
) -> None:
    """In a shared channel somebody of another workspace is marked as external."""
    assert event(tell("message", channel="C1", **values)).actor == actor


@pytest.mark.parametrize(
    "values",
    [
        {"user": "UBOT"},
        {"app_id": "A1", "bot_id": "B1"},
        {"bot_id": "B1", "bot_profile": {"app_id": "A1"}},
        {"subtype": "message_changed", "message": {"app_id": "A1"}},
        {"subtype": "message_changed", "message": {"bot_profile": {"app_id": "A1"}}},
        {"subtype": "message_changed", "message": {"user": "UBOT"}},
    ],
)
def test_what_the_app_did_itself_is_ignored(tell: Callable[..., Outcome], values: dict[str, Any]) -> None:
    """What we wrote into a channel mapped in both directions doesn't come back to us; another app's messages do."""
    ignored = tell("message", channel="C1", **values)
    assert ignored == Ignored(reason="message is the app's own doing")
    assert isinstance(tell("message", channel="C1", app_id="A2", bot_id="B2"), Event)


@pytest.mark.parametrize(
    ("kind", "values"),
    [
        ("file_shared", {"channel_id": "C1", "user_id": "UBOT"}),
        ("reaction_added", {"user": "UBOT", "item": {"channel": "C1"}}),
        ("pin_added", {"user": "UBOT", "channel_id": "C1"}),
    ],
)
@pytest.mark.parametrize("first", [(), ({"team_id": "T1", "user_id": "U1", "is_bot": False},)])
def test_whatever_the_app_did_is_its_own_doing(
    tell: Callable[..., Outcome], kind: str, values: dict[str, Any], first: tuple[dict[str, Any], ...]
) -> None:
    """Its files, reactions and pins as well, whichever authorisation stands first; a person's are events."""
    seen = (*first, SEEN)
    assert tell(kind, seen=seen, **values) == Ignored(reason=f"{kind} is the app's own doing")
    someone = {name: "U2" if value == "UBOT" else value for name, value in values.items()}
    assert isinstance(tell(kind, seen=seen, **someone), Event)


# --- interactions ----------------------------------------------------------------------------------------------


def interaction(**values: Any) -> dict[str, Any]:
    return {
        "type": "block_actions",
        "team": {"id": "T1", "enterprise_id": None},
        "user": {"id": "U1", "username": "mona", "team_id": "T1"},
        "channel": {"id": "C1", "name": "plans"},
        "actions": [{"action_id": "approve", "type": "button"}],
        "action_ts": f"{NOON}.000100",
        **values,
    }


def test_a_pressed_button_is_an_event_of_its_channel(route: Callable[..., Outcome]) -> None:
    """What was pressed is its action, and the channel's name its label."""
    told = event(route(interaction()))
    assert (told.kind, told.action, told.account) == ("block_actions", "approve", WORKSPACE)
    assert told.resources == (ResourceReference(kind="channel", id="C1", key="#plans"),)
    assert told.actor == ExternalIdentity(id="U1", name="mona", kind="User")
    assert told.occurred_at == datetime(2026, 1, 2, 0, 0, 0, 100, tzinfo=UTC)


@pytest.mark.parametrize(
    ("values", "account"),
    [
        ({"team": {"id": "T9"}, "view": {"app_installed_team_id": "T1"}}, WORKSPACE),
        ({"team": None}, WORKSPACE),
        ({"team": None, "enterprise": {"id": "E1"}, "is_enterprise_install": True}, ORGANIZATION),
        ({"team": {"id": "T1", "enterprise_id": "E1"}, "is_enterprise_install": True}, ORGANIZATION),
        ({"enterprise": {"id": "E1"}, "is_enterprise_install": False}, WORKSPACE),
    ],
)
def test_an_interaction_names_where_the_app_is_installed(
    route: Callable[..., Outcome], values: dict[str, Any], account: Account
) -> None:
    """The view's word wins over the team, which is null for organizations, and the person's team comes last."""
    assert event(route(interaction(**values))).account == account


@pytest.mark.parametrize(
    ("values", "channel"),
    [
        ({"channel": None, "container": {"channel_id": "C1"}}, "C1"),
        ({"channel": None, "response_urls": [{"channel_id": "C1"}]}, "C1"),
        ({"channel": {"id": "C1", "name": "privategroup"}}, "C1"),
    ],
)
def test_an_interactions_channel_may_stand_elsewhere(
    route: Callable[..., Outcome], values: dict[str, Any], channel: str
) -> None:
    """The container or the picked channel stands in; a hidden name is no label."""
    assert event(route(interaction(**values))).resources == (ResourceReference(kind="channel", id=channel),)


@pytest.mark.parametrize(
    "values",
    [
        {"channel": None},
        {"channel": {"id": "D1", "name": "directmessage"}},
        {"channel": {"id": "G1", "name": "mpdm-mona--octo-1"}},
        {"channel": None, "container": {"channel_id": "D1"}},
        {"type": None},
    ],
)
def test_an_interaction_outside_channels_is_ignored(route: Callable[..., Outcome], values: dict[str, Any]) -> None:
    """A modal or a direct message concerns no channel."""
    assert isinstance(route(interaction(**values)), Ignored)


def test_a_callback_id_is_the_action(route: Callable[..., Outcome]) -> None:
    """Shortcuts and dialogs are told apart by the id that the app gave them."""
    told = event(route(interaction(type="message_action", callback_id="file_incident", actions=None)))
    assert (told.kind, told.action) == ("message_action", "file_incident")


# --- slash commands --------------------------------------------------------------------------------------------


def test_a_slash_command_is_an_event_of_its_channel(command: Callable[..., Outcome]) -> None:
    """It has fields and no document."""
    told = command(
        team_id="T1",
        channel_id="C1",
        channel_name="plans",
        user_id="U1",
        user_name="mona",
        command="/deploy",
        text="now",
        is_enterprise_install="false",
        enterprise_id="E1",
    )
    assert told == Event(
        kind="slash_commands",
        action="/deploy",
        subject="/deploy",
        account=WORKSPACE,
        resources=(ResourceReference(kind="channel", id="C1", key="#plans"),),
        actor=ExternalIdentity(id="U1", name="mona", kind="User"),
    )


def test_a_command_of_an_organization_says_so_in_text(command: Callable[..., Outcome]) -> None:
    """The flag is the word "true", not a boolean."""
    fields = {"team_id": "T1", "enterprise_id": "E1", "channel_id": "C1", "command": "/deploy"}
    assert event(command(**fields, is_enterprise_install="true")).account == ORGANIZATION


def test_a_command_in_a_direct_message_is_ignored(command: Callable[..., Outcome]) -> None:
    """There is no channel that could be mapped."""
    told = command(team_id="T1", channel_id="D1", channel_name="directmessage", command="/deploy")
    assert isinstance(told, Ignored)


# --- the rest --------------------------------------------------------------------------------------------------


def test_a_challenge_is_a_handshake(route: Callable[..., Outcome]) -> None:
    """It is answered with what it brought."""
    assert route({"type": "url_verification", "challenge": "3eZ"}) == Handshake(answer="3eZ")


@pytest.mark.parametrize("content", [b"", b"[]", b"null", b"{", b"\xff", b'{"type": 7}', b"[" * 100_000])
def test_what_is_no_delivery_is_ignored(route: Callable[..., Outcome], content: bytes) -> None:
    """Whatever the bytes are, there is one typed outcome."""
    assert isinstance(route(content), Ignored)


@pytest.mark.parametrize("time", ["yesterday", "1e9", "9" * 30, True, [], None, -(10**20)])
def test_an_odd_time_is_no_time(tell: Callable[..., Outcome], time: object) -> None:
    """Nothing is guessed from it."""
    told = event(tell("message", channel="C1", _event_time=time))
    assert told.occurred_at is None or told.occurred_at.year < 1971
