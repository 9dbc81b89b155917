"""The append-only record of who changed what, and why."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from sqlalchemy import JSON, Column, Connection, Index, String, Table, insert

from ..identifiers import new_id
from .metadata import UtcDateTime, identifier, metadata, workspace_column

audit = Table(
    "audit",
    metadata,
    workspace_column(),
    identifier("id", primary_key=True),
    Column("at", UtcDateTime, nullable=False),
    Column("actor", String, nullable=False),
    Column("verb", String, nullable=False),
    Column("entity", String, nullable=False),
    identifier("entity_id"),
    Column("reason", String, nullable=False),
    Column("before", JSON, nullable=False),
    Column("after", JSON, nullable=False),
    Index(None, "workspace_id", "entity", "entity_id"),
)
"""One row per change; rows are only ever added."""


def record(
    connection: Connection,
    *,
    workspace: str,
    at: datetime,
    actor: str,
    verb: str,
    entity: str,
    entity_id: str,
    reason: str = "",
    before: Mapping[str, object] | None = None,
    after: Mapping[str, object] | None = None,
) -> None:
    """Write one change, in the transaction that makes it; never pass a secret.

    Args:
        connection: the transaction.
        workspace: whose record it is.
        at: when, in UTC.
        actor: ``member:<id>``, ``provider:<key>``, ``operator`` or ``system``.
        verb: ``<entity>.<past participle>``, for example ``installation.suspended``.
        entity: kind of the changed thing.
        entity_id: its id.
        reason: why, for a person.
        before: the changed fields as they were.
        after: the changed fields as they are.
    """
    connection.execute(
        insert(audit).values(
            workspace_id=workspace,
            id=new_id(),
            at=at,
            actor=actor,
            verb=verb,
            entity=entity,
            entity_id=entity_id,
            reason=reason,
            before=dict(before or {}),
            after=dict(after or {}),
        )
    )
