"""Reads and writes review items for people; every function is bound to one workspace."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import datetime

from attrs import evolve
from sqlalchemy import ColumnElement, Connection, RowMapping, and_, delete, or_, select, update

from ..errors import NotFoundError
from ..providers.codec import converter
from ..providers.resources import ResourceReference
from .repository import read_decision
from .review import ReviewItem, ReviewReason, ReviewState
from .tables import decisions, review_events, review_items, review_reasons
from .types import Candidate, Decision


def get(connection: Connection, *, workspace: str, item_id: str, lock: bool = False) -> ReviewItem:
    """Return the item of that id; with `lock`, no other transaction changes it until this one ends.

    Raises:
        NotFoundError: there is none in this workspace.
    """
    query = select(review_items).where(review_items.c.workspace_id == workspace, review_items.c.id == item_id)
    row = connection.execute(query.with_for_update() if lock else query).mappings().one_or_none()
    if row is None:
        raise NotFoundError(
            "there is no such review item in this workspace",
            subject=f"review item {item_id}",
            remedy="list what waits in the workspace and use one of its ids",
        )
    return _read(connection, workspace, [row])[0]


def list_items(
    connection: Connection,
    *,
    workspace: str,
    now: datetime,
    state: ReviewState | None = ReviewState.OPEN,
    installation_id: str | None = None,
    limit: int = 100,
) -> list[ReviewItem]:
    """Return the items in a state, or all for None, those that were seen last first.

    What was snoozed until a moment that has come is open.
    """
    columns = review_items.c
    query = select(review_items).where(columns.workspace_id == workspace)
    if state is not None:
        query = query.where(_stands(state, now))
    if installation_id is not None:
        query = query.where(columns.installation_id == installation_id)
    rows = connection.execute(query.order_by(columns.last_seen.desc(), columns.id.desc()).limit(limit)).mappings()
    return [_awake(item, now) for item in _read(connection, workspace, rows.all())]


def find_by_decision(connection: Connection, *, workspace: str, decision_id: str) -> ReviewItem | None:
    """Return the item that holds a decision, or None."""
    same_item = and_(
        review_events.c.workspace_id == review_items.c.workspace_id, review_events.c.item_id == review_items.c.id
    )
    rows = connection.execute(
        select(review_items)
        .join(review_events, same_item)
        .where(review_events.c.workspace_id == workspace, review_events.c.decision_id == decision_id)
    ).mappings()
    return next(iter(_read(connection, workspace, rows.all())), None)


def held_decisions(
    connection: Connection, *, workspace: str, item_id: str, limit: int | None = None, newest_first: bool = False
) -> list[Decision]:
    """Return the decisions that an item holds, in the order in which their deliveries came, or the other way."""
    held = and_(
        review_events.c.workspace_id == decisions.c.workspace_id, review_events.c.decision_id == decisions.c.id
    )
    order = (decisions.c.inbox_id.desc(),) if newest_first else (decisions.c.inbox_id,)
    rows = connection.execute(
        select(decisions)
        .join(review_events, held)
        .where(review_events.c.workspace_id == workspace, review_events.c.item_id == item_id)
        .order_by(*order)
        .limit(limit)
    ).mappings()
    return [read_decision(row) for row in rows]


def set_state(
    connection: Connection,
    item: ReviewItem,
    state: ReviewState,
    *,
    reason: str = "",
    until: datetime | None = None,
) -> None:
    """Change where an item stands, and say why."""
    connection.execute(
        update(review_items)
        .where(review_items.c.workspace_id == item.workspace, review_items.c.id == item.id)
        .values(state=state, state_reason=reason, snoozed_until=until)
    )


def release(connection: Connection, item: ReviewItem, decision_ids: Sequence[str]) -> None:
    """Let go of events that were decided anew."""
    for decision_id in decision_ids:
        connection.execute(
            delete(review_events).where(
                review_events.c.workspace_id == item.workspace,
                review_events.c.item_id == item.id,
                review_events.c.decision_id == decision_id,
            )
        )
    connection.execute(
        update(review_items)
        .where(review_items.c.workspace_id == item.workspace, review_items.c.id == item.id)
        .values(held=review_items.c.held - len(decision_ids))
    )


def forget(connection: Connection, *, workspace: str, before: datetime) -> int:
    """Delete the items that saw nothing since then, with what they hold; return how many there were.

    What was dismissed is kept: it is what people said, not what waits.
    """
    old = and_(
        review_items.c.workspace_id == workspace,
        review_items.c.last_seen < before,
        review_items.c.state != ReviewState.DISMISSED,
    )
    ids = select(review_items.c.id).where(old)
    for table in (review_events, review_reasons):
        connection.execute(delete(table).where(table.c.workspace_id == workspace, table.c.item_id.in_(ids)))
    return connection.execute(delete(review_items).where(old)).rowcount


def _stands(state: ReviewState, now: datetime) -> ColumnElement[bool]:
    columns = review_items.c
    asleep = and_(columns.state == ReviewState.SNOOZED, columns.snoozed_until > now)
    if state is ReviewState.SNOOZED:
        return asleep
    if state is ReviewState.OPEN:
        awake = and_(columns.state == ReviewState.SNOOZED, columns.snoozed_until <= now)
        return or_(columns.state == ReviewState.OPEN, awake)
    return columns.state == state


def _awake(item: ReviewItem, now: datetime) -> ReviewItem:
    over = item.snoozed_until is not None and item.snoozed_until <= now
    return evolve(item, state=ReviewState.OPEN) if over and item.state is ReviewState.SNOOZED else item


def _read(connection: Connection, workspace: str, rows: Sequence[RowMapping]) -> list[ReviewItem]:
    reasons = _reasons(connection, workspace, [row["id"] for row in rows])
    return [_item(row, reasons[row["id"]]) for row in rows]


def _reasons(connection: Connection, workspace: str, ids: Iterable[str]) -> dict[str, list[ReviewReason]]:
    columns = review_reasons.c
    rows = connection.execute(
        select(review_reasons)
        .where(columns.workspace_id == workspace, columns.item_id.in_(ids))
        .order_by(columns.last_seen.desc(), columns.reason)
    ).mappings()
    found: dict[str, list[ReviewReason]] = defaultdict(list)
    for row in rows:
        told = {name: row[name] for name in ("reason", "count", "first_seen", "last_seen")}
        found[row["item_id"]].append(ReviewReason(**told))
    return found


def _item(row: RowMapping, reasons: Sequence[ReviewReason]) -> ReviewItem:
    return ReviewItem(
        id=row["id"],
        workspace=row["workspace_id"],
        installation_id=row["installation_id"],
        provider=row["provider"],
        host=row["host"],
        subject=ResourceReference(kind=row["resource_kind"], id=row["resource_id"], key=row["resource_key"]),
        reasons=tuple(reasons),
        count=row["count"],
        held=row["held"],
        candidates=converter.structure(row["candidates"], tuple[Candidate, ...]),
        first_seen=row["first_seen"],
        last_seen=row["last_seen"],
        state=ReviewState(row["state"]),
        state_reason=row["state_reason"],
        snoozed_until=row["snoozed_until"],
    )
