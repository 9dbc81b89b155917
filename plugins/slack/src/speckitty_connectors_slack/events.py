"""What a verified delivery means: a change of Slack's own state, an event, or nothing for anybody here."""

from __future__ import annotations

from speckitty_connectors.plugin import (
    Account,
    Delivery,
    Event,
    ExternalIdentity,
    Handshake,
    Ignored,
    Outcome,
    ResourceReference,
    hookimpl,
    read_text,
)

from .lifecycle import read_lifecycle
from .manifest import WEBHOOKS
from .payload import (
    Action,
    BotProfile,
    Channel,
    Container,
    Happening,
    Item,
    Message,
    Payload,
    ResponseUrl,
    Team,
    User,
    View,
    account,
    bot_users,
    decode,
    first,
    from_fields,
    identity,
    moment,
    receiver,
    reference,
)

_CONVERSATIONS_OF_PEOPLE = frozenset({"app_home", "im", "mpim"})
"""Values of ``channel_type`` that are no channels ("message")."""

_EVENTS_OF_PEOPLE = frozenset({"app_home_opened", "im_close", "im_created", "im_history_changed", "im_open"})
"""Events whose ``channel`` is a direct message, without a type that says so ("Events reference")."""

_DIRECT = "D"
"""How the id of a direct message begins; of channels, no letter tells the kind ("Conversation object")."""

_NAMES_OF_PEOPLE = ("directmessage", "mpdm-")
"""How the name of a direct message begins, of two people or more ("Slash commands", "Conversation object")."""


@hookimpl
def route_event(delivery: Delivery) -> Outcome:
    """Return what a delivery means; total, for any content and any fields."""
    if not delivery.content and delivery.fields:
        return _interaction(from_fields(delivery.fields))
    payload = decode(delivery.content)
    if payload is None:
        return Ignored(reason="the body is neither a JSON object nor a form")
    challenge = WEBHOOKS.handshake
    if challenge is not None and payload.type == challenge.value:
        return Handshake(answer=read_text(payload.challenge))
    lifecycle = read_lifecycle(payload)
    if lifecycle is not None:
        return lifecycle
    return _event(payload, payload.event) if isinstance(payload.event, Happening) else _interaction(payload)


def _event(payload: Payload, event: Happening) -> Event | Ignored:
    kind = read_text(event.type)
    item = event.item.channel if isinstance(event.item, Item) else None
    channel = reference(event.channel, event.channel_id, item)
    if channel is None or not kind:
        return Ignored(reason=f"{kind or 'an event without a type'} concerns no channel")
    if (
        kind in _EVENTS_OF_PEOPLE
        or read_text(event.channel_type) in _CONVERSATIONS_OF_PEOPLE
        or _is_direct(channel, event.channel)
    ):
        return Ignored(reason=f"{kind} in a direct message concerns no channel")
    if _is_own(payload, event):
        return Ignored(reason=f"{kind} is the app's own doing")
    on = event.item.ts if isinstance(event.item, Item) else None
    return Event(
        kind=kind,
        action=read_text(event.subtype),
        account=receiver(payload),
        resources=(channel,),
        actor=_actor(payload, event),
        subject=read_text(event.ts) or read_text(on),
        occurred_at=moment(payload.event_time, event.event_ts),
    )


def _is_direct(channel: ResourceReference, stated: object) -> bool:
    """Return whether a conversation of people, which can't be mapped, is known as one by its id, flags or name."""
    if not isinstance(stated, Channel):
        return channel.id.startswith(_DIRECT)
    named = read_text(stated.name).startswith(_NAMES_OF_PEOPLE)
    return channel.id.startswith(_DIRECT) or named or True in (stated.is_im, stated.is_mpim)


def _is_own(payload: Payload, event: Happening) -> bool:
    """Return whether our own app did it, so that a mapping in both directions makes no circle."""
    message = event.message if isinstance(event.message, Message) else Message()
    profiles = (each.bot_profile for each in (event, message))
    apps = (event.app_id, message.app_id, *(each.app_id for each in profiles if isinstance(each, BotProfile)))
    people = (identity(each) for each in (event.user, event.user_id, message.user))
    app = read_text(payload.api_app_id)
    return bool(app and app in apps) or any(each.id in bot_users(payload) for each in people if each)


def _actor(payload: Payload, event: Happening) -> ExternalIdentity | None:
    """Return who did it, and whether they belong to another company's workspace ("Slack Connect")."""
    home = read_text(event.user_team) or read_text(event.source_team)
    known = {read_text(value) for value in (payload.context_team_id, payload.context_enterprise_id)}
    seen = first(payload.authorizations)
    known |= {read_text(getattr(seen, name, None)) for name in ("team_id", "enterprise_id")}
    kind = "External" if home and any(known) and home not in known else "User"
    return identity(event.user, kind) or identity(event.user_id, kind) or identity(event.bot_id, "Bot")


def _interaction(payload: Payload) -> Event | Ignored:
    kind = read_text(payload.type)
    channel = _picked(payload)
    if channel is None or not kind:
        return Ignored(reason=f"{kind or 'a document without a type'} concerns no channel")
    if _is_direct(channel, payload.channel):
        return Ignored(reason=f"{kind} in a direct message concerns no channel")
    action = first(payload.actions)
    named = read_text(action.action_id) or read_text(action.name) if isinstance(action, Action) else ""
    return Event(
        kind=kind,
        action=read_text(payload.callback_id) or named,
        account=_installed_in(payload),
        resources=(channel,),
        actor=identity(payload.user),
        subject=read_text(payload.callback_id) or named,
        occurred_at=moment(payload.action_ts),
    )


def _picked(payload: Payload) -> ResourceReference | None:
    container = payload.container.channel_id if isinstance(payload.container, Container) else None
    url = first(payload.response_urls)
    return reference(payload.channel, container, url.channel_id if isinstance(url, ResponseUrl) else None)


def _installed_in(payload: Payload) -> Account | None:
    """Return the account of an interaction; in a shared channel a modal names where the app is installed."""
    view = payload.view.app_installed_team_id if isinstance(payload.view, View) else None
    team = payload.team if isinstance(payload.team, Team) else Team()
    person = payload.user.team_id if isinstance(payload.user, User) else None
    enterprise = payload.enterprise.id if isinstance(payload.enterprise, Team) else None
    return account(
        next(filter(None, map(read_text, (view, team.id, payload.team_id, person))), ""),
        next(filter(None, map(read_text, (enterprise, team.enterprise_id, payload.enterprise_id))), ""),
        payload.is_enterprise_install,
    )
