"""Writes what a listing or a delivery saw: resources, and the history of their keys."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import cast

from sqlalchemy import ColumnElement, Connection, Table, case
from sqlalchemy.dialects import postgresql, sqlite

from ..identifiers import new_id
from ..providers.resources import Resource, ResourceReference
from .tables import resource_keys, resources
from .types import ResourceStatus

LISTED = ("key", "url", "parent_id", "status", "archived", "private", "attributes")
"""The columns that a listing knows."""

MENTIONED = ("key", "status")
"""The columns that a mention knows: a reference has no more than a label."""


def upsert_resources(
    connection: Connection, *, workspace: str, installation_id: str, listed: Iterable[Resource], at: datetime
) -> int:
    """Write what a listing saw, make it active unless it lies in the provider's bin, and remember its keys.

    Returns how many there were.
    """
    rows = [
        {
            **_new_row(workspace, installation_id, resource.kind, resource.id, resource.key, at),
            "status": ResourceStatus.DELETED if resource.deleted else ResourceStatus.ACTIVE,
            "url": resource.url,
            "parent_id": resource.parent_id,
            "archived": resource.archived,
            "private": resource.private,
            "attributes": dict(resource.attributes),
        }
        for resource in listed
    ]
    return _write(connection, workspace, rows, LISTED, at)


def note_references(
    connection: Connection,
    *,
    workspace: str,
    installation_id: str,
    references: Iterable[ResourceReference],
    at: datetime,
) -> int:
    """Write what a delivery says is there; details that a listing found stay as they are."""
    rows = [
        _new_row(workspace, installation_id, reference.kind, reference.id, reference.key, at)
        for reference in references
    ]
    return _write(connection, workspace, rows, MENTIONED, at)


def remember_keys(connection: Connection, workspace: str, keys: Mapping[str, str], at: datetime) -> None:
    """Add keys to the history of resources: our id → key of that moment."""
    rows = [
        {"workspace_id": workspace, "resource_id": resource_id, "key": key, "first_seen": at, "last_seen": at}
        for resource_id, key in keys.items()
        if key
    ]
    if not rows:
        return
    statement = _insert(connection, resource_keys)
    new = statement.excluded["last_seen"]
    connection.execute(
        statement.on_conflict_do_update(
            index_elements=["workspace_id", "resource_id", "key"],
            set_={"last_seen": new},
            where=new >= resource_keys.c.last_seen,
        ),
        rows,
    )


def _new_row(
    workspace: str, installation_id: str, kind: str, external_id: str, key: str, at: datetime
) -> dict[str, object]:
    return {
        "workspace_id": workspace,
        "id": new_id(),
        "installation_id": installation_id,
        "kind": kind,
        "external_id": external_id,
        "key": key,
        "url": "",
        "parent_id": "",
        "status": ResourceStatus.ACTIVE,
        "archived": False,
        "private": False,
        "attributes": {},
        "first_seen": at,
        "last_seen": at,
    }


def _write(
    connection: Connection,
    workspace: str,
    rows: Iterable[Mapping[str, object]],
    changed: Sequence[str],
    at: datetime,
) -> int:
    """Insert or update rows by their identity; what is known of a later moment stays as it is."""
    latest = list({(row["kind"], row["external_id"]): row for row in rows}.values())
    if not latest:
        return 0
    statement = _insert(connection, resources)
    new = statement.excluded
    values: dict[str, ColumnElement[object]] = {name: new[name] for name in (*changed, "last_seen")}
    values["key"] = case((new["key"] == "", resources.c.key), else_=new["key"])
    statement = statement.on_conflict_do_update(
        index_elements=["workspace_id", "installation_id", "kind", "external_id"],
        set_=values,
        where=new["last_seen"] >= resources.c.last_seen,
    )
    written = connection.execute(statement.returning(resources.c.id, resources.c.key), latest)
    remember_keys(connection, workspace, {row.id: row.key for row in written}, at)
    return len(latest)


def _insert(connection: Connection, table: Table) -> postgresql.Insert:
    """Return an insert that can turn into an update; both databases write it the same way."""
    if connection.dialect.name == "postgresql":
        return postgresql.insert(table)
    return cast("postgresql.Insert", sqlite.insert(table))
