"""The few fields of a delivery that mean something here, decoded in one typed pass.

Events, interactions and slash commands are three envelopes with different names for the same things. A field that
isn't what it should be is read as absent, never as an error: each nested object may also be any other JSON value,
and each leaf is any value until `read_text` or `moment` has read it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime, timedelta

import msgspec

from speckitty_connectors.plugin import (
    Account,
    ExternalIdentity,
    NotAList,
    NotAnObject,
    ResourceReference,
    read_moment,
    read_text,
)

from .manifest import CHANNEL, ORGANIZATION, WORKSPACE


class Authorization(msgspec.Struct):
    """One of the installations that see an event ("The Events API"); an organization's has no team."""

    team_id: object = None
    enterprise_id: object = None
    user_id: object = None
    is_bot: object = None
    is_enterprise_install: object = None


class Channel(msgspec.Struct):
    """A channel where it is an object: in renames, creations and interactions."""

    id: object = None
    name: object = None
    is_im: object = None
    is_mpim: object = None


class Item(msgspec.Struct):
    """What a reaction, a pin or a star is on."""

    channel: object = None
    ts: object = None


class User(msgspec.Struct):
    """A person where it is an object: in changes of profiles, and in interactions."""

    id: object = None
    name: object = None
    username: object = None
    team_id: object = None
    deleted: object = None


class Tokens(msgspec.Struct):
    """Whose tokens were revoked: ids of people and of bots, never tokens ("tokens_revoked")."""

    oauth: list[object] | NotAList = None
    bot: list[object] | NotAList = None


class BotProfile(msgspec.Struct):
    """The bot that wrote a message ("Message event", subtype ``bot_message``)."""

    app_id: object = None


class Message(msgspec.Struct):
    """The message that a change of a message is about."""

    user: User | NotAnObject = None
    app_id: object = None
    bot_profile: BotProfile | NotAnObject = None


class Happening(msgspec.Struct):
    """The inner event."""

    type: object = None
    subtype: object = None
    user: User | NotAnObject = None
    user_id: object = None
    actor_id: object = None
    inviter: object = None
    user_team: object = None
    source_team: object = None
    bot_id: object = None
    bot_profile: BotProfile | NotAnObject = None
    app_id: object = None
    channel: Channel | NotAnObject = None
    channel_id: object = None
    channel_type: object = None
    item: Item | NotAnObject = None
    message: Message | NotAnObject = None
    ts: object = None
    event_ts: object = None
    name: object = None
    url: object = None
    is_moved: object = None
    old_channel_id: object = None
    new_channel_id: object = None
    tokens: Tokens | NotAnObject = None


class Team(msgspec.Struct):
    """A workspace or an organization of an interaction."""

    id: object = None
    enterprise_id: object = None


class View(msgspec.Struct):
    """A modal or a home page."""

    app_installed_team_id: object = None


class Action(msgspec.Struct):
    """A button that was pressed, or whatever else was chosen."""

    action_id: object = None
    name: object = None


class Container(msgspec.Struct):
    """Where an interaction happened."""

    channel_id: object = None


class ResponseUrl(msgspec.Struct):
    """The channel that a person picked in a modal."""

    channel_id: object = None


class Payload(msgspec.Struct):
    """The top level of an event, an interaction, or a slash command's fields."""

    type: object = None
    challenge: object = None
    team_id: object = None
    enterprise_id: object = None
    context_team_id: object = None
    context_enterprise_id: object = None
    is_enterprise_install: object = None
    api_app_id: object = None
    event_time: object = None
    minute_rate_limited: object = None
    authorizations: list[Authorization | NotAnObject] | NotAList = None
    event: Happening | NotAnObject = None
    team: Team | NotAnObject = None
    enterprise: Team | NotAnObject = None
    user: User | NotAnObject = None
    channel: Channel | NotAnObject = None
    container: Container | NotAnObject = None
    view: View | NotAnObject = None
    actions: list[Action | NotAnObject] | NotAList = None
    response_urls: list[ResponseUrl | NotAnObject] | NotAList = None
    callback_id: object = None
    action_ts: object = None


_TIME = re.compile(r"([0-9]{1,11})(?:\.([0-9]{1,6}))?")
"""A time of the Web API: seconds until the year 5138, and a fraction."""

_DECODER = msgspec.json.Decoder(Payload)


def decode(content: bytes) -> Payload | None:
    """Return what is read of a document, or None where it isn't one JSON object."""
    try:
        return _DECODER.decode(content)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return None


def moment(*candidates: object) -> datetime | None:
    """Return the latest of the stated times in UTC, each in epoch seconds or as ``seconds.micros``; else None.

    `event_time` has whole seconds, and `event_ts`, where an event has it, the same moment more exactly.
    """
    return max(filter(None, map(_moment, candidates)), default=None)


def _moment(value: object) -> datetime | None:
    found = _TIME.fullmatch(value) if isinstance(value, str) else None
    if found is None:
        return read_moment(value) if isinstance(value, int) else None
    stated = read_moment(int(found[1]))
    return stated and stated + timedelta(microseconds=int(f"{found[2] or 0:0<6}"))


def first(candidates: object) -> object:
    """Return the first entry of what should be a list, or None."""
    return candidates[0] if isinstance(candidates, list) and candidates else None


def account(team: object, enterprise: object, organization_wide: object) -> Account | None:
    """Return where the app is installed: the organization where it is organization-wide, else the workspace.

    Slash commands write the flag as text ("Slash commands").
    """
    if organization_wide in (True, "true") and read_text(enterprise):
        return Account(id=read_text(enterprise), kind=ORGANIZATION)
    if read_text(team):
        return Account(id=read_text(team), kind=WORKSPACE)
    return Account(id=read_text(enterprise), kind=ORGANIZATION) if read_text(enterprise) else None


def receiver(payload: Payload) -> Account | None:
    """Return the account whose installation an event was sent for.

    The outer team is where it happened, which in a shared channel may be somebody else's workspace ("The Events
    API"). So the visible authorisation decides, then the context, and the outer team where there is neither.
    """
    seen = first(payload.authorizations)
    if isinstance(seen, Authorization):
        found = account(seen.team_id, seen.enterprise_id, seen.is_enterprise_install)
        if found is not None:
            return found
    team = read_text(payload.context_team_id) or payload.team_id
    enterprise = read_text(payload.context_enterprise_id) or payload.enterprise_id
    return account(team, enterprise, payload.is_enterprise_install)


def bot_users(payload: Payload) -> frozenset[str]:
    """Return the ids of the app's own bot in the installations that see the event."""
    seen = payload.authorizations if isinstance(payload.authorizations, list) else []
    bots = (each for each in seen if isinstance(each, Authorization) and each.is_bot is True)
    return frozenset(filter(None, (read_text(bot.user_id) for bot in bots)))


def label(name: object) -> str:
    """Return what people call a channel.

    Interactions say ``directmessage`` and ``privategroup`` where they hide the name.
    """
    return f"#{name}" if isinstance(name, str) and name not in {"", "directmessage", "privategroup"} else ""


def reference(*candidates: object) -> ResourceReference | None:
    """Return the first candidate, an id or an object, that names a channel; None where none does."""
    for candidate in candidates:
        found = candidate.id if isinstance(candidate, Channel) else candidate
        if read_text(found):
            name = candidate.name if isinstance(candidate, Channel) else ""
            return ResourceReference(kind=CHANNEL, id=read_text(found), key=label(name))
    return None


def identity(person: object, kind: str = "User") -> ExternalIdentity | None:
    """Return a person, named by an id or an object, or None where no id is stated."""
    if isinstance(person, User):
        name = read_text(person.username) or read_text(person.name)
        return ExternalIdentity(id=read_text(person.id), name=name, kind=kind) if read_text(person.id) else None
    return ExternalIdentity(id=read_text(person), kind=kind) if read_text(person) else None


def from_fields(fields: Mapping[str, str]) -> Payload:
    """Return a slash command's fields in the same shape."""
    return Payload(
        type="slash_commands",
        team_id=fields.get("team_id"),
        enterprise_id=fields.get("enterprise_id"),
        is_enterprise_install=fields.get("is_enterprise_install"),
        user=User(id=fields.get("user_id"), name=fields.get("user_name")),
        channel=Channel(id=fields.get("channel_id"), name=fields.get("channel_name")),
        callback_id=fields.get("command"),
    )
