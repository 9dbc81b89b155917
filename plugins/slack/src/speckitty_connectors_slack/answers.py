"""What is read of the Web API's answers; page names are those of its methods."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeVar

import msgspec

from speckitty_connectors.plugin import ApiError

IDENTITY = "/auth.test"
"""Whose token it is: "auth.test"."""

PERSON = "/users.info"
"""What a person is in their workspace: "users.info"."""

WORKSPACES = "/auth.teams.list"
"""The workspaces that an organization's admins have added the app to: "auth.teams.list"."""

CONVERSATIONS = "/conversations.list"
"""The channels of a workspace: "conversations.list"."""


class Identity(msgspec.Struct):
    """Whose token it is; `url` is the workspace's or the organization's own page."""

    team_id: str | None = ""
    enterprise_id: str | None = ""
    url: str = ""


class Named(msgspec.Struct):
    """A workspace or an organization, as the token answer and "auth.teams.list" name it."""

    id: str
    name: str | None = ""


class Person(msgspec.Struct):
    """Who installed the app."""

    id: str


class Role(msgspec.Struct):
    """What a person may do in their workspace ("User object"); a primary owner is an owner."""

    is_admin: bool
    is_owner: bool


class Described(msgspec.Struct):
    """A person as "users.info" describes them."""

    user: Role


class Granted(msgspec.Struct):
    """What "oauth.v2.access" says beside the token; an organization's grant has no team."""

    team: Named | None = None
    enterprise: Named | None = None
    is_enterprise_install: bool = False
    authed_user: Person | None = None


class Continuation(msgspec.Struct):
    """Where a list goes on; the cursor is empty at its end ("Pagination")."""

    next_cursor: str = ""


class Workspaces(msgspec.Struct):
    """A page of workspaces."""

    teams: list[Named]
    response_metadata: Continuation = msgspec.field(default_factory=Continuation)


class Channel(msgspec.Struct):
    """A channel of a listing; its prefix says nothing of its privacy ("Using the Conversations API")."""

    id: str
    name: str = ""
    is_private: bool = False
    is_archived: bool = False
    is_member: bool = False
    is_shared: bool = False
    is_ext_shared: bool = False
    is_org_shared: bool = False
    context_team_id: str | None = ""


class Channels(msgspec.Struct):
    """A page of channels; it may be short, or empty, while more follow."""

    channels: list[Channel]
    response_metadata: Continuation = msgspec.field(default_factory=Continuation)


class Claims(msgspec.Struct):
    """Who signed in ("Sign in with Slack"); core has verified the token that says so."""

    sub: str
    name: str = ""
    team_id: str = msgspec.field(default="", name="https://slack.com/team_id")
    enterprise_id: str = msgspec.field(default="", name="https://slack.com/enterprise_id")


Said = TypeVar("Said")


def read_said(fields: Mapping[str, object], shape: type[Said]) -> Said:
    """Return in its shape what a grant, or its identity token, says beside the tokens.

    Raises:
        ApiError: it doesn't have the fields that Slack documents.
    """
    try:
        return msgspec.convert(dict(fields), type=shape)
    except msgspec.ValidationError as error:
        raise ApiError(
            "Slack's grant isn't what its documentation says",
            subject=shape.__name__.lower(),
            remedy="check that the app's base URL points to Slack; report it if it does",
        ) from error
