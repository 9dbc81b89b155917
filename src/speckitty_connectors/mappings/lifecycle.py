"""Mappings follow their resources: orphaned when these are gone, adopted again when they are back."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Connection

from ..installations import repository as installations
from ..installations.types import GONE, Installation, KnownResource, ResourceStatus
from ..store.audit import record
from . import repository
from .types import MappingState, ResourceMapping


def follow(connection: Connection, *, workspace: str, installation_id: str, now: datetime) -> int:
    """Bring the mappings of an installation in line with it; return how many changed.

    What a person paused stays paused, whatever happens to the resource; what was orphaned becomes active again
    by itself. Doing it twice changes nothing more.

    Raises:
        NotFoundError: there is no such installation in this workspace.
    """
    installation = installations.get(connection, workspace=workspace, installation_id=installation_id)
    known = {
        resource.id: resource
        for resource in installations.list_resources(
            connection, workspace=workspace, installation_id=installation_id
        )
    }
    mappings = repository.list_all(connection, workspace=workspace, installation_id=installation_id)
    return sum(
        _follow_one(connection, mapping, installation, known[mapping.resource_id], now) for mapping in mappings
    )


def gone_because(installation: Installation, resource: KnownResource) -> str:
    """Return why nothing can come over a resource, for a person; empty where it can."""
    if installation.status in GONE:
        return f"the installation is {installation.status}"
    if resource.status is not ResourceStatus.ACTIVE:
        return f"the resource is {resource.status}"
    return ""


def _follow_one(
    connection: Connection,
    mapping: ResourceMapping,
    installation: Installation,
    resource: KnownResource,
    now: datetime,
) -> bool:
    reason = gone_because(installation, resource)
    if mapping.state is MappingState.PAUSED:
        return False
    if reason and (mapping.state is not MappingState.ORPHANED or mapping.state_reason != reason):
        after = MappingState.ORPHANED
    elif not reason and mapping.state is MappingState.ORPHANED:
        after = MappingState.ACTIVE
    else:
        return False
    repository.set_state(
        connection, workspace=mapping.workspace, mapping_id=mapping.id, state=after, reason=reason, at=now
    )
    record(
        connection,
        workspace=mapping.workspace,
        at=now,
        actor=f"provider:{installation.provider}",
        verb="mapping.orphaned" if reason else "mapping.adopted",
        entity="mapping",
        entity_id=mapping.id,
        reason=reason,
        before={"state": mapping.state},
        after={"state": after},
    )
    return True
