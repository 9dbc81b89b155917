"""What was parked: how much there is, and making it due again once the cause is fixed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any, Final

from attrs import frozen
from sqlalchemy import ColumnElement, Connection, Select, Table, and_, func, literal, select

from ..errors import NotFoundError
from ..inbox.tables import inbox
from ..installations.tables import installations
from ..routing.tables import decisions, dispatches
from ..store.audit import record
from ..store.claims import PARKED, ClaimQueue
from ..store.engine import Store

BATCH: Final = 200
"""How many rows are made due in one transaction."""

TABLES: Final = {"delivery": inbox, "dispatch": dispatches}
"""What can be parked, by the word that the audit has for it."""


@frozen(kw_only=True)
class ParkedFilter:
    """Which parked work is meant: all that matches every field that is given.

    Attributes:
        workspace: the workspace; empty for what came through an app of the operator and isn't routed yet, None
            for any.
        provider: provider key; or empty.
        target_kind: kind of the target of dispatches; or empty. Deliveries have none.
        since: deliveries received, and dispatches decided, not before this moment; or None.

    >>> ParkedFilter(provider="github").workspace is None
    True
    """

    workspace: str | None = None
    provider: str = ""
    target_kind: str = ""
    since: datetime | None = None


@frozen(kw_only=True)
class ParkedCount:
    """How much of one kind is parked.

    Attributes:
        entity: ``delivery`` or ``dispatch``.
        workspace: whose it is; empty for what came through an app of the operator.
        provider: provider key.
        target_kind: kind of the target of dispatches; empty for deliveries.
        count: how many there are.
        id: the oldest of them.
        event_id: the oldest event among them, which `explain` takes.
    """

    entity: str
    workspace: str
    provider: str
    target_kind: str
    count: int
    id: str
    event_id: str


class ParkedWork:
    """Deliveries and dispatches that were given up after days of failures, or too many crashes.

    >>> from speckitty_connectors import Connectors, KeyRing, Settings
    >>> connectors = Connectors(Settings(database_url="sqlite://", keys={"2026": KeyRing.new_key()}))
    >>> connectors.upgrade()
    >>> connectors.parked.counts()
    []
    >>> connectors.close()

    Args:
        store: where everything is.
    """

    def __init__(self, store: Store) -> None:
        self._store = store

    def counts(self, which: ParkedFilter = ParkedFilter()) -> list[ParkedCount]:
        """Return how much is parked, by workspace, provider and kind of target."""
        with self._store.reading() as connection:
            return [
                ParkedCount(**row)
                for entity in TABLES
                for row in connection.execute(_grouped(entity, which)).mappings()
            ]

    def retry(self, *, workspace: str, work_id: str, actor: str) -> None:
        """Make one parked delivery or dispatch due again, with all its attempts.

        Raises:
            NotFoundError: the workspace has nothing parked of that id.
        """
        with self._store.transaction() as connection:
            if not any(self._rearm(connection, entity, workspace, work_id, actor) for entity in TABLES):
                raise NotFoundError(
                    "nothing of that id is parked in this workspace",
                    subject=f"delivery or dispatch {work_id}",
                    remedy="take the id from what 'doctor --json' calls parked",
                )

    def retry_all(
        self,
        which: ParkedFilter = ParkedFilter(),
        *,
        actor: str,
        progress: Callable[[int], object] = lambda _: None,
    ) -> int:
        """Make all due again that matches, some at a time; return how many rows that were.

        It may be interrupted and repeated, and run beside workers.

        Args:
            which: what is meant.
            actor: who asks, for the audit.
            progress: is called after each transaction with how many rows are due again.
        """
        done = 0
        for entity in TABLES:
            last = ""
            while batch := self._some(entity, which, after=last):
                with self._store.transaction() as connection:
                    for workspace, work_id in batch:
                        done += self._rearm(connection, entity, workspace, work_id, actor)
                progress(done)
                last = batch[-1][1]
        return done

    def _some(self, entity: str, which: ParkedFilter, *, after: str) -> list[tuple[str, str]]:
        columns = TABLES[entity].c
        with self._store.reading() as connection:
            rows = connection.execute(
                _parked(entity, which, columns.workspace_id, columns.id)
                .where(columns.id > after)
                .order_by(columns.id)
                .limit(BATCH)
            )
            return [(row.workspace_id, row.id) for row in rows]

    def _rearm(self, connection: Connection, entity: str, workspace: str, work_id: str, actor: str) -> bool:
        if not ClaimQueue(TABLES[entity]).rearm(connection, workspace, work_id):
            return False
        record(
            connection,
            workspace=workspace,
            at=self._store.now(),
            actor=actor,
            verb=f"{entity}.retried",
            entity=entity,
            entity_id=work_id,
        )
        return True


def _grouped(entity: str, which: ParkedFilter) -> Select[Any]:
    columns = TABLES[entity].c
    provider, target_kind = (
        (inbox.c.provider, literal("")) if entity == "delivery" else (installations.c.provider, columns.target_kind)
    )
    event = columns.id if entity == "delivery" else decisions.c.inbox_id
    return (
        _parked(
            entity,
            which,
            literal(entity).label("entity"),
            columns.workspace_id.label("workspace"),
            provider.label("provider"),
            target_kind.label("target_kind"),
            func.count().label("count"),
            func.min(columns.id).label("id"),
            func.min(event).label("event_id"),
        )
        .group_by(columns.workspace_id, "provider", "target_kind")
        .order_by(columns.workspace_id, "provider", "target_kind")
    )


def _parked(entity: str, which: ParkedFilter, *shown: ColumnElement[Any]) -> Select[Any]:
    table = TABLES[entity]
    query = select(*shown).select_from(table).where(table.c.state == PARKED, *_conditions(table, which))
    if entity == "delivery":
        return query
    return query.join(
        decisions,
        and_(decisions.c.workspace_id == table.c.workspace_id, decisions.c.id == table.c.decision_id),
    ).join(
        installations,
        and_(
            installations.c.workspace_id == decisions.c.workspace_id,
            installations.c.id == decisions.c.installation_id,
        ),
    )


def _conditions(table: Table, which: ParkedFilter) -> Iterator[ColumnElement[bool]]:
    if which.workspace is not None:
        yield table.c.workspace_id == which.workspace
    if which.provider:
        yield (inbox if table is inbox else installations).c.provider == which.provider
    if which.target_kind:
        yield literal(value=False) if table is inbox else table.c.target_kind == which.target_kind
    if which.since is not None:
        yield (table.c.received_at if table is inbox else table.c.created_at) >= which.since
