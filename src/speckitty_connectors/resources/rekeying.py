"""Resources whose immutable id the provider replaced: what is mapped to them stays."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from attrs import evolve
from sqlalchemy import Connection, delete, select, update

from ..identifiers import InstallationKey
from ..providers.resources import ResourceReference
from ..store.rows import is_row, is_under
from .hierarchy import DEEPEST
from .repository import CHANGING, DETAILS, NOTHING_MORE, find_resource, note_references, remember_keys
from .tables import resource_keys, resources
from .types import NEVER, KnownResource, ResourceStatus


def rekey_resource(
    connection: Connection,
    installation: InstallationKey,
    renewed: ResourceReference,
    *,
    former_id: str,
    at: datetime,
) -> bool:
    """Give a resource its new immutable id, so that what is mapped to it stays; return whether it changed.

    What was said about the new id before is kept, as the later of the two. The former id stays behind and leads to
    the new one, for what is reported late.
    """
    former = ResourceReference(kind=renewed.kind, id=former_id)
    today = _successor(connection, installation, evolve(renewed, key=""))
    known = find_resource(connection, installation, former.place)
    if today.id == former_id or (known is not None and known.successor_id):
        return False
    note_references(connection, installation, references=[former], at=at, told=NOTHING_MORE)
    note_references(connection, installation, references=[today], at=at)
    known = find_resource(connection, installation, former.place)
    newer = find_resource(connection, installation, today.place)
    if known is not None and newer is not None:
        _merge(connection, known, newer, at)
    return True


def successors(
    connection: Connection, installation: InstallationKey, references: Iterable[ResourceReference]
) -> list[ResourceReference]:
    """Return the references with the ids of today, in their order."""
    return [_successor(connection, installation, reference) for reference in references]


def _successor(
    connection: Connection, installation: InstallationKey, reference: ResourceReference
) -> ResourceReference:
    for _ in range(DEEPEST):
        known = find_resource(connection, installation, reference.place)
        if known is None or not known.successor_id:
            break
        reference = evolve(reference, id=known.successor_id)
    return reference


def _merge(connection: Connection, known: KnownResource, newer: KnownResource, at: datetime) -> None:
    """Let the row of the former id become that of the new one; the other row stays behind as the former id."""
    values: dict[str, Any] = {
        "external_id": newer.external_id,
        "first_seen": min(known.first_seen, newer.first_seen),
        "last_seen": max(known.last_seen, newer.last_seen),
    }
    for column in CHANGING:
        told = [(getattr(each, f"{column}_at"), getattr(each, column)) for each in (known, newer)]
        values[f"{column}_at"], values[column] = max(told)
    listed = newer if any(getattr(newer, column) for column in DETAILS) else known
    values |= {column: getattr(listed, column) for column in DETAILS}
    left: dict[str, Any] = {
        "external_id": known.external_id,
        "successor_id": newer.external_id,
        "key": "",
        "status": ResourceStatus.REKEYED,
        "archived": False,
        "private": False,
        **{f"{column}_at": NEVER for column in CHANGING},
        "status_at": at,
        "first_seen": at,
        "last_seen": at,
    }
    _update(connection, known, external_id=f"{newer.external_id} ← {known.external_id}")
    _update(connection, newer, **left)
    _update(connection, known, **values)
    _move_keys(connection, newer, known)
    _lead_on(connection, known, newer.external_id)


def _move_keys(connection: Connection, source: KnownResource, destination: KnownResource) -> None:
    of_source = (
        resource_keys.c.workspace_id == source.workspace,
        resource_keys.c.resource_id == source.id,
    )
    for row in connection.execute(select(resource_keys).where(*of_source)).all():
        for at in (row.first_seen, row.last_seen):
            remember_keys(connection, source.workspace, [(destination.id, row.key, at)])
    connection.execute(delete(resource_keys).where(*of_source))


def _lead_on(connection: Connection, known: KnownResource, external_id: str) -> None:
    """Let the ids that led to the former id lead to the new one."""
    connection.execute(
        update(resources)
        .where(
            is_under(resources, InstallationKey.of(known)),
            resources.c.kind == known.kind,
            resources.c.successor_id == known.external_id,
        )
        .values(successor_id=external_id)
    )


def _update(connection: Connection, known: KnownResource, **values: object) -> None:
    connection.execute(update(resources).where(is_row(resources, known.workspace, known.id)).values(**values))
