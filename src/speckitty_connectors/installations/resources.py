"""Reads and writes the resources of an installation and the history of their keys; labels never decide."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from attrs import evolve
from sqlalchemy import ColumnElement, Connection, Row, Select, select, update

from ..errors import ConflictError, NotFoundError
from ..providers.resources import ResourceReference
from .hierarchy import Place, among
from .sightings import CHANGING, note_references
from .tables import resource_keys, resources
from .types import Installation, KnownResource, ResourceStatus


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


def identify(connection: Connection, installation: Installation, reference: ResourceReference) -> ResourceReference:
    """Return a mention that has a key alone with the id of the one resource that has this key today.

    A key that none, or more than one, of the installation's resources has stays without an id.
    """
    bearers = find_by_key(
        connection,
        workspace=installation.workspace,
        key=reference.key,
        kind=reference.kind,
        installation_id=installation.id,
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
