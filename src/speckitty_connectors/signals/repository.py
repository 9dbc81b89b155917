"""Reads and writes what was observed of projects; every function is bound to one workspace."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from itertools import islice
from typing import Final, TypeVar

from attrs import frozen
from sqlalchemy import Connection, delete, func, select, tuple_

from ..store.metadata import upsert
from .observations import Observation, SignalKind
from .tables import signals

VALUES_PER_QUERY: Final = 500
"""Values that one query looks up."""

PROJECTS_PER_VALUE: Final = 20
"""Projects that are named for one value; more than one is as unclear as twenty."""

T = TypeVar("T")


@frozen(kw_only=True)
class Sighting:
    """A value that was seen in a project.

    It is found by its `value` and was spelled as its `label`.
    """

    project_id: str
    kind: SignalKind
    value: str
    label: str
    first_seen: datetime
    last_seen: datetime


def add(connection: Connection, *, workspace: str, observations: Iterable[Observation], now: datetime) -> int:
    """Write observations; return how many different ones there were.

    What is known already only becomes younger, so that the same report twice changes nothing. Rows are written in
    the order of their keys: two that write at once then wait for each other instead of locking each other out.
    """
    rows = {(each.project_id, each.kind, each.value): _row(workspace, each, now) for each in observations}
    if not rows:
        return 0
    statement = upsert(connection, signals)
    new = statement.excluded
    connection.execute(
        statement.on_conflict_do_update(
            index_elements=["workspace_id", "project_id", "kind", "value"],
            set_={"label": new["label"], "last_seen": new["last_seen"]},
            where=new["last_seen"] > signals.c.last_seen,
        ),
        [rows[key] for key in sorted(rows)],
    )
    return len(rows)


def find(connection: Connection, *, workspace: str, kind: SignalKind, values: Collection[str]) -> list[Sighting]:
    """Return where values were seen, at most `PROJECTS_PER_VALUE` projects for each, by value and project."""
    found: list[Sighting] = []
    for batch in batches(sorted(values), VALUES_PER_QUERY):
        place = func.row_number().over(partition_by=signals.c.value, order_by=signals.c.project_id)
        wanted = (
            select(signals, place.label("place"))
            .where(signals.c.workspace_id == workspace, signals.c.kind == kind, signals.c.value.in_(batch))
            .subquery()
        )
        rows = connection.execute(
            select(wanted).where(wanted.c.place <= PROJECTS_PER_VALUE).order_by(wanted.c.value, wanted.c.project_id)
        )
        found += (
            Sighting(
                project_id=row.project_id,
                kind=SignalKind(row.kind),
                value=row.value,
                label=row.label,
                first_seen=row.first_seen,
                last_seen=row.last_seen,
            )
            for row in rows
        )
    return found


def kinds_seen(
    connection: Connection, *, workspace: str, projects: Collection[str], kinds: Sequence[SignalKind]
) -> Mapping[str, set[SignalKind]]:
    """Return which of some kinds of observations there are of each project."""
    seen: dict[str, set[SignalKind]] = defaultdict(set)
    for batch in batches(sorted(projects), VALUES_PER_QUERY):
        rows = connection.execute(
            select(signals.c.project_id, signals.c.kind)
            .where(signals.c.workspace_id == workspace, signals.c.project_id.in_(batch), signals.c.kind.in_(kinds))
            .distinct()
        )
        for row in rows:
            seen[row.project_id].add(SignalKind(row.kind))
    return seen


def forget(connection: Connection, *, workspace: str, before: datetime, limit: int) -> int:
    """Forget up to `limit` observations that were last made before a moment; return how many there were."""
    key = (signals.c.project_id, signals.c.kind, signals.c.value)
    old = (
        select(*key).where(signals.c.workspace_id == workspace, signals.c.last_seen < before).limit(limit)
    ).subquery()
    forgotten = connection.execute(
        delete(signals).where(signals.c.workspace_id == workspace, tuple_(*key).in_(select(old)))
    )
    return forgotten.rowcount


def batches(values: Iterable[T], size: int) -> Iterator[list[T]]:
    """Yield values in lists of at most `size`."""
    remaining = iter(values)
    while batch := list(islice(remaining, size)):
        yield batch


def _row(workspace: str, observation: Observation, now: datetime) -> dict[str, object]:
    at = min(observation.observed_at or now, now)
    return {
        "workspace_id": workspace,
        "project_id": observation.project_id,
        "kind": observation.kind,
        "value": observation.value,
        "label": observation.label,
        "first_seen": at,
        "last_seen": at,
    }
