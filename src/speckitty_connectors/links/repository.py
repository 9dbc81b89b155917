"""Reads and writes user links; every function is bound to one workspace, save the one that says otherwise."""

from __future__ import annotations

from sqlalchemy import (
    Column,
    Connection,
    Index,
    Row,
    Select,
    String,
    Table,
    UniqueConstraint,
    and_,
    delete,
    exists,
    insert,
    select,
    update,
)

from ..errors import NotFoundError
from ..identifiers import InstallationKey
from ..installations.tables import installations
from ..store.metadata import UtcDateTime, belongs_to, identifier, metadata, workspace_column
from ..store.rows import from_row, is_row, is_under, to_row
from .types import LinkStatus, UserLink

user_links = Table(
    "user_links",
    metadata,
    workspace_column(),
    identifier("id", primary_key=True),
    identifier("installation_id"),
    identifier("member_id"),
    Column("provider", String, nullable=False),
    Column("host", String, nullable=False),
    identifier("external_id"),
    Column("external_name", String, nullable=False),
    Column("status", String(32), nullable=False),
    Column("status_reason", String, nullable=False),
    identifier("credential_id"),
    Column("created_at", UtcDateTime, nullable=False),
    Column("updated_at", UtcDateTime, nullable=False),
    UniqueConstraint("workspace_id", "installation_id", "external_id"),
    UniqueConstraint("workspace_id", "installation_id", "member_id"),
    belongs_to("installations", "installation_id"),
    Index(None, "provider", "host", "external_id"),
)
"""A member's own identity under an installation; `credential_id` is empty for an identity without a token."""


def add(connection: Connection, link: UserLink) -> None:
    """Write a new link.

    Raises:
        sqlalchemy.exc.IntegrityError: the member, or the identity, is linked under that installation already.
    """
    connection.execute(insert(user_links).values(_values(link)))


def save(connection: Connection, link: UserLink) -> None:
    """Write a changed link back."""
    connection.execute(update(user_links).where(is_row(user_links, link.workspace, link.id)).values(_values(link)))


def remove(connection: Connection, link: UserLink) -> None:
    """Remove a link whose identity became another member's."""
    connection.execute(delete(user_links).where(is_row(user_links, link.workspace, link.id)))


def get(connection: Connection, *, workspace: str, link_id: str) -> UserLink:
    """Return the link of that id."""
    found = _one(connection, select(user_links).where(is_row(user_links, workspace, link_id)))
    if found is None:
        raise NotFoundError.of("link", link_id)
    return found


def list_all(
    connection: Connection, *, workspace: str, installation_id: str | None = None, member: str | None = None
) -> list[UserLink]:
    """Return the workspace's links, oldest first, under one installation or of one member where asked."""
    query = _of(workspace).order_by(user_links.c.id)
    if installation_id is not None:
        query = query.where(user_links.c.installation_id == installation_id)
    if member is not None:
        query = query.where(user_links.c.member_id == member)
    return [_link(row) for row in connection.execute(query)]


def find_member(connection: Connection, installation: InstallationKey, member: str) -> UserLink | None:
    """Return a member's link under an installation, whatever its status, or None."""
    return _one(
        connection, select(user_links).where(is_under(user_links, installation), user_links.c.member_id == member)
    )


def find_identity(connection: Connection, installation: InstallationKey, external_id: str) -> UserLink | None:
    """Return who is linked to an identity under an installation, whatever the status, or None."""
    return _one(
        connection,
        select(user_links).where(is_under(user_links, installation), user_links.c.external_id == external_id),
    )


def find_speaking(connection: Connection, *, workspace: str, credential_id: str) -> UserLink | None:
    """Return the link that speaks with a credential, locked, or None."""
    speaking = _of(workspace).where(user_links.c.credential_id == credential_id, user_links.c.credential_id != "")
    return _one(connection, speaking.with_for_update())


def find_everywhere(
    connection: Connection, *, provider: str, host: str, external_id: str, account_id: str = ""
) -> list[UserLink]:
    """Return every link, **across workspaces**, to a person whom a verified delivery names; locked.

    Where the delivery names an account, those under its installations alone.
    """
    query = select(user_links).where(
        user_links.c.provider == provider,
        user_links.c.host == host,
        user_links.c.external_id == external_id,
        user_links.c.external_id != "",
    )
    if account_id:
        under = and_(
            installations.c.workspace_id == user_links.c.workspace_id,
            installations.c.id == user_links.c.installation_id,
            installations.c.account_id == account_id,
        )
        query = query.where(exists().where(under))
    rows = connection.execute(query.order_by(user_links.c.id).with_for_update())
    return [_link(row) for row in rows]


def _of(workspace: str) -> Select[tuple[object, ...]]:
    return select(user_links).where(user_links.c.workspace_id == workspace)


def _one(connection: Connection, query: Select[tuple[object, ...]]) -> UserLink | None:
    row = connection.execute(query).one_or_none()
    return None if row is None else _link(row)


def _values(link: UserLink) -> dict[str, object]:
    values = to_row(link, member_id=link.member)
    del values["member"]
    return values


def _link(row: Row[tuple[object, ...]]) -> UserLink:
    return from_row(UserLink, row, member=row.member_id, status=LinkStatus(row.status))
