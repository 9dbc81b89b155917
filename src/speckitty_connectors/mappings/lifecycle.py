"""The effective states of mappings: orphaned when their resources are gone, adopted when these are back."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from attrs import evolve
from sqlalchemy import Connection

from ..identifiers import InstallationKey
from ..installations import repository as installations
from ..installations.statuses import GONE
from ..installations.types import Installation
from ..resources.repository import find_resource
from ..resources.types import KnownResource, ResourceStatus
from ..store.audit import record_event
from . import repository
from .types import MappingState, ResourceMapping

VERBS: Mapping[MappingState, str] = {
    MappingState.ORPHANED: "orphaned",
    MappingState.DEGRADED: "degraded",
    MappingState.ACTIVE: "adopted",
}
"""What the audit calls it when a mapping gets another state by its resource."""


def update_states(connection: Connection, key: InstallationKey, now: datetime) -> int:
    """Bring the mappings of an installation in line with it; return how many changed.

    What a person paused stays paused, whatever happens to the resource; what was orphaned becomes active again
    by itself. Doing it twice changes nothing more.

    Raises:
        NotFoundError: there is no such installation in this workspace.
    """
    installation = installations.get(connection, key)
    changed = [
        _update(connection, mapping, installation, resource, now)
        for mapping, resource in repository.list_to_update(connection, key, everything=installation.status in GONE)
    ]
    return sum(changed)


def effective_state(installation: Installation, resource: KnownResource) -> tuple[MappingState, str]:
    """Return the state of a mapping that no person paused, and why, for a person."""
    if installation.status in GONE:
        return MappingState.ORPHANED, f"the installation is {installation.status}"
    if resource.status is not ResourceStatus.ACTIVE:
        return MappingState.ORPHANED, f"the resource is {resource.status}"
    if resource.archived:
        return MappingState.DEGRADED, "the resource is archived"
    return MappingState.ACTIVE, ""


def _update(
    connection: Connection,
    mapping: ResourceMapping,
    installation: Installation,
    resource: KnownResource,
    now: datetime,
) -> bool:
    if resource.successor_id and _move_on(connection, mapping, resource, now):
        return True
    state, reason = effective_state(installation, resource)
    if (state, reason) == (mapping.state, mapping.state_reason):
        return False
    repository.save(connection, evolve(mapping, state=state, state_reason=reason, updated_at=now))
    record_event(
        connection,
        mapping,
        VERBS[state],
        actor=f"provider:{installation.provider}",
        at=now,
        reason=reason,
        before={"state": mapping.state},
        after={"state": state},
    )
    return True


def _move_on(connection: Connection, mapping: ResourceMapping, left: KnownResource, now: datetime) -> bool:
    """Move a mapping from a former id of its resource to the new one, unless that has a mapping to its target."""
    successor = find_resource(connection, InstallationKey.of(mapping), (left.kind, left.successor_id))
    if successor is None or repository.reaches(connection, successor, mapping.target):
        return False
    repository.move(connection, mapping, successor, at=now)
    return True
