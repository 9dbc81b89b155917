"""What is read of the API's answers; page names are those of GitHub's "REST API description"."""

from __future__ import annotations

import msgspec

from speckitty_connectors.plugin import ApiSession, ExternalIdentity, read_answer

USER = "/user"
"""The person whose token it is: "Get the authenticated user"."""


class User(msgspec.Struct):
    """A person; the id stays when the login changes ("Authorizing OAuth apps")."""

    id: int
    login: str
    type: str = ""


class Party(msgspec.Struct):
    """Whose installation it is: a user or organization, or an enterprise, which has a slug and no login."""

    id: int
    login: str = ""
    slug: str = ""
    type: str = ""
    html_url: str | None = ""


class Installation(msgspec.Struct):
    """One installation of our app."""

    id: int
    account: Party
    client_id: str | None = ""
    target_type: str = ""
    permissions: dict[str, str] = {}
    suspended_at: str | None = None


class Installations(msgspec.Struct):
    """A page of "List app installations accessible to the user access token"."""

    installations: list[Installation]


class Request(msgspec.Struct):
    """What a member asked for and an owner has not decided on yet."""

    account: Party
    requester: User


class Membership(msgspec.Struct):
    """An answer of "Get an organization membership for the authenticated user"."""

    state: str
    role: str


class Owner(msgspec.Struct):
    """Who owns a repository."""

    id: int
    login: str


class Repository(msgspec.Struct):
    """A repository of a listing."""

    id: int
    name: str
    full_name: str
    owner: Owner
    private: bool
    html_url: str = ""
    archived: bool = False
    default_branch: str | None = ""
    visibility: str | None = ""


class Repositories(msgspec.Struct):
    """A page of "List repositories accessible to the app installation" (or "to the user access token")."""

    repositories: list[Repository]
    total_count: int | None = None


def who_is_it(session: ApiSession) -> ExternalIdentity:
    """Return the person in whose name a session speaks."""
    user = read_answer(session.get(USER), User)
    return ExternalIdentity(id=str(user.id), name=user.login, kind=user.type)
