"""The review queue: events that no stage could place, grouped, counted and bounded."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from datetime import datetime
from enum import StrEnum

from attrs import evolve, frozen
from sqlalchemy import ColumnElement, Connection, RowMapping, and_, delete, or_, select, tuple_, update

from ...errors import NotFoundError
from ...identifiers import InstallationKey
from ...providers.codec import converter
from ...providers.resources import ResourceReference
from ...resources.hierarchy import Place
from ..repository import read_decision
from ..tables import decisions, review_events, review_items, review_reasons
from ..types import Candidate, Decision, InstallationId


class ReviewState(StrEnum):
    """Where an item stands: it waits, waits later, led to a mapping, or is nothing that anybody wants to see."""

    OPEN = "open"
    SNOOZED = "snoozed"
    MAPPED = "mapped"
    DISMISSED = "dismissed"


WAITING = (ReviewState.OPEN, ReviewState.SNOOZED)
"""The states of what a person has still to decide."""


@frozen(kw_only=True)
class ReviewReason:
    """Why events of an item wait.

    Attributes:
        reason: the rule that sent them here: one of `REVIEW_REASONS`, or a stage's own.
        count: how many there were.
        first_seen: when the first one came, in UTC.
        last_seen: when the latest one came, in UTC.
    """

    reason: str
    count: int
    first_seen: datetime
    last_seen: datetime


@frozen(kw_only=True)
class ReviewItem:
    """Events of one installation and subject that wait for a person.

    Attributes:
        id: its id.
        workspace: whose queue it is in; the operator's where no installation was found.
        installation_id: the installation, or empty.
        provider: provider key.
        host: the provider's host.
        subject: the resource, or the account where the installation is what wasn't found.
        reasons: why they wait, the latest reason first.
        count: how many there were since it was opened.
        held: how many of them a replay would decide anew.
        candidates: the targets that the latest of them could have gone to, each with its evidence.
        first_seen: when the first one came, in UTC.
        last_seen: when the latest one came, in UTC.
        state: where it stands.
        state_reason: why, in the words of the person who decided.
        snoozed_until: when it is shown again, in UTC, or None.

    >>> from datetime import UTC
    >>> moment = datetime(2026, 1, 2, tzinfo=UTC)
    >>> why = ReviewReason(reason="no_mapping", count=3, first_seen=moment, last_seen=moment)
    >>> ReviewItem(
    ...     id="r1", workspace="w1", installation_id="i1", provider="acme", host="acme.example",
    ...     subject=ResourceReference(kind="board", id="9"), reasons=(why,), count=3, held=3, candidates=(),
    ...     first_seen=moment, last_seen=moment, state=ReviewState.OPEN, state_reason="", snoozed_until=None).reason
    'no_mapping'
    """

    id: str
    workspace: str
    installation_id: str
    provider: str
    host: str
    subject: ResourceReference
    reasons: tuple[ReviewReason, ...]
    count: int
    held: int
    candidates: tuple[Candidate, ...]
    first_seen: datetime
    last_seen: datetime
    state: ReviewState
    state_reason: str
    snoozed_until: datetime | None

    @property
    def reason(self) -> str:
        """The latest reason alone."""
        return self.reasons[0].reason if self.reasons else ""


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


def list_held_for(
    connection: Connection, installation: InstallationKey, *, reason: str, lock: bool = False
) -> list[ReviewItem]:
    """Return the items of an installation that wait and hold events, some of them for a reason; in one order."""
    columns = review_items.c
    reasons = select(review_reasons.c.item_id).where(
        review_reasons.c.workspace_id == installation.workspace, review_reasons.c.reason == reason
    )
    query = (
        select(review_items)
        .where(
            columns.workspace_id == installation.workspace,
            columns.installation_id == installation.id,
            columns.state.in_(WAITING),
            columns.held > 0,
            columns.id.in_(reasons),
        )
        .order_by(columns.id)
    )
    rows = connection.execute(query.with_for_update() if lock else query).mappings()
    return _read(connection, installation.workspace, rows.all())


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


def find_dismissed(
    connection: Connection, subjects: Collection[tuple[InstallationId, Place]]
) -> dict[tuple[InstallationId, Place], dict[str, str]]:
    """Return the dismissed items of subjects: each reason that was there, and in what words it was dismissed.

    Args:
        connection: the transaction.
        subjects: each installation, and a resource of it.
    """
    found: dict[tuple[InstallationId, Place], dict[str, str]] = defaultdict(dict)
    if not subjects:
        return found
    columns = review_items.c
    same_item = and_(review_reasons.c.workspace_id == columns.workspace_id, review_reasons.c.item_id == columns.id)
    identity = (columns.workspace_id, columns.installation_id, columns.resource_kind, columns.resource_id)
    rows = connection.execute(
        select(*identity, columns.state_reason, review_reasons.c.reason)
        .join(review_reasons, same_item)
        .where(
            tuple_(*identity).in_(sorted((*key, *place) for key, place in subjects)),
            columns.state == ReviewState.DISMISSED,
        )
    )
    for workspace, installation_id, kind, external_id, words, reason in rows:
        found[(workspace, installation_id), (kind, external_id)][reason] = words
    return found


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
    connection.execute(
        delete(review_events).where(
            review_events.c.workspace_id == item.workspace,
            review_events.c.item_id == item.id,
            review_events.c.decision_id.in_(decision_ids),
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
