"""Reads and writes the resources of an installation and the history of their keys; labels never decide."""

from __future__ import annotations

from datetime import datetime

from attrs import evolve
from sqlalchemy import ColumnElement, Connection, Row, Select, select, update

from ..errors import ConflictError, NotFoundError
from ..providers.resources import ResourceReference
from .sightings import remember_keys
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


def resolve_key(
    connection: Connection, *, workspace: str, installation_id: str, key: str, kind: str = ""
) -> KnownResource:
    """Return the resource that a person means by a key: one that has it today, else one that had it once.

    Raises:
        NotFoundError: none has or had that key.
        ConflictError: several do, so the key doesn't say which.
    """
    query = _of(workspace, installation_id)
    if kind:
        query = query.where(resources.c.kind == kind)
    today = [_known(row) for row in connection.execute(query.where(resources.c.key == key))]
    formerly = query.where(
        resources.c.id.in_(
            select(resource_keys.c.resource_id).where(
                resource_keys.c.workspace_id == workspace, resource_keys.c.key == key
            )
        )
    )
    found = today or [_known(row) for row in connection.execute(formerly)]
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
    place = _of(installation.workspace, installation.id)
    query = place.where(resources.c.kind == reference.kind, resources.c.key == reference.key)
    found = connection.execute(query.where(resources.c.status == ResourceStatus.ACTIVE)).all()
    return evolve(reference, id=found[0].external_id) if len(found) == 1 else reference


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
    **values: object,
) -> bool:
    """Change columns of a resource; return whether anything changed.

    A moment before what is known of the resource changes nothing, so that a late delivery undoes nothing.
    """
    known = find_resource(
        connection, workspace=workspace, installation_id=installation_id, kind=kind, external_id=external_id
    )
    if known is None or at < known.last_seen:
        return False
    if all(getattr(known, name) == value for name, value in values.items()):
        return False
    _update(connection, known, last_seen=at, **values)
    return True


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

    A moment before what is known of the resource only adds to the history.
    """
    identity = {
        "workspace": workspace,
        "installation_id": installation_id,
        "kind": kind,
        "external_id": external_id,
    }
    known = find_resource(connection, **identity)
    if known is None or not key:
        return False
    remember_keys(connection, workspace, {known.id: key}, at)
    return change_resource(connection, **identity, at=at, key=key)


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


def rekey_resource(
    connection: Connection,
    *,
    workspace: str,
    installation_id: str,
    kind: str,
    former_id: str,
    external_id: str,
    at: datetime,
) -> bool:
    """Give a resource its new immutable id, so that what is mapped to it stays; return whether it changed.

    Where a listing has seen the new id already, that newer row takes the former id in exchange.
    """
    scope = {"workspace": workspace, "installation_id": installation_id, "kind": kind}
    known = find_resource(connection, **scope, external_id=former_id)
    if known is None or known.status is ResourceStatus.TRANSFERRED or former_id == external_id:
        return False
    newer = find_resource(connection, **scope, external_id=external_id)
    if newer is not None:
        _update(connection, known, external_id=f"{external_id} ← {former_id}")
        _update(connection, newer, external_id=former_id, status=ResourceStatus.TRANSFERRED)
    _update(
        connection, known, external_id=external_id, status=ResourceStatus.ACTIVE, last_seen=max(at, known.last_seen)
    )
    return True


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


def _update(connection: Connection, known: KnownResource, **values: object) -> None:
    connection.execute(
        update(resources)
        .where(resources.c.workspace_id == known.workspace, resources.c.id == known.id)
        .values(**values)
    )


def _move(
    connection: Connection,
    workspace: str,
    installation_id: str,
    before: ResourceStatus,
    after: ResourceStatus,
    *conditions: ColumnElement[bool],
) -> int:
    moved = connection.execute(
        update(resources)
        .where(resources.c.workspace_id == workspace, resources.c.installation_id == installation_id)
        .where(resources.c.status == before, *conditions)
        .values(status=after)
    )
    return moved.rowcount
