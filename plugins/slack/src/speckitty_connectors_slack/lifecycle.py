"""Deliveries that report a change of Slack's own state ("Events reference")."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

from attrs import evolve

from speckitty_connectors.plugin import Account, Change, Ignored, Lifecycle, read_text

from .manifest import ORGANIZATION, WORKSPACE
from .payload import Happening, Payload, Tokens, User, bot_user, identity, moment, receiver, reference

RATE_LIMITED = "app_rate_limited"
"""Deliveries that were left out: 30,000 an hour are made at most, a workspace and app ("The Events API")."""


def read_lifecycle(payload: Payload) -> Lifecycle | Ignored | None:
    """Return the change that a delivery reports, or None where it reports none.

    A delivery of a known kind that doesn't name what it changed is `Ignored`.
    """
    if payload.type == RATE_LIMITED:
        return _rate_limited(payload)
    event = payload.event
    if not isinstance(event, Happening):
        return None
    kind = read_text(event.type)
    change, read = _TABLE.get(kind, (None, None))
    if change is None or read is None:
        return None
    blank = Lifecycle(
        change=change,
        account=receiver(payload),
        actor=identity(event.actor_id) or identity(event.user) or identity(event.inviter),
        occurred_at=moment(payload.event_time, event.event_ts),
    )
    if kind in _OF_MEMBERS and not _is_our_bot(payload, event):
        return None
    return read(blank, event) or Ignored(reason=f"{kind} names nothing that {change} could be about")


def _is_our_bot(payload: Payload, event: Happening) -> bool:
    return bool(bot_user(payload)) and event.user == bot_user(payload)


def _rate_limited(payload: Payload) -> Lifecycle | Ignored:
    account = receiver(payload)
    if account is None:
        return Ignored(reason=f"{RATE_LIMITED} names no workspace")
    since = moment(payload.minute_rate_limited)
    return Lifecycle(change=Change.DELIVERIES_LOST, account=account, relist=True, occurred_at=since)


def _of_account(blank: Lifecycle, _: Happening) -> Lifecycle | None:
    return blank if blank.account else None


def _of_migration(blank: Lifecycle, _: Happening) -> Lifecycle | None:
    """Read the move of a workspace into an organization, during which Slack answers and delivers nothing."""
    return evolve(blank, relist=blank.change is Change.RESUMED) if blank.account else None


def _of_workspaces(blank: Lifecycle, _: Happening) -> Lifecycle | None:
    """Read what an organization's admins gave or took: whole workspaces, whose channels only a listing tells."""
    return evolve(blank, relist=True) if blank.account else None


def _revoked(blank: Lifecycle, event: Happening) -> Lifecycle | None:
    """Read whose tokens are gone: the bot's, which are the installation's, or those of people.

    It may come before or after the uninstall ("tokens_revoked").
    """
    tokens = event.tokens if isinstance(event.tokens, Tokens) else Tokens()
    people = tuple(filter(None, map(identity, tokens.oauth if isinstance(tokens.oauth, list) else ())))
    bots = tokens.bot if isinstance(tokens.bot, list) else []
    if any(map(read_text, bots)) and blank.account:
        return evolve(blank, change=Change.CREDENTIAL_REVOKED, identities=people)
    return evolve(blank, identities=people) if people else None


def _left_company(blank: Lifecycle, event: Happening) -> Lifecycle | Ignored:
    """Read a change of a person's profile: the one that ends their link is that they were deactivated."""
    person = event.user if isinstance(event.user, User) else User()
    gone = identity(person)
    if person.deleted is not True or gone is None:
        return Ignored(reason="a profile changed, which concerns no channel")
    return evolve(blank, identities=(gone,), actor=None)


def _renamed_account(blank: Lifecycle, event: Happening) -> Lifecycle | None:
    """Read a workspace's new name or address; an organization isn't renamed by one of its workspaces."""
    if blank.account is None or blank.account.kind == ORGANIZATION:
        return None
    renamed = Account(id=blank.account.id, name=read_text(event.name), kind=WORKSPACE, url=read_text(event.url))
    return evolve(blank, account=renamed) if renamed.name or renamed.url else None


def _of_channel(blank: Lifecycle, event: Happening) -> Lifecycle | None:
    channel = reference(event.channel)
    return evolve(blank, resources=(channel,)) if channel and blank.account else None


def _archived(blank: Lifecycle, event: Happening) -> Lifecycle | None:
    """Read an archived channel; one that was moved to another workspace is archived here, and lives on there."""
    if event.is_moved != 1:  # or true, which is equal to it
        return _of_channel(blank, event)
    if blank.account and blank.account.kind == ORGANIZATION:
        return _of_channel(evolve(blank, change=Change.VISIBILITY_CHANGED, relist=True), event)
    return _of_channel(evolve(blank, change=Change.RESOURCES_REMOVED), event)


def _rekeyed(blank: Lifecycle, event: Happening) -> Lifecycle | None:
    """Read a channel's new id: a private channel that is shared with another company gets one."""
    channel, former = reference(event.new_channel_id), read_text(event.old_channel_id)
    if channel is None or not former or blank.account is None:
        return None
    return evolve(blank, resources=(channel,), former=(former,))


_Reader = Callable[[Lifecycle, Happening], Lifecycle | Ignored | None]

_OF_MEMBERS = frozenset({"member_joined_channel", "member_left_channel"})
"""Kinds that change something here only where the member is the app's own bot."""

_OF_CHANNELS: Mapping[str, tuple[Change, _Reader]] = {
    "archive": (Change.RESOURCE_ARCHIVED, _archived),
    "deleted": (Change.RESOURCE_DELETED, _of_channel),
    "left": (Change.RESOURCES_REMOVED, _of_channel),
    "rename": (Change.RESOURCE_RENAMED, _of_channel),
    "unarchive": (Change.RESOURCE_RESTORED, _of_channel),
}
"""Kinds that public channels and private ones, "groups" of old, have alike."""

_TABLE: Mapping[str, tuple[Change, _Reader]] = MappingProxyType(
    {
        **{f"{family}_{kind}": row for family in ("channel", "group") for kind, row in _OF_CHANNELS.items()},
        "app_uninstalled": (Change.UNINSTALLED, _of_account),
        "channel_id_changed": (Change.RESOURCE_REKEYED, _rekeyed),
        "channel_shared": (Change.VISIBILITY_CHANGED, _of_channel),
        "channel_unshared": (Change.VISIBILITY_CHANGED, _of_channel),
        "grid_migration_finished": (Change.RESUMED, _of_migration),
        "grid_migration_started": (Change.SUSPENDED, _of_migration),
        "member_joined_channel": (Change.RESOURCES_ADDED, _of_channel),
        "member_left_channel": (Change.RESOURCES_REMOVED, _of_channel),
        "team_access_granted": (Change.RESOURCES_ADDED, _of_workspaces),
        "team_access_revoked": (Change.RESOURCES_REMOVED, _of_workspaces),
        "team_domain_change": (Change.ACCOUNT_RENAMED, _renamed_account),
        "team_rename": (Change.ACCOUNT_RENAMED, _renamed_account),
        "tokens_revoked": (Change.LINK_REVOKED, _revoked),
        "user_change": (Change.LINK_REVOKED, _left_company),
    }
)
