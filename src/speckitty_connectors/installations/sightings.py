"""Writes what a listing or a delivery tells of resources, and the history of their keys.

Each attribute that a provider changes holds what was told of the latest moment; of one moment, the greater value.
So what is told may arrive in any order and any number of times, and ends in the same row.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from types import MappingProxyType
from typing import Any

from sqlalchemy import ColumnElement, Connection, and_, case, or_

from ..identifiers import new_id
from ..providers.resources import Resource, ResourceReference
from ..store.upserts import upsert
from .tables import resource_keys, resources
from .types import NEVER, ResourceStatus

CHANGING = ("key", "status", "archived", "private")
"""The columns that changes are told of, each with a column ``…_at`` for the moment."""

DETAILS = ("url", "parent_id", "attributes")
"""The columns that only listings know."""

PRESENT: Mapping[str, object] = MappingProxyType({"status": ResourceStatus.ACTIVE})
"""What a mention tells at least: that the resource is there."""


def upsert_resources(
    connection: Connection, *, workspace: str, installation_id: str, listed: Iterable[Resource], at: datetime
) -> int:
    """Write what a listing saw, make it active unless it lies in the provider's bin, and remember its keys.

    Returns how many there were. Of the keys that it had before, nobody says when: they were its keys all along.
    """
    seen = list(listed)
    rows = [
        {
            **_new_row(workspace, installation_id, resource.kind, resource.id, at),
            **_told(_shown(resource), resource.key, at),
            "url": resource.url,
            "parent_id": resource.parent_id,
            "attributes": dict(resource.attributes),
        }
        for resource in seen
    ]
    former = {(resource.kind, resource.id): resource.former_keys for resource in seen}
    return _write(connection, workspace, rows, CHANGING, DETAILS, former)


def note_references(
    connection: Connection,
    *,
    workspace: str,
    installation_id: str,
    references: Iterable[ResourceReference],
    at: datetime,
    told: Mapping[str, object] = PRESENT,
) -> int:
    """Write what a delivery tells of resources; return how many there were.

    What wasn't known is noted, so that what occurred before it and comes after it finds it there. Details that
    a listing found stay as they are.

    Args:
        connection: the transaction.
        workspace: the workspace.
        installation_id: the installation.
        references: the resources; a key is told with the rest, where there is one.
        at: when it was so.
        told: column of `CHANGING` → its value; nothing more than the key where empty.
    """
    rows = [
        {
            **_new_row(workspace, installation_id, reference.kind, reference.id, at),
            **_told(told, reference.key, at),
        }
        for reference in references
    ]
    return _write(connection, workspace, rows, ("key", *told))


def remember_keys(connection: Connection, workspace: str, seen: Iterable[tuple[str, str, datetime]]) -> None:
    """Add keys to the history of resources: our id, the key, and the moment at which it was theirs."""
    rows = [
        {
            "workspace_id": workspace,
            "resource_id": resource_id,
            "key": key,
            "folded_key": key.lower(),
            "first_seen": at,
            "last_seen": at,
        }
        for resource_id, key, at in seen
        if key
    ]
    if not rows:
        return
    statement = upsert(connection, resource_keys)
    new = statement.excluded
    connection.execute(
        statement.on_conflict_do_update(
            index_elements=["workspace_id", "resource_id", "key"],
            set_={
                "first_seen": _earlier(new["first_seen"], resource_keys.c.first_seen),
                "last_seen": _later(new["last_seen"], resource_keys.c.last_seen),
            },
        ),
        rows,
    )


def _new_row(workspace: str, installation_id: str, kind: str, external_id: str, at: datetime) -> dict[str, object]:
    return {
        "workspace_id": workspace,
        "id": new_id(),
        "installation_id": installation_id,
        "kind": kind,
        "external_id": external_id,
        "key": "",
        "url": "",
        "parent_id": "",
        "status": ResourceStatus.ACTIVE,
        "archived": False,
        "private": False,
        "attributes": {},
        "first_seen": at,
        "last_seen": at,
        "successor_id": "",
        **{f"{column}_at": NEVER for column in CHANGING},
    }


def _shown(resource: Resource) -> Mapping[str, object]:
    status = ResourceStatus.DELETED if resource.deleted else ResourceStatus.ACTIVE
    return {"archived": resource.archived, "private": resource.private, "status": status}


def _told(told: Mapping[str, object], key: str, at: datetime) -> dict[str, object]:
    values = {**told, "key": key} if key else told
    return {**values, **{f"{column}_at": at for column in values}}


def _write(
    connection: Connection,
    workspace: str,
    rows: Iterable[Mapping[str, Any]],
    changing: Sequence[str],
    details: Sequence[str] = (),
    former: Mapping[tuple[str, str], Sequence[str]] = MappingProxyType({}),
) -> int:
    """Insert or update rows by their identity; an id that was replaced stays what it is."""
    latest = {(row["kind"], row["external_id"]): row for row in rows}
    if not latest:
        return 0
    statement = upsert(connection, resources)
    new, old = statement.excluded, resources.c
    values: dict[str, ColumnElement[Any]] = {
        "first_seen": _earlier(new["first_seen"], old.first_seen),
        "last_seen": _later(new["last_seen"], old.last_seen),
    }
    for column in changing:
        moment = f"{column}_at"
        greater = and_(new[moment] == old[moment], new[column] > old[column])
        holds = or_(new[moment] > old[moment], greater)
        values |= {name: case((holds, new[name]), else_=old[name]) for name in (column, moment)}
    for column in details:
        values[column] = case((new["last_seen"] >= old.last_seen, new[column]), else_=old[column])
    statement = statement.on_conflict_do_update(
        index_elements=["workspace_id", "installation_id", "kind", "external_id"],
        set_=values,
        where=old.successor_id == "",
    )
    written = connection.execute(
        statement.returning(old.id, old.kind, old.external_id), list(latest.values())
    ).all()
    told = [(row.id, latest[row.kind, row.external_id]) for row in written]
    remember_keys(connection, workspace, [(known, row["key"], row["last_seen"]) for known, row in told])
    before = [(row.id, key, NEVER) for row in written for key in former.get((row.kind, row.external_id), ())]
    remember_keys(connection, workspace, before)
    return len(latest)


def _later(new: ColumnElement[Any], old: ColumnElement[Any]) -> ColumnElement[Any]:
    return case((new > old, new), else_=old)


def _earlier(new: ColumnElement[Any], old: ColumnElement[Any]) -> ColumnElement[Any]:
    return case((new < old, new), else_=old)
