"""What mappings were before each change, kept by the audit, so that the last change can be undone."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime

from attrs import evolve, frozen
from sqlalchemy import Connection, select
from sqlalchemy.exc import IntegrityError

from ..errors import ConflictError
from ..identifiers import InstallationKey
from ..installations import repository as installations
from ..providers.codec import converter
from ..providers.suggestions import Target
from ..resources.repository import get_resource
from ..resources.types import KnownResource
from ..store.audit import audit, record_change, record_event
from . import repository
from .lifecycle import effective_state
from .types import Direction, MappingOrigin, MappingState, ResourceMapping, Selector


@frozen(kw_only=True)
class MappingChange:
    """A person's change of a mapping.

    `before` is the mapping as it was, and empty where there was none.
    """

    verb: str
    before: Mapping[str, object]


def last_change(connection: Connection, *, workspace: str, mapping_id: str) -> MappingChange | None:
    """Return the last change of a mapping that a person made, or None where there was none."""
    row = connection.execute(
        select(audit.c.verb, audit.c.before)
        .where(
            audit.c.workspace_id == workspace,
            audit.c.entity == "mapping",
            audit.c.entity_id == mapping_id,
            audit.c.actor.not_like("provider:%"),
        )
        .order_by(audit.c.id.desc())
        .limit(1)
    ).one_or_none()
    return None if row is None else MappingChange(verb=row.verb, before=row.before)


def restored(
    document: Mapping[str, object], known: KnownResource, *, mapping_id: str, at: datetime
) -> ResourceMapping:
    """Return the mapping that a document of the audit describes."""
    return ResourceMapping.of_known(
        known,
        actor=str(document["created_by"]),
        at=at,
        id=mapping_id,
        target=converter.structure(document["target"], Target),
        selector=converter.structure(document["selector"], Selector),
        direction=Direction(str(document["direction"])),
        origin=MappingOrigin(str(document["origin"])),
        state=MappingState(str(document["state"])),
        state_reason=str(document["state_reason"]),
        created_at=datetime.fromisoformat(str(document["created_at"])),
    )


def save(
    connection: Connection,
    known: ResourceMapping | None,
    changed: ResourceMapping,
    verb: str,
    *,
    actor: str,
    at: datetime,
    reason: str = "",
) -> ResourceMapping:
    """Write a mapping, new where none is known; nothing happens where it is what is known.

    Raises:
        ConflictError: the resource is mapped to that target by another mapping.
    """
    if changed == known:
        return changed
    changed = evolve(changed, updated_at=at)
    with _one_per_target(changed):
        if known is None:
            repository.add(connection, changed)
        else:
            repository.save(connection, changed)
    record_change(connection, known, changed, verb, actor=actor, at=at, reason=reason)
    return changed


def create(connection: Connection, mapping: ResourceMapping, *, actor: str, at: datetime) -> ResourceMapping:
    """Write a new mapping, in the state that its resource gives it."""
    return save(connection, None, with_effective_state(connection, mapping), "created", actor=actor, at=at)


def remove(
    connection: Connection, known: ResourceMapping, verb: str, *, actor: str, at: datetime, reason: str = ""
) -> None:
    """Remove a mapping; the audit keeps what it was."""
    repository.remove(connection, workspace=known.workspace, mapping_id=known.id)
    record_event(connection, known, verb, actor=actor, at=at, reason=reason, before=known.audited())


def with_effective_state(connection: Connection, mapping: ResourceMapping) -> ResourceMapping:
    """Return a mapping in the state that its resource gives it, with the reason."""
    state, reason = effective_state(
        installations.get(connection, InstallationKey.of(mapping)),
        get_resource(connection, workspace=mapping.workspace, resource_id=mapping.resource_id),
    )
    return evolve(mapping, state=state, state_reason=reason)


@contextmanager
def _one_per_target(mapping: ResourceMapping) -> Iterator[None]:
    try:
        yield
    except IntegrityError:
        raise ConflictError(
            "the resource is mapped to this target already",
            subject=f"resource {mapping.resource_key or mapping.resource_external_id}, target {mapping.target}",
            remedy="change or remove the mapping that is there",
        ) from None
