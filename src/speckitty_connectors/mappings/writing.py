"""Writes what people change of mappings: audited as a whole, and one mapping for each resource and target."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime

from attrs import evolve
from sqlalchemy import Connection
from sqlalchemy.exc import IntegrityError

from ..errors import ConflictError
from ..installations import repository as installations
from . import repository
from .history import record_change
from .lifecycle import standing
from .types import ResourceMapping


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
    record_change(connection, verb, actor=actor, at=at, before=known, after=changed, reason=reason)
    return changed


def delete(
    connection: Connection, known: ResourceMapping, verb: str, *, actor: str, at: datetime, reason: str = ""
) -> None:
    """Delete a mapping; the audit keeps what it was."""
    repository.remove(connection, workspace=known.workspace, mapping_id=known.id)
    record_change(connection, verb, actor=actor, at=at, before=known, after=None, reason=reason)


def as_it_stands(connection: Connection, mapping: ResourceMapping) -> ResourceMapping:
    """Return a mapping in the state that its resource gives it, with the reason."""
    state, reason = standing(
        installations.get(connection, workspace=mapping.workspace, installation_id=mapping.installation_id),
        installations.get_resource(connection, workspace=mapping.workspace, resource_id=mapping.resource_id),
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
