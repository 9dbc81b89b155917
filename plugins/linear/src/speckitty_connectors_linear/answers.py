"""What is asked of the API and read of its answers; names in quotation marks are types of its published schema."""

from __future__ import annotations

from typing import TypeVar

import msgspec

from speckitty_connectors.plugin import Account, ApiSession, BaseUrls, ExternalIdentity, read_answer

from .manifest import GRAPHQL

Shape = TypeVar("Shape")

IDENTITY = """
query Identity {
  viewer { id displayName }
  organization { id name urlKey }
}
"""
"""In whose name a session speaks, and where: a credential is one workspace's ("Getting started", GraphQL)."""

TEAMS = """
query Teams($first: Int!, $after: String) {
  organization { id name urlKey }
  teams(first: $first, after: $after, includeArchived: true) {
    nodes { id key name visibility retiredAt archivedAt parent { id } }
    pageInfo { hasNextPage endCursor }
  }
}
"""
"""A page of the teams that the session can see, archived ones included."""

PROJECTS = """
query Projects($first: Int!, $after: String) {
  projects(first: $first, after: $after, includeArchived: true) {
    nodes { id name url slugId trashed archivedAt }
    pageInfo { hasNextPage endCursor }
  }
}
"""
"""A page of projects, binned ones included."""


class Organization(msgspec.Struct, rename="camel"):
    """An "Organization", which people call a workspace; the key in its address can change."""

    id: str
    name: str
    url_key: str

    def account(self, urls: BaseUrls) -> Account:
        """Return it as an account."""
        return Account(id=self.id, name=self.name, kind="workspace", url=f"{urls.web}/{self.url_key}")


class User(msgspec.Struct, rename="camel"):
    """A "User": a person, or the app's own user."""

    id: str
    display_name: str


class Identity(msgspec.Struct):
    """Who and where."""

    viewer: User
    organization: Organization

    @property
    def person(self) -> ExternalIdentity:
        """Who it is."""
        return ExternalIdentity(id=self.viewer.id, name=self.viewer.display_name, kind="user")


class Reference(msgspec.Struct):
    """What only the id is asked of."""

    id: str


class Team(msgspec.Struct, rename="camel"):
    """A "Team"; its key begins the identifiers of its issues, and can be changed."""

    id: str
    key: str
    name: str
    visibility: str
    retired_at: str | None = None
    archived_at: str | None = None
    parent: Reference | None = None


class Project(msgspec.Struct, rename="camel"):
    """A "Project"."""

    id: str
    name: str
    url: str
    slug_id: str
    trashed: bool | None = None
    archived_at: str | None = None


class PageInfo(msgspec.Struct, rename="camel"):
    """Whether more follow, and behind what ("PageInfo")."""

    has_next_page: bool
    end_cursor: str | None = None


class TeamConnection(msgspec.Struct, rename="camel"):
    """A page of teams."""

    nodes: list[Team]
    page_info: PageInfo


class ProjectConnection(msgspec.Struct, rename="camel"):
    """A page of projects."""

    nodes: list[Project]
    page_info: PageInfo


class Teams(msgspec.Struct):
    """The answer to `TEAMS`."""

    organization: Organization
    teams: TeamConnection


class Projects(msgspec.Struct):
    """The answer to `PROJECTS`."""

    projects: ProjectConnection


def ask(session: ApiSession, document: str, shape: type[Shape], **variables: object) -> Shape:
    """Send a GraphQL document; return the data of the answer, which core has looked through for errors.

    Args:
        session: of a grant, an installation or a member.
        document: with the one operation that the shape is named like.
        shape: of the data.
        variables: of the operation.

    Raises:
        ApiError: it was refused, or the answer isn't what the schema says.
    """
    asked = {"operationName": shape.__name__, "query": document, "variables": variables}
    send = session.query if document.lstrip().startswith("query") else session.post
    response = send(GRAPHQL, document=asked)
    return read_answer(response, shape, member="data")
