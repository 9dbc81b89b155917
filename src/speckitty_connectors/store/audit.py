"""The append-only record of who changed what, who opened which secret, and why."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import ClassVar, Final, Protocol, runtime_checkable

from attrs import asdict, field, frozen
from sqlalchemy import JSON, Column, Connection, Index, Select, String, Table, insert, select

from ..identifiers import new_id
from .engine import Store
from .metadata import ADDED_FOR_THE_OPERATOR, UtcDateTime, identifier, metadata, workspace_column

PAGE: Final = 500
"""How many entries an export reads at once."""

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
    info={ADDED_FOR_THE_OPERATOR: True},
)
"""One row per change; rows are only added, and the database refuses to change one."""


@runtime_checkable
class Hidden(Protocol):
    """A secret value: an entry shows only its digest, so that a change can be seen."""

    def reveal_bytes(self) -> bytes:
        """Return what is hidden."""
        ...


class Audited(Protocol):
    """An entity whose changes are recorded; what an entry shows of it is said once, beside its type."""

    entity: ClassVar[str]
    """What entries call its kind, for example ``link``."""

    @property
    def workspace(self) -> str:
        """Whose it is."""
        ...

    @property
    def id(self) -> str:
        """Its id."""
        ...

    def audited(self) -> Mapping[str, object]:
        """Return what an entry shows of it."""
        ...


@frozen(kw_only=True)
class AuditEntry:
    """One entry of the audit: something that was done.

    Attributes:
        workspace: the workspace that it belongs to; empty for the operator's.
        id: its id; ids sort by the time they were made.
        at: when, in UTC.
        actor: ``member:<id>``, ``provider:<key>``, ``operator`` or ``system``.
        verb: ``<entity>.<past participle>``, for example ``installation.suspended``.
        entity: kind of the thing that was changed.
        entity_id: its id.
        reason: why.
        before: the changed fields before; of a secret its SHA-256.
        after: the changed fields after.

    >>> from datetime import UTC
    >>> entry = AuditEntry(workspace="w1", id="a1", at=datetime(2026, 1, 2, tzinfo=UTC), actor="operator",
    ...                    verb="link.revoked", entity="link", entity_id="l1")
    >>> entry.as_line()[:49]
    '{"workspace": "w1", "id": "a1", "at": "2026-01-02'
    """

    workspace: str
    id: str
    at: datetime
    actor: str
    verb: str
    entity: str
    entity_id: str
    reason: str = ""
    before: Mapping[str, object] = field(factory=dict)
    after: Mapping[str, object] = field(factory=dict)

    def as_line(self) -> str:
        """Return it as one line of JSON."""
        return json.dumps({**asdict(self), "at": self.at.isoformat()}, ensure_ascii=False)


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
    """Write one change, in the transaction that makes it; of a `Secret` only its SHA-256 is written."""
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
            before=_shown(before or {}),
            after=_shown(after or {}),
        )
    )


def record_event(
    connection: Connection,
    about: Audited,
    verb: str,
    *,
    actor: str,
    at: datetime,
    reason: str = "",
    before: Mapping[str, object] | None = None,
    after: Mapping[str, object] | None = None,
) -> None:
    """Write what happened to an entity, with fields of its own choice; see `record`."""
    record(
        connection,
        workspace=about.workspace,
        at=at,
        actor=actor,
        verb=f"{about.entity}.{verb}",
        entity=about.entity,
        entity_id=about.id,
        reason=reason,
        before=before,
        after=after,
    )


def record_change(
    connection: Connection,
    before: Audited | None,
    after: Audited,
    verb: str,
    *,
    actor: str,
    at: datetime,
    reason: str = "",
) -> None:
    """Write a change of an entity with what is audited of it; `before` is None for one that is new."""
    was = before.audited() if before else None
    record_event(connection, after, verb, actor=actor, at=at, reason=reason, before=was, after=after.audited())


def _shown(fields: Mapping[str, object]) -> dict[str, object]:
    return {
        name: f"sha256:{hashlib.sha256(value.reveal_bytes()).hexdigest()}" if isinstance(value, Hidden) else value
        for name, value in fields.items()
    }


class Audit:
    """Reads the audit of workspaces.

    >>> store = Store("sqlite://")
    >>> audit.create(store.engine)
    >>> with store.transaction() as connection:
    ...     record(connection, workspace="w1", at=store.now(), actor="operator", verb="link.revoked",
    ...            entity="link", entity_id="l1")
    >>> [entry.verb for entry in Audit(store).find("w1", actor="operator")]
    ['link.revoked']
    >>> store.close()
    """

    def __init__(self, store: Store) -> None:
        self._store = store

    def find(
        self,
        workspace: str,
        *,
        entity: str = "",
        entity_id: str = "",
        actor: str = "",
        verb: str = "",
        since: datetime | None = None,
        until: datetime | None = None,
        before: str = "",
        limit: int = 100,
    ) -> tuple[AuditEntry, ...]:
        """Return what was done in a workspace, the newest first; an argument that isn't given doesn't filter.

        Entries are from `since` on and before `until`, both in UTC. For the next page, `before` is the id of the
        last entry of the previous one.
        """
        query = _of(workspace).order_by(audit.c.id.desc()).limit(limit)
        wanted = {"entity": entity, "entity_id": entity_id, "actor": actor, "verb": verb}
        for name, value in wanted.items():
            if value:
                query = query.where(audit.c[name] == value)
        if since is not None:
            query = query.where(audit.c.at >= since)
        if until is not None:
            query = query.where(audit.c.at < until)
        if before:
            query = query.where(audit.c.id < before)
        return self._read(query)

    def export(self, workspace: str, *, after: str = "") -> Iterator[str]:
        """Yield a workspace's audit as lines of JSON, the oldest first, page by page.

        `after` is the id of the last entry of an earlier export.
        """
        while page := self._read(_of(workspace).where(audit.c.id > after).order_by(audit.c.id).limit(PAGE)):
            yield from (entry.as_line() for entry in page)
            after = page[-1].id

    def _read(self, query: Select[tuple[object, ...]]) -> tuple[AuditEntry, ...]:
        with self._store.reading() as connection:
            rows = connection.execute(query).mappings().all()
        return tuple(
            AuditEntry(workspace=row["workspace_id"], **{k: v for k, v in row.items() if k != "workspace_id"})
            for row in rows
        )


def _of(workspace: str) -> Select[tuple[object, ...]]:
    return select(audit).where(audit.c.workspace_id == workspace)
