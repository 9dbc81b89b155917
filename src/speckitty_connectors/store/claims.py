"""Claiming rows of work: each row is run by one worker at a time, and by the next when that one is gone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from attrs import field, frozen, validators
from sqlalchemy import (
    CTE,
    ColumnElement,
    Connection,
    RowMapping,
    Table,
    and_,
    bindparam,
    case,
    literal,
    select,
    tuple_,
    update,
)
from sqlalchemy.sql.dml import ReturningUpdate

from .metadata import UNFINISHED, DatabaseMilliseconds

PENDING = "pending"
RUNNING = "running"
DONE = "done"
PARKED = "parked"

UNREPORTED = "the worker ended without a report"


@frozen(kw_only=True)
class Claim:
    """A row that is ours until its lease ends.

    Attributes:
        workspace: the row's workspace.
        id: the row's id.
        generation: grows with each claim, so that a worker that was paused can't finish what another has taken.
        attempts: how often the row has been started, this time included.
    """

    workspace: str
    id: str
    generation: int
    attempts: int


@frozen
class ClaimQueue:
    """Claims the rows of one table that has `claim_columns()`; the oldest due row comes first.

    >>> from sqlalchemy import MetaData, Table
    >>> queue = ClaimQueue(Table("work", MetaData()), first_delay_seconds=2, longest_delay_seconds=60)
    >>> [queue.delay_seconds(attempts) for attempts in (1, 2, 3, 9)]
    [2.0, 4.0, 8.0, 60]

    Args:
        table: with ``workspace_id``, ``id`` and `claim_columns()`.
        lease_seconds: how long a worker may stay silent before another takes its row.
        max_attempts: how often a row is started before it is parked.
        first_delay_seconds: the pause after the first failed attempt; it doubles with each further one.
        longest_delay_seconds: the longest pause.
    """

    table: Table
    lease_seconds: float = field(default=30.0, kw_only=True, validator=validators.gt(0))
    max_attempts: int = field(default=5, kw_only=True, validator=validators.ge(1))
    first_delay_seconds: float = field(default=1.0, kw_only=True, validator=validators.ge(0))
    longest_delay_seconds: float = field(default=3600.0, kw_only=True, validator=validators.ge(0))

    def claim(self, connection: Connection, *, limit: int) -> list[Claim]:
        """Take up to `limit` due rows; commit before running them, so that the attempt counts whatever happens.

        A row whose attempts are spent is parked instead: the worker of its last attempt ended without a report.
        """
        while rows := connection.execute(self._take(limit)).mappings().all():
            claims = [_claim(row) for row in rows if row["state"] == RUNNING]
            if claims:
                return sorted(claims, key=lambda claim: claim.id)
        return []

    def hold(self, connection: Connection, claim: Claim) -> bool:
        """Lock the row until the transaction ends; return False when the claim is no longer ours.

        Call it first in the transaction that finishes the work: nobody can take the row from then on.
        """
        held = select(literal(1)).select_from(self.table).where(self._ours(claim)).with_for_update()
        return connection.execute(held).first() is not None

    def hold_all(self, connection: Connection, claims: Sequence[Claim]) -> list[Claim]:
        """Lock the rows of those claims that are still ours, and return these; one statement for all of them."""
        columns = self.table.c
        key = tuple_(columns.workspace_id, columns.id, columns.generation)
        held = (
            select(columns.workspace_id, columns.id, columns.generation)
            .where(key.in_([_key(claim) for claim in claims]), columns.state == RUNNING)
            .order_by(
                columns.workspace_id, columns.id
            )  # two that hold the same rows wait, and never for each other
            .with_for_update()
        )
        ours = {tuple(row) for row in connection.execute(held)}
        return [claim for claim in claims if _key(claim) in ours]

    def finish(self, connection: Connection, claim: Claim, **values: Any) -> bool:
        """Mark the row done and set further columns; return False when the claim is no longer ours."""
        return self._settle(connection, claim, state=DONE, last_error="", **values)

    def finish_all(self, connection: Connection, finished: Sequence[tuple[Claim, Mapping[str, Any]]]) -> None:
        """Mark rows that are held done, each with further values of its own; all of them set the same columns."""
        if not finished:
            return
        columns = self.table.c
        names = finished[0][1]
        ours = and_(
            columns.workspace_id == bindparam("of_workspace"),
            columns.id == bindparam("of_id"),
            columns.state == RUNNING,
            columns.generation == bindparam("of_generation"),
        )
        done = update(self.table).where(ours).values(state=DONE, last_error="")
        done = done.values({name: bindparam(f"set_{name}", type_=columns[name].type) for name in names})
        connection.execute(done, [_finished(claim, values) for claim, values in finished])

    def retry(self, connection: Connection, claim: Claim, *, error: str) -> bool:
        """Put the row back for a later attempt, or park it when its attempts are spent."""
        if claim.attempts >= self.max_attempts:
            return self.park(connection, claim, error=error)
        due = _in_seconds(self.delay_seconds(claim.attempts))
        return self._settle(connection, claim, state=PENDING, not_before=due, last_error=error)

    def park(self, connection: Connection, claim: Claim, *, error: str) -> bool:
        """Set the row aside until someone rearms it; return False when the claim is no longer ours."""
        return self._settle(connection, claim, state=PARKED, last_error=error)

    def rearm(self, connection: Connection, workspace: str, id: str) -> bool:  # noqa: A002 - the column's name
        """Make a parked row due again with all its attempts; return False when there is no such parked row."""
        row = and_(self.table.c.workspace_id == workspace, self.table.c.id == id, self.table.c.state == PARKED)
        rearmed = update(self.table).where(row).values(state=PENDING, attempts=0, not_before=DatabaseMilliseconds())
        return connection.execute(rearmed).rowcount == 1

    def delay_seconds(self, attempts: int) -> float:
        """Return the pause after this many failed attempts."""
        return min(self.longest_delay_seconds, self.first_delay_seconds * 2.0 ** min(attempts - 1, 60))

    def _take(self, limit: int) -> ReturningUpdate[str, str, int, int, str]:
        """Return the one statement that takes due rows; a row's lease is the time at which it is due again."""
        columns = self.table.c
        due = self._due(limit)
        spent = columns.attempts >= self.max_attempts
        return (
            update(self.table)
            .where(tuple_(columns.workspace_id, columns.id).in_(select(due.c.workspace_id, due.c.id)))
            .values(
                state=case((spent, PARKED), else_=RUNNING),
                attempts=columns.attempts + case((spent, 0), else_=1),
                generation=columns.generation + 1,
                not_before=_in_seconds(self.lease_seconds),
                last_error=case((spent, UNREPORTED), else_=columns.last_error),
            )
            .returning(columns.workspace_id, columns.id, columns.generation, columns.attempts, columns.state)
        )

    def _due(self, limit: int) -> CTE:
        """Return the due rows that no other worker is taking at this moment."""
        columns = self.table.c
        return (
            select(columns.workspace_id, columns.id)
            .where(UNFINISHED, columns.not_before <= DatabaseMilliseconds())
            .order_by(columns.not_before, columns.id)
            .limit(limit)
            .with_for_update(skip_locked=True)
            .cte("due")
        )

    def _ours(self, claim: Claim) -> ColumnElement[bool]:
        columns = self.table.c
        return and_(
            columns.workspace_id == claim.workspace,
            columns.id == claim.id,
            columns.state == RUNNING,
            columns.generation == claim.generation,
        )

    def _settle(self, connection: Connection, claim: Claim, **values: Any) -> bool:
        settled = update(self.table).where(self._ours(claim)).values(**values)
        return connection.execute(settled).rowcount == 1


def _in_seconds(seconds: float) -> ColumnElement[int]:
    return DatabaseMilliseconds() + int(seconds * 1000)


def _key(claim: Claim) -> tuple[str, str, int]:
    return claim.workspace, claim.id, claim.generation


def _finished(claim: Claim, values: Mapping[str, Any]) -> dict[str, Any]:
    ours = {"of_workspace": claim.workspace, "of_id": claim.id, "of_generation": claim.generation}
    return {**ours, **{f"set_{name}": value for name, value in values.items()}}


def _claim(row: RowMapping) -> Claim:
    return Claim(
        workspace=row["workspace_id"], id=row["id"], generation=row["generation"], attempts=row["attempts"]
    )
