"""The review queue: events that no stage could place, grouped, counted and bounded."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from attrs import frozen
from sqlalchemy import Connection, RowMapping, func, insert, select, update

from ..identifiers import new_id
from ..providers.codec import converter
from ..providers.resources import ResourceReference
from .tables import review_events, review_items
from .types import Candidate, Decision

OPEN = "open"
"""The state of an item that waits for a person."""

HELD_EVENTS = 1_000
"""Events that an item holds; those that come later are only counted."""

ITEMS_PER_INSTALLATION = 1_000
"""Items of one installation; what would be a further one is counted in an item without a resource."""

ANYTHING = ResourceReference(kind="", id="")
"""The subject of an item that stands for events without a resource, or for more resources than are told apart."""


@frozen(kw_only=True)
class ReviewItem:
    """Events of one installation and subject that wait for a person for the same reason.

    Attributes:
        id: its id.
        workspace: whose queue it is in; the operator's where no installation was found.
        installation_id: the installation, or empty.
        provider: provider key.
        host: the provider's host.
        subject: the resource, or the account where the installation is what wasn't found.
        reason: the rule that sent them here.
        count: how many there were.
        first_seen: when the first one came, in UTC.
        last_seen: when the latest one came, in UTC.
        state: ``open`` while it waits.
        candidates: the targets that the latest of them could have gone to, each with its evidence.
    """

    id: str
    workspace: str
    installation_id: str
    provider: str
    host: str
    subject: ResourceReference
    reason: str
    count: int
    first_seen: datetime
    last_seen: datetime
    state: str
    candidates: tuple[Candidate, ...] = ()


def hold(
    connection: Connection,
    decision: Decision,
    *,
    provider: str,
    host: str,
    subject: ResourceReference,
    candidates: Sequence[Candidate] = (),
) -> None:
    """Put a decision into the item of its installation, subject and reason."""
    item = _count_up(connection, decision, provider, host, subject, candidates)
    if item is None and _is_full(connection, decision):
        subject, candidates = ANYTHING, ()
        item = _count_up(connection, decision, provider, host, subject, candidates)
    if item is None:
        item = _add(connection, decision, provider, host, subject, candidates)
    if item["count"] <= HELD_EVENTS:
        connection.execute(
            insert(review_events).values(
                workspace_id=decision.workspace, item_id=item["id"], decision_id=decision.id
            )
        )


def find_by_decision(connection: Connection, *, workspace: str, decision_id: str) -> ReviewItem | None:
    """Return the item that holds a decision, or None."""
    row = (
        connection.execute(
            select(review_items)
            .join(
                review_events,
                (review_events.c.workspace_id == review_items.c.workspace_id)
                & (review_events.c.item_id == review_items.c.id),
            )
            .where(review_events.c.workspace_id == workspace, review_events.c.decision_id == decision_id)
        )
        .mappings()
        .first()
    )
    return None if row is None else _read(row)


def list_items(connection: Connection, *, workspace: str, limit: int = 100) -> list[ReviewItem]:
    """Return the items that wait for a person, those that were seen last first."""
    rows = connection.execute(
        select(review_items)
        .where(review_items.c.workspace_id == workspace, review_items.c.state == OPEN)
        .order_by(review_items.c.last_seen.desc(), review_items.c.id.desc())
        .limit(limit)
    ).mappings()
    return [_read(row) for row in rows]


def _count_up(
    connection: Connection,
    decision: Decision,
    provider: str,
    host: str,
    subject: ResourceReference,
    candidates: Sequence[Candidate],
) -> RowMapping | None:
    """Count a decision in the item that is there, and refresh its label; None where there is no such item."""
    columns = review_items.c
    return (
        connection.execute(
            update(review_items)
            .where(
                columns.workspace_id == decision.workspace,
                columns.installation_id == decision.installation_id,
                columns.provider == provider,
                columns.host == host,
                columns.resource_kind == subject.kind,
                columns.resource_id == subject.id,
                columns.reason == decision.rule,
            )
            .values(
                count=columns.count + 1,
                last_seen=decision.decided_at,
                resource_key=subject.key or columns.resource_key,
                candidates=converter.unstructure(tuple(candidates)),
            )
            .returning(columns.id, columns.count)
        )
        .mappings()
        .first()
    )


def _is_full(connection: Connection, decision: Decision) -> bool:
    there = connection.execute(
        select(func.count())
        .select_from(review_items)
        .where(
            review_items.c.workspace_id == decision.workspace,
            review_items.c.installation_id == decision.installation_id,
        )
    ).scalar_one()
    return there >= ITEMS_PER_INSTALLATION


def _add(
    connection: Connection,
    decision: Decision,
    provider: str,
    host: str,
    subject: ResourceReference,
    candidates: Sequence[Candidate],
) -> RowMapping:
    return (
        connection.execute(
            insert(review_items)
            .values(
                workspace_id=decision.workspace,
                id=new_id(),
                installation_id=decision.installation_id,
                provider=provider,
                host=host,
                resource_kind=subject.kind,
                resource_id=subject.id,
                resource_key=subject.key,
                reason=decision.rule,
                state=OPEN,
                count=1,
                candidates=converter.unstructure(tuple(candidates)),
                first_seen=decision.decided_at,
                last_seen=decision.decided_at,
            )
            .returning(review_items.c.id, review_items.c.count)
        )
        .mappings()
        .one()
    )


def _read(row: RowMapping) -> ReviewItem:
    return ReviewItem(
        id=row["id"],
        workspace=row["workspace_id"],
        installation_id=row["installation_id"],
        provider=row["provider"],
        host=row["host"],
        subject=ResourceReference(kind=row["resource_kind"], id=row["resource_id"], key=row["resource_key"]),
        reason=row["reason"],
        count=row["count"],
        first_seen=row["first_seen"],
        last_seen=row["last_seen"],
        state=row["state"],
        candidates=converter.structure(row["candidates"], tuple[Candidate, ...]),
    )
