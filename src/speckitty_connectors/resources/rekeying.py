"""Resources whose immutable id the provider replaced: what is mapped to them stays."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from attrs import evolve
from sqlalchemy import Connection, delete, select, update

from ..providers.resources import ResourceReference
from .hierarchy import DEEPEST
from .repository import CHANGING, DETAILS, PRESENT, find_resource, note_references, remember_keys
from .tables import resource_keys, resources
from .types import NEVER, KnownResource, ResourceStatus


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

    What was told of the new id before is kept, as the later of the two. The former id stays behind and leads to
    the new one, for what is told of it late.
    """
    scope = {"workspace": workspace, "installation_id": installation_id}
    new = ResourceReference(kind=kind, id=external_id)
    (today,) = successors(connection, **scope, references=[new])
    known = find_resource(connection, **scope, kind=kind, external_id=former_id)
    if today.id == former_id or (known is not None and known.successor_id):
        return False
    for reference, told in ((ResourceReference(kind=kind, id=former_id), {}), (today, PRESENT)):
        note_references(
            connection,
            workspace=workspace,
            installation_id=installation_id,
            references=[reference],
            at=at,
            told=told,
        )
    known = find_resource(connection, **scope, kind=kind, external_id=former_id)
    newer = find_resource(connection, **scope, kind=kind, external_id=today.id)
    if known is not None and newer is not None:
        _merge(connection, known, newer, at)
    return True


def successors(
    connection: Connection, *, workspace: str, installation_id: str, references: Iterable[ResourceReference]
) -> list[ResourceReference]:
    """Return the references with the ids of today, in their order."""
    return [_successor(connection, workspace, installation_id, reference) for reference in references]


def _successor(
    connection: Connection, workspace: str, installation_id: str, reference: ResourceReference
) -> ResourceReference:
    for _ in range(DEEPEST):
        known = find_resource(
            connection,
            workspace=workspace,
            installation_id=installation_id,
            kind=reference.kind,
            external_id=reference.id,
        )
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
            resources.c.workspace_id == known.workspace,
            resources.c.installation_id == known.installation_id,
            resources.c.kind == known.kind,
            resources.c.successor_id == known.external_id,
        )
        .values(successor_id=external_id)
    )


def _update(connection: Connection, known: KnownResource, **values: object) -> None:
    connection.execute(
        update(resources)
        .where(resources.c.workspace_id == known.workspace, resources.c.id == known.id)
        .values(**values)
    )
