"""Reads and writes resource mappings; every function is bound to one workspace."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from sqlalchemy import Connection, Row, Select, and_, delete, insert, not_, select, update

from ..errors import NotFoundError
from ..identifiers import InstallationKey
from ..providers.codec import converter, to_document
from ..providers.suggestions import Target
from ..resources.hierarchy import Place, among
from ..resources.repository import find_resources
from ..resources.tables import resources
from ..resources.types import KnownResource, ResourceStatus
from ..store.rows import from_row, is_row, is_under
from .tables import resource_mappings
from .types import Direction, MappingOrigin, MappingState, ResourceMapping, Selector


def add(connection: Connection, mapping: ResourceMapping) -> None:
    """Write a new mapping.

    Raises:
        sqlalchemy.exc.IntegrityError: the resource is mapped to that target already, or isn't the
            installation's in this workspace.
    """
    connection.execute(
        insert(resource_mappings).values(
            workspace_id=mapping.workspace,
            id=mapping.id,
            installation_id=mapping.installation_id,
            resource_id=mapping.resource_id,
            origin=mapping.origin,
            created_by=mapping.created_by,
            created_at=mapping.created_at,
            **_changeable(mapping),
        )
    )


def save(connection: Connection, mapping: ResourceMapping) -> None:
    """Write a changed mapping back; its resource, origin and author stay.

    Raises:
        sqlalchemy.exc.IntegrityError: the resource is mapped to that target already.
    """
    connection.execute(
        update(resource_mappings)
        .where(is_row(resource_mappings, mapping.workspace, mapping.id))
        .values(_changeable(mapping))
    )


def _changeable(mapping: ResourceMapping) -> dict[str, object]:
    return {
        "target_kind": mapping.target.kind,
        "target_id": mapping.target.id,
        "selector": to_document(mapping.selector),
        "direction": mapping.direction,
        "state": mapping.state,
        "state_reason": mapping.state_reason,
        "updated_at": mapping.updated_at,
    }


def find(connection: Connection, *, workspace: str, mapping_id: str) -> ResourceMapping | None:
    """Return the mapping of that id, or None."""
    row = connection.execute(_of(workspace).where(resource_mappings.c.id == mapping_id)).one_or_none()
    return None if row is None else read_mapping(row)


def get(connection: Connection, *, workspace: str, mapping_id: str) -> ResourceMapping:
    """Return the mapping of that id."""
    found = find(connection, workspace=workspace, mapping_id=mapping_id)
    if found is None:
        raise NotFoundError.of("mapping", mapping_id)
    return found


def list_all(
    connection: Connection, *, workspace: str, installation_id: str | None = None, target: Target | None = None
) -> list[ResourceMapping]:
    """Return the workspace's mappings, oldest first, of one installation or of one target where asked."""
    query = _of(workspace)
    if installation_id is not None:
        query = query.where(resource_mappings.c.installation_id == installation_id)
    if target is not None:
        query = query.where(
            resource_mappings.c.target_kind == target.kind, resource_mappings.c.target_id == target.id
        )
    return [read_mapping(row) for row in connection.execute(query)]


def find_for_resources(
    connection: Connection, installation: InstallationKey, places: Iterable[Place]
) -> list[ResourceMapping]:
    """Return every mapping of these resources, oldest first, in whatever state and direction.

    Resources are found by kind and immutable id; a key decides nothing.
    """
    found = [
        read_mapping(row)
        for wanted in among(places)
        for row in connection.execute(_of(installation.workspace).where(is_under(resources, installation), wanted))
    ]
    return sorted(found, key=lambda mapping: mapping.id)


def list_to_update(
    connection: Connection, installation: InstallationKey, *, everything: bool
) -> list[tuple[ResourceMapping, KnownResource]]:
    """Return the mappings that may not be in line with their resource, each with it, oldest first.

    What people paused isn't among them, and unless `everything` is asked for, neither is what routes from a
    healthy resource: of the mappings of an installation, that is nearly all.
    """
    query = _of(installation.workspace).where(
        is_under(resource_mappings, installation), resource_mappings.c.state != MappingState.PAUSED
    )
    if not everything:
        healthy = and_(
            resource_mappings.c.state == MappingState.ACTIVE,
            resources.c.status == ResourceStatus.ACTIVE,
            resources.c.archived.is_(False),
        )
        query = query.where(not_(healthy))
    found = [read_mapping(row) for row in connection.execute(query)]
    places = {mapping.place for mapping in found}
    known = {resource.id: resource for resource in find_resources(connection, installation, places).values()}
    return [(mapping, known[mapping.resource_id]) for mapping in found]


def reaches(connection: Connection, resource: KnownResource, target: Target) -> bool:
    """Return whether a resource is mapped to a target."""
    found = list_all(
        connection, workspace=resource.workspace, installation_id=resource.installation_id, target=target
    )
    return any(mapping.resource_id == resource.id for mapping in found)


def move(connection: Connection, mapping: ResourceMapping, resource: KnownResource, *, at: datetime) -> None:
    """Let a mapping be one of another resource of the same installation."""
    connection.execute(
        update(resource_mappings)
        .where(is_row(resource_mappings, mapping.workspace, mapping.id))
        .values(resource_id=resource.id, updated_at=at)
    )


def remove(connection: Connection, *, workspace: str, mapping_id: str) -> None:
    """Remove a mapping."""
    connection.execute(delete(resource_mappings).where(is_row(resource_mappings, workspace, mapping_id)))


def _of(workspace: str) -> Select[tuple[object, ...]]:
    """Return the mappings of a workspace, each with what its resource is called."""
    same_resource = and_(
        resources.c.workspace_id == resource_mappings.c.workspace_id,
        resources.c.id == resource_mappings.c.resource_id,
    )
    return (
        select(
            resource_mappings,
            resources.c.kind.label("resource_kind"),
            resources.c.external_id.label("resource_external_id"),
            resources.c.key.label("resource_key"),
        )
        .join(resources, same_resource)
        .where(resource_mappings.c.workspace_id == workspace)
        .order_by(resource_mappings.c.id)
    )


def read_mapping(row: Row[tuple[object, ...]], **of_resource: str) -> ResourceMapping:
    """Return the mapping of a row of `resource_mappings`; what its resource is called, unless the row has it."""
    return from_row(
        ResourceMapping,
        row,
        target=Target(kind=row.target_kind, id=row.target_id),
        selector=converter.structure(row.selector, Selector),
        direction=Direction(row.direction),
        origin=MappingOrigin(row.origin),
        state=MappingState(row.state),
        **of_resource,
    )
