"""Puts decisions that a person must look at into review items: grouped, counted and bounded."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from typing import Any

from attrs import define, field, frozen
from sqlalchemy import Connection, bindparam, delete, func, insert, select, tuple_, update

from ...identifiers import new_id
from ...providers.codec import converter
from ...providers.resources import ResourceReference
from ...store.metadata import upsert
from ..tables import review_events, review_items, review_reasons
from ..types import Candidate, Decision
from .items import WAITING, ReviewState

HELD_EVENTS = 1_000
"""Events that an item holds for a replay; those that come later are only counted."""

ITEMS_PER_INSTALLATION = 1_000
"""Items of one installation that wait; what would be a further one is counted in an item without a resource."""

ANYTHING = ("", "")
"""Kind and id of an item that holds events without a resource, or of more resources than are told apart."""

ItemIdentity = tuple[str, str, str, str, str, str]
"""What an item is found by: workspace, installation, provider, host, and kind and id of what it is about."""

IDENTITY = ("workspace_id", "installation_id", "provider", "host", "resource_kind", "resource_id")
"""The columns of an identity."""

CHANGING = ("state", "state_reason", "count", "held", "candidates", "resource_key", "first_seen", "last_seen")
"""The columns of an item that a further event changes."""


@frozen(kw_only=True)
class HeldDecision:
    """A decision that a person must look at.

    Attributes:
        decision: the decision.
        provider: provider key.
        host: the provider's host.
        subject: what its item is about.
        candidates: the targets that are worth a look, the best first.
    """

    decision: Decision
    provider: str
    host: str
    subject: ResourceReference
    candidates: tuple[Candidate, ...] = ()

    @property
    def identity(self) -> ItemIdentity:
        """What its item is found by."""
        return (*self.source, self.subject.kind, self.subject.id)

    @property
    def source(self) -> tuple[str, str, str, str]:
        """Workspace, installation, provider and host."""
        return self.decision.workspace, self.decision.installation_id, self.provider, self.host


@define(kw_only=True)
class _Item:
    """An item as it will be.

    Attributes:
        row: its columns.
        reasons: reason → its columns.
        is_new: whether it isn't stored yet.
        is_restarted: whether its reasons begin anew.
        held: the decisions that it holds from now on.
    """

    row: dict[str, Any]
    reasons: dict[str, dict[str, Any]] = field(factory=dict)
    is_new: bool = False
    is_restarted: bool = False
    held: list[str] = field(factory=list)

    def take(self, waiting: HeldDecision) -> None:
        """Count a decision, and hold it while there is room.

        What led to a mapping is opened anew. What was dismissed stays so, unless this is a reason for which it
        wasn't.
        """
        at = waiting.decision.decided_at
        if self.row["state"] == ReviewState.MAPPED:
            self.reasons, self.is_restarted = {}, True
            self.row |= {"state": ReviewState.OPEN, "state_reason": "", "count": 0, "first_seen": at}
        is_known = self._count(waiting.decision)
        if self.row["state"] == ReviewState.DISMISSED and not is_known:
            self.row |= {"state": ReviewState.OPEN, "state_reason": ""}
        if self.row["held"] < HELD_EVENTS:
            self.held.append(waiting.decision.id)
            self.row["held"] += 1
        if waiting.candidates:
            self.row["candidates"] = converter.unstructure(waiting.candidates)
        if self.row["resource_id"] == waiting.subject.id and waiting.subject.key:
            self.row["resource_key"] = waiting.subject.key
        self.row |= {"count": self.row["count"] + 1, "last_seen": at}

    def _count(self, decision: Decision) -> bool:
        """Count the reason of a decision; return whether the item had it before."""
        known = self.reasons.get(decision.rule)
        if known is None:
            moments = {"first_seen": decision.decided_at, "last_seen": decision.decided_at}
            self.reasons[decision.rule] = {"reason": decision.rule, "count": 1, **moments}
            return False
        known |= {"count": known["count"] + 1, "last_seen": decision.decided_at}
        return True


def hold_all(connection: Connection, waiting: Sequence[HeldDecision]) -> None:
    """Put decisions into the items of their installations and subjects; some ten statements, however many."""
    items = _find(connection, {each.identity for each in waiting})
    new = {each.identity for each in waiting} - items.keys()
    taken = _count_waiting(connection, {identity[:2] for identity in new})
    if any(taken[source] + len(new) > ITEMS_PER_INSTALLATION for source in taken):
        items |= _find(connection, {(*each.source, *ANYTHING) for each in waiting})
    for each in waiting:
        identity = each.identity
        if identity not in items and taken[identity[:2]] >= ITEMS_PER_INSTALLATION:
            identity = (*each.source, *ANYTHING)
        item = items.setdefault(identity, _new(identity, each))
        waited = item.row["state"] in WAITING and not (item.is_new and not item.row["count"])
        item.take(each)
        taken[identity[:2]] += item.row["state"] in WAITING and not waited
    _save(connection, items.values())


def _find(connection: Connection, identities: Collection[ItemIdentity]) -> dict[ItemIdentity, _Item]:
    """Return the items that there are, locked, with their reasons."""
    columns = [review_items.c[name] for name in IDENTITY]
    query = select(review_items).where(tuple_(*columns).in_(sorted(identities))).order_by(review_items.c.id)
    items = {}
    by_id = {}
    for row in connection.execute(query.with_for_update()).mappings():
        item = by_id[row["workspace_id"], row["id"]] = _Item(row=dict(row))
        identity: Any = tuple(row[name] for name in IDENTITY)
        items[identity] = item
    if by_id:
        key = tuple_(review_reasons.c.workspace_id, review_reasons.c.item_id)
        for row in connection.execute(select(review_reasons).where(key.in_(sorted(by_id)))).mappings():
            by_id[row["workspace_id"], row["item_id"]].reasons[row["reason"]] = dict(row)
    return items


def _count_waiting(connection: Connection, installations: Collection[tuple[str, ...]]) -> Counter[tuple[str, ...]]:
    """Return how many items of each installation wait; nothing is asked where none gets a new one."""
    if not installations:
        return Counter()
    key = (review_items.c.workspace_id, review_items.c.installation_id)
    rows = connection.execute(
        select(*key, func.count())
        .where(tuple_(*key).in_(sorted(installations)), review_items.c.state.in_(WAITING))
        .group_by(*key)
    )
    return Counter({(workspace, installation_id): count for workspace, installation_id, count in rows})


def _new(identity: ItemIdentity, waiting: HeldDecision) -> _Item:
    row: dict[str, Any] = {
        **dict(zip(IDENTITY, identity, strict=True)),
        "id": new_id(),
        "resource_key": "",
        "state": ReviewState.OPEN,
        "state_reason": "",
        "snoozed_until": None,
        "count": 0,
        "held": 0,
        "candidates": [],
        "first_seen": waiting.decision.decided_at,
        "last_seen": waiting.decision.decided_at,
    }
    return _Item(row=row, is_new=True)


def _save(connection: Connection, items: Collection[_Item]) -> None:
    if new := [item.row for item in items if item.is_new]:
        connection.execute(insert(review_items), new)
    if changed := [_of(item, **{name: item.row[name] for name in CHANGING}) for item in items if not item.is_new]:
        connection.execute(_CHANGE, changed)
    if restarted := [_of(item) for item in items if item.is_restarted]:
        connection.execute(_FORGET_REASONS, restarted)
    reasons = [
        {**reason, "workspace_id": item.row["workspace_id"], "item_id": item.row["id"]}
        for item in items
        for reason in item.reasons.values()
    ]
    statement = upsert(connection, review_reasons)
    counted = {name: statement.excluded[name] for name in ("count", "first_seen", "last_seen")}
    keys = ["workspace_id", "item_id", "reason"]
    connection.execute(statement.on_conflict_do_update(index_elements=keys, set_=counted), reasons)
    if held := [
        {"workspace_id": item.row["workspace_id"], "item_id": item.row["id"], "decision_id": decision_id}
        for item in items
        for decision_id in item.held
    ]:
        connection.execute(insert(review_events), held)


def _of(item: _Item, **values: object) -> dict[str, object]:
    return {"of_workspace": item.row["workspace_id"], "of_id": item.row["id"], **values}


_CHANGE = update(review_items).where(
    review_items.c.workspace_id == bindparam("of_workspace"), review_items.c.id == bindparam("of_id")
)

_FORGET_REASONS = delete(review_reasons).where(
    review_reasons.c.workspace_id == bindparam("of_workspace"), review_reasons.c.item_id == bindparam("of_id")
)
