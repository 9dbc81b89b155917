"""What is read of the API's answers; page names are those of GitLab Docs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import msgspec

from speckitty_connectors.plugin import ApiSession, ExternalIdentity, read_answer

USER = "/user"
"""The person whose token it is ("Users API": "Retrieve the current user")."""


class User(msgspec.Struct):
    """A person; the id stays when the username changes ("Users API")."""

    id: int
    username: str


class Group(msgspec.Struct):
    """A group ("Groups API"); `parent_id` is null at the top."""

    id: int
    full_path: str
    name: str = ""
    web_url: str = ""
    parent_id: int | None = None
    visibility: str | None = ""
    marked_for_deletion_on: str | None = None


class Namespace(msgspec.Struct):
    """What a project belongs to ("Namespaces API"): a group, or a person's own."""

    id: int
    kind: str = ""


class Project(msgspec.Struct):
    """A project ("Projects API")."""

    id: int
    path_with_namespace: str
    name: str = ""
    web_url: str = ""
    visibility: str | None = ""
    archived: bool = False
    default_branch: str | None = None
    namespace: Namespace | None = None
    marked_for_deletion_on: str | None = None


class Hook(msgspec.Struct):
    """A webhook ("Project webhooks API", "Group webhooks API"); older servers know nothing of signing tokens."""

    id: int
    url: str = ""
    token_present: bool | None = None
    signing_token_present: bool | None = None
    alert_status: str | None = ""


def who_is_it(session: ApiSession) -> ExternalIdentity:
    """Return the person, or the bot user of an access token, in whose name a session speaks."""
    user = read_answer(session.get(USER), User)
    return ExternalIdentity(id=str(user.id), name=user.username)


def all_groups(session: ApiSession, url: str, parameters: Mapping[str, str]) -> Iterator[Group]:
    """Yield groups, one page after the other as long as they are asked for ("REST API": "Pagination")."""
    response = session.get(url, parameters=parameters)
    while True:
        yield from read_answer(response, list[Group])
        if not response.next_link:
            return
        response = session.get(response.next_link)
