"""Writes what a listing or a delivery tells of resources, and the history of their keys.

Each attribute that a provider changes holds what was told of the latest moment; of one moment, the greater value.
So what is told may arrive in any order and any number of times, and ends in the same row.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from types import MappingProxyType
from typing import Any

from attrs import evolve
from sqlalchemy import ColumnElement, Connection, Row, Select, and_, case, or_, select, update

from ..errors import ConflictError, NotFoundError
from ..identifiers import new_id
from ..providers.resources import Resource, ResourceReference
from ..store.metadata import upsert
from .hierarchy import Place, among
from .tables import resource_keys, resources
from .types import NEVER, KnownResource, ResourceStatus

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


def find_resource(
    connection: Connection, *, workspace: str, installation_id: str, kind: str, external_id: str
) -> KnownResource | None:
    """Return the resource of that identity, or None."""
    row = connection.execute(
        _of(workspace, installation_id).where(resources.c.kind == kind, resources.c.external_id == external_id)
    ).one_or_none()
    return None if row is None else _known(row)


def find_resources(
    connection: Connection, *, workspace: str, installation_id: str, places: Iterable[Place]
) -> list[KnownResource]:
    """Return those of these resources that are known."""
    return [
        _known(row)
        for wanted in among(places)
        for row in connection.execute(_of(workspace, installation_id).where(wanted))
    ]


def get_resource(connection: Connection, *, workspace: str, resource_id: str) -> KnownResource:
    """Return the resource of our id.

    Raises:
        NotFoundError: there is none in this workspace.
    """
    row = connection.execute(
        select(resources).where(resources.c.workspace_id == workspace, resources.c.id == resource_id)
    ).one_or_none()
    if row is None:
        raise no_resource(resource_id)
    return _known(row)


def list_resources(
    connection: Connection, *, workspace: str, installation_id: str, status: ResourceStatus | None = None
) -> list[KnownResource]:
    """Return the installation's resources, ordered by their key of today."""
    query = _of(workspace, installation_id).order_by(resources.c.key, resources.c.id)
    if status is not None:
        query = query.where(resources.c.status == status)
    return [_known(row) for row in connection.execute(query)]


def find_by_key(
    connection: Connection, *, workspace: str, key: str, kind: str = "", installation_id: str = ""
) -> list[KnownResource]:
    """Return the resources that have a key today, or where none has, those that had it once."""
    had_it = select(resource_keys.c.resource_id).where(
        resource_keys.c.workspace_id == workspace, resource_keys.c.key == key
    )
    query = select(resources).where(resources.c.workspace_id == workspace, resources.c.id.in_(had_it))
    if kind:
        query = query.where(resources.c.kind == kind)
    if installation_id:
        query = query.where(resources.c.installation_id == installation_id)
    found = [_known(row) for row in connection.execute(query.order_by(resources.c.id))]
    return [known for known in found if known.key == key] or found


def list_page(
    connection: Connection, *, workspace: str, installation_id: str, after: str, limit: int
) -> list[KnownResource]:
    """Return up to `limit` active resources by our ids, those behind the one of id `after`."""
    rows = connection.execute(
        _of(workspace, installation_id)
        .where(resources.c.status == ResourceStatus.ACTIVE, resources.c.id > after)
        .order_by(resources.c.id)
        .limit(limit)
    )
    return [_known(row) for row in rows]


def resolve_key(
    connection: Connection, *, workspace: str, installation_id: str, key: str, kind: str = ""
) -> KnownResource:
    """Return the resource that a person means by a key: one that has it today, else one that had it once.

    Raises:
        NotFoundError: none has or had that key.
        ConflictError: several do, so the key doesn't say which.
    """
    found = find_by_key(connection, workspace=workspace, key=key, kind=kind, installation_id=installation_id)
    if not found:
        raise no_resource(key)
    if len(found) > 1:
        raise ConflictError(
            f"{len(found)} resources have or had this key",
            subject=f"resource {key}",
            remedy="name the one you mean by its kind and the provider's id",
        )
    return found[0]


def identify(
    connection: Connection, *, workspace: str, installation_id: str, reference: ResourceReference
) -> ResourceReference:
    """Return a mention that has a key alone with the id of the one resource that has this key today.

    A key that none, or more than one, of the installation's resources has stays without an id.
    """
    bearers = find_by_key(
        connection,
        workspace=workspace,
        key=reference.key,
        kind=reference.kind,
        installation_id=installation_id,
    )
    today = [each for each in bearers if each.key == reference.key and each.status is ResourceStatus.ACTIVE]
    return evolve(reference, id=today[0].external_id) if len(today) == 1 else reference


def former_keys(connection: Connection, *, workspace: str, resource_id: str) -> list[str]:
    """Return every key the resource has had, the newest first."""
    rows = connection.execute(
        select(resource_keys.c.key)
        .where(resource_keys.c.workspace_id == workspace, resource_keys.c.resource_id == resource_id)
        .order_by(resource_keys.c.last_seen.desc(), resource_keys.c.key)
    )
    return [row.key for row in rows]


def change_resource(
    connection: Connection,
    *,
    workspace: str,
    installation_id: str,
    kind: str,
    external_id: str,
    at: datetime,
    key: str = "",
    **told: object,
) -> bool:
    """Change what is told of a resource that is known; return whether anything changed.

    What was told of a later moment stays, so that a late delivery undoes nothing.
    """
    scope = {"workspace": workspace, "installation_id": installation_id}
    known = find_resource(connection, **scope, kind=kind, external_id=external_id)
    if known is None:
        return False
    reference = ResourceReference(kind=kind, id=external_id, key=key)
    note_references(connection, **scope, references=[reference], at=at, told=told)
    return not is_same(known, get_resource(connection, workspace=workspace, resource_id=known.id))


def is_same(one: KnownResource | None, other: KnownResource | None) -> bool:
    """Return whether a person would see no difference, whatever the moments are."""
    if one is None or other is None:
        return one is other
    return all(getattr(one, column) == getattr(other, column) for column in CHANGING)


def rename_resource(
    connection: Connection,
    *,
    workspace: str,
    installation_id: str,
    kind: str,
    external_id: str,
    key: str,
    at: datetime,
) -> bool:
    """Change the label of a resource and keep the former one; return whether it changed.

    A moment before what is known of the label only adds to the history.
    """
    return change_resource(
        connection,
        workspace=workspace,
        installation_id=installation_id,
        kind=kind,
        external_id=external_id,
        at=at,
        key=key,
    )


def set_resource_status(
    connection: Connection,
    *,
    workspace: str,
    installation_id: str,
    kind: str,
    external_id: str,
    status: ResourceStatus,
    at: datetime,
) -> bool:
    """Change whether a resource can be reached; return whether it changed."""
    return change_resource(
        connection,
        workspace=workspace,
        installation_id=installation_id,
        kind=kind,
        external_id=external_id,
        at=at,
        status=status,
    )


def orphan_resources(connection: Connection, *, workspace: str, installation_id: str) -> int:
    """Mark the active resources of an installation that is gone; return how many there were."""
    return _move(connection, workspace, installation_id, ResourceStatus.ACTIVE, ResourceStatus.ORPHANED)


def revive_resources(connection: Connection, *, workspace: str, installation_id: str) -> int:
    """Adopt the orphaned resources of an installation that is back; return how many there were."""
    return _move(connection, workspace, installation_id, ResourceStatus.ORPHANED, ResourceStatus.ACTIVE)


def mark_unseen(connection: Connection, *, workspace: str, installation_id: str, since: datetime) -> int:
    """Mark what a complete listing that began at `since` didn't show; return how many there were."""
    return _move(
        connection,
        workspace,
        installation_id,
        ResourceStatus.ACTIVE,
        ResourceStatus.MISSING,
        resources.c.last_seen < since,
        status_at=since,
    )


def _of(workspace: str, installation_id: str) -> Select[tuple[object, ...]]:
    return select(resources).where(
        resources.c.workspace_id == workspace, resources.c.installation_id == installation_id
    )


def no_resource(name: str) -> NotFoundError:
    """Return the error that says that a resource isn't there."""
    return NotFoundError(
        "there is no such resource in this workspace",
        subject=f"resource {name}",
        remedy="sync the inventory of the installation, then use what it lists",
    )


def _known(row: Row[tuple[object, ...]]) -> KnownResource:
    values: dict[str, object] = dict(row._mapping)  # noqa: SLF001 - SQLAlchemy's public name
    values["workspace"] = values.pop("workspace_id")
    values["status"] = ResourceStatus(str(values["status"]))
    return KnownResource(**values)  # type: ignore[arg-type]  # the columns are the attributes


def _move(
    connection: Connection,
    workspace: str,
    installation_id: str,
    before: ResourceStatus,
    after: ResourceStatus,
    *conditions: ColumnElement[bool],
    **values: object,
) -> int:
    moved = connection.execute(
        update(resources)
        .where(resources.c.workspace_id == workspace, resources.c.installation_id == installation_id)
        .where(resources.c.status == before, *conditions)
        .values(status=after, **values)
    )
    return moved.rowcount
