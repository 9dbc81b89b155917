"""Claiming rows of work: each row is run by one worker at a time, and by the next when that one is gone."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cache
from secrets import SystemRandom
from typing import Any, Final

from attrs import define, field, frozen, validators
from sqlalchemy import (
    CTE,
    ColumnElement,
    Connection,
    Integer,
    RowMapping,
    ScalarSelect,
    Select,
    String,
    Table,
    Update,
    and_,
    any_,
    bindparam,
    case,
    exists,
    func,
    literal,
    literal_column,
    null,
    select,
    true,
    tuple_,
    union_all,
    update,
)
from sqlalchemy.sql.dml import ReturningUpdate
from sqlalchemy.sql.selectable import NamedFromClause

from .metadata import PENDING_ONLY, RUNNING_ONLY, DatabaseMilliseconds

PENDING: Final = "pending"
RUNNING: Final = "running"
DONE: Final = "done"
PARKED: Final = "parked"

UNREPORTED: Final = "the worker ended without a report"

PLACES: Final = {"postgresql": "ctid", "sqlite": "rowid"}
"""What each database calls the place of a row; the planners need no guess how to find a row there (PostgreSQL,
"System Columns"; sqlite.org, "Rowid Tables"). It is used within one statement only, on rows that this locks."""

LIMIT: Final = bindparam("limit", type_=Integer)

DAY_SECONDS: Final = 86_400.0


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
    """Claims the rows of one table that has `claim_columns()`: workspaces in turn, within one the oldest row first.

    A claim is a lease and no attempt: what was claimed and not started goes back as it was. A row whose lease ends
    without a report is a suspect, because it may be what ended its worker: it is claimed alone from then on, and
    parked when that happens `max_crashes` times in a row.

    >>> from sqlalchemy import MetaData, Table
    >>> queue = ClaimQueue(Table("work", MetaData()), first_delay_seconds=2, longest_delay_seconds=60)
    >>> [queue.delay_seconds(attempts) for attempts in (1, 2, 3, 9)]
    [2.0, 4.0, 8.0, 60]

    Args:
        table: with ``workspace_id``, ``id`` and `claim_columns()`.
        lease_seconds: how long a worker may stay silent before another takes its row.
        max_crashes: how many workers in a row may fall silent with a row before it is parked.
        first_delay_seconds: the pause after the first failed attempt; it doubles with each further one.
        longest_delay_seconds: the longest pause.
        retry_seconds: for how long after its first failure a row is tried again before it is parked.
        jitter: a number from 0 to 1 that says how much of its second half a pause keeps, so that what failed
            together isn't tried together.
    """

    table: Table
    lease_seconds: float = field(default=30.0, kw_only=True, validator=validators.gt(0))
    max_crashes: int = field(default=5, kw_only=True, validator=validators.ge(1))
    first_delay_seconds: float = field(default=2.0, kw_only=True, validator=validators.ge(0))
    longest_delay_seconds: float = field(default=3600.0, kw_only=True, validator=validators.ge(0))
    retry_seconds: float = field(default=3 * DAY_SECONDS, kw_only=True, validator=validators.ge(0))
    jitter: Callable[[], float] = field(default=SystemRandom().random, kw_only=True)

    def claim(
        self,
        connection: Connection,
        *,
        limit: int,
        worker: str = "",
        last: str | None = None,
        after_seconds: float = 0.0,
    ) -> list[Claim]:
        """Take up to `limit` due rows, or one whose worker fell silent; commit before running them.

        Args:
            connection: the transaction.
            limit: how many rows at most, and of how many workspaces.
            worker: id of the process that has them from now on.
            last: the workspace that was served last; those after it have their turn now.
            after_seconds: how long a row must have been due, for who only takes what others missed.
        """
        given = {
            "limit": limit,
            "beginning": "" if last is None else last + "\x01",  # the first text after it
            "by_worker": worker,
            "lease": _milliseconds(self.lease_seconds),
            "max_crashes": self.max_crashes,
            "waited": _milliseconds(after_seconds),
        }
        statement = _take(self.table, connection.dialect.name)
        while rows := connection.execute(statement, given).mappings().all():
            claims = [_claim(row) for row in rows if row["state"] == RUNNING]
            if claims:
                return sorted(claims, key=lambda claim: claim.id)
        return []

    def claim_named(
        self, connection: Connection, rows: Sequence[tuple[str, str]], *, worker: str = ""
    ) -> list[Claim]:
        """Take those of some rows that are due and that nobody has; each is named by its workspace and id."""
        columns = self.table.c
        key = tuple_(columns.workspace_id, columns.id)
        is_due = and_(key.in_(rows), columns.state == PENDING, columns.not_before <= DatabaseMilliseconds())
        free = select(columns.workspace_id, columns.id).where(is_due).with_for_update(skip_locked=True).cte("free")
        taken = (
            update(self.table)
            .where(key.in_(select(free.c.workspace_id, free.c.id)))
            .values(
                state=RUNNING,
                generation=columns.generation + 1,
                worker=worker,
                leased_until=DatabaseMilliseconds() + _milliseconds(self.lease_seconds),
            )
            .returning(columns.workspace_id, columns.id, columns.generation, columns.attempts)
        )
        return sorted(map(_claim, connection.execute(taken).mappings()), key=lambda claim: claim.id)

    def extend(self, connection: Connection, claims: Iterable[Claim]) -> None:
        """Let leases begin again; a row that a transaction holds is passed over, as it is by who claims."""
        until = DatabaseMilliseconds() + _milliseconds(self.lease_seconds)
        self._change(connection, claims, leased_until=until)

    def release(self, connection: Connection, claims: Iterable[Claim]) -> None:
        """Give rows back that weren't started; they are due as before."""
        self._change(connection, claims, state=PENDING, worker="")

    def release_worker(self, connection: Connection, worker: str) -> int:
        """Give back all rows of a process that has ended; return how many."""
        columns = self.table.c
        left = update(self.table).where(columns.state == RUNNING, columns.worker == worker)
        return connection.execute(left.values(state=PENDING, worker="")).rowcount

    def hold(self, connection: Connection, claim: Claim) -> bool:
        """Lock the row until the transaction ends; return False when the claim is no longer ours.

        Call it first in the transaction that finishes the work: nobody can take the row from then on.
        """
        return connection.execute(self.holding(), key_of(claim)).first() is not None

    def holding(self) -> Select[*tuple[Any, ...]]:
        """Return the query that locks a claim's row, for who joins more to it; its parameters are `key_of` a claim.

        It finds nothing when the claim is no longer ours.
        """
        return _hold(self.table)

    def hold_all(self, connection: Connection, claims: Sequence[Claim]) -> list[Claim]:
        """Lock the rows of those claims that are still ours, and return these; one statement for all of them."""
        columns = self.table.c
        held = (
            select(columns.workspace_id, columns.id, columns.generation)
            .where(self._among(claims))
            .order_by(
                columns.workspace_id, columns.id
            )  # two that hold the same rows wait, and never for each other
            .with_for_update()
        )
        ours = {tuple(row) for row in connection.execute(held)}
        return [claim for claim in claims if _key(claim) in ours]

    def finish(self, connection: Connection, claim: Claim, **values: Any) -> bool:
        """Mark the row done and set further columns; return False when the claim is no longer ours."""
        return self._settle(connection, claim, state=DONE, last_error="", **{"attempts": claim.attempts, **values})

    def finish_all(self, connection: Connection, finished: Sequence[tuple[Claim, Mapping[str, Any]]]) -> None:
        """Mark rows that are held done, each with further values of its own; all of them set the same columns."""
        if not finished:
            return
        rows = [{"attempts": claim.attempts, **values} for claim, values in finished]
        columns = self.table.c
        done = update(self.table).where(_is_ours(self.table)).values(state=DONE, last_error="")
        done = done.values({name: bindparam(f"set_{name}", type_=columns[name].type) for name in rows[0]})
        keys = (key_of(claim) for claim, _ in finished)
        named = ({f"set_{name}": value for name, value in values.items()} for values in rows)
        connection.execute(done, [{**key, **values} for key, values in zip(keys, named, strict=True)])

    def retry(self, connection: Connection, claim: Claim, *, error: str) -> str:
        """Put the row back for a later attempt, or park it when it has failed for long enough.

        Returns:
            The row's state; empty when the claim is no longer ours.
        """
        values = {
            "ended_attempts": claim.attempts,
            "pause": _milliseconds(self._pause_seconds(claim.attempts)),
            "longest": _milliseconds(self.retry_seconds),
            "error": error,
        }
        return connection.execute(_retry(self.table), {**key_of(claim), **values}).scalar() or ""

    def postpone(self, connection: Connection, claim: Claim, *, error: str) -> bool:
        """Put the row back for a moment, because the database was busy; that is no attempt."""
        due = DatabaseMilliseconds() + _milliseconds(self._pause_seconds(1))
        return self._settle(connection, claim, state=PENDING, worker="", not_before=due, last_error=error)

    def park(self, connection: Connection, claim: Claim, *, error: str) -> bool:
        """Set the row aside until someone rearms it; return False when the claim is no longer ours."""
        return self._settle(connection, claim, state=PARKED, attempts=claim.attempts, last_error=error)

    def rearm(self, connection: Connection, workspace: str, id: str) -> bool:  # noqa: A002 - the column's name
        """Make a parked row due again with all its attempts; return False when there is no such parked row."""
        row = and_(self.table.c.workspace_id == workspace, self.table.c.id == id)
        return self.rearm_all(connection, row) == 1

    def rearm_all(self, connection: Connection, *conditions: ColumnElement[bool]) -> int:
        """Make the parked rows that conditions hold for due again; return how many there were."""
        rearmed = update(self.table).where(self.table.c.state == PARKED, *conditions)
        values = {"state": PENDING, "attempts": 0, "crashes": 0, "failing_since": 0}
        return connection.execute(rearmed.values(not_before=DatabaseMilliseconds(), **values)).rowcount

    def delay_seconds(self, attempts: int) -> float:
        """Return the longest pause after this many failed attempts; jitter takes up to half of it away."""
        return min(self.longest_delay_seconds, self.first_delay_seconds * 2.0 ** min(attempts - 1, 60))

    def _pause_seconds(self, attempts: int) -> float:
        return self.delay_seconds(attempts) * (1 + self.jitter()) / 2

    def _among(self, claims: Iterable[Claim]) -> ColumnElement[bool]:
        columns = self.table.c
        key = tuple_(columns.workspace_id, columns.id, columns.generation)
        return and_(key.in_([_key(claim) for claim in claims]), columns.state == RUNNING)

    def _change(self, connection: Connection, claims: Iterable[Claim], **values: Any) -> None:
        """Change those rows that are still ours and that no transaction holds."""
        columns = self.table.c
        free = select(columns.workspace_id, columns.id).where(self._among(claims))
        found = free.with_for_update(skip_locked=True).cte("free")
        rows = tuple_(columns.workspace_id, columns.id).in_(select(found.c.workspace_id, found.c.id))
        connection.execute(update(self.table).where(rows).values(**values))

    def _settle(self, connection: Connection, claim: Claim, **values: Any) -> bool:
        settled = update(self.table).where(_is_ours(self.table)).values(**values)
        return connection.execute(settled, key_of(claim)).rowcount == 1


@define
class Round:
    """Where a worker is in its round of the workspaces.

    Attributes:
        queue: what it claims from.
        worker: id of its process.
        after_seconds: how long a row must have been due before it is taken.
    """

    queue: ClaimQueue
    worker: str
    after_seconds: float = 0.0
    _last: str | None = None

    def claim(self, connection: Connection, *, limit: int) -> list[Claim]:
        """Take due rows of the workspaces whose turn it is; see `ClaimQueue.claim`."""
        claims = self._claim(connection, limit, self._last)
        if not claims and self._last is not None:
            claims = self._claim(connection, limit, None)
        served = {claim.workspace for claim in claims}
        self._last = max(served) if len(served) >= limit else None  # fewer than asked for: the round is over
        return claims

    def _claim(self, connection: Connection, limit: int, last: str | None) -> list[Claim]:
        return self.queue.claim(
            connection, limit=limit, worker=self.worker, last=last, after_seconds=self.after_seconds
        )


@define
class Named:
    """Rows that somebody names, in place of a round.

    Attributes:
        queue: what they are claimed from.
        worker: id of the process that claims.
        rows: workspace and id of each.
    """

    queue: ClaimQueue
    worker: str
    rows: Sequence[tuple[str, str]]

    def claim(self, connection: Connection, *, limit: int) -> list[Claim]:
        """Take those that are due and that nobody has."""
        return self.queue.claim_named(connection, self.rows[:limit], worker=self.worker)


def _is_ours(table: Table) -> ColumnElement[bool]:
    """Return the condition that a row is still that of a claim; its parameters are `key_of` it."""
    return and_(
        table.c.workspace_id == bindparam("of_workspace"),
        table.c.id == bindparam("of_id"),
        table.c.generation == bindparam("of_generation"),
        table.c.state == RUNNING,
    )


@cache
def _hold(table: Table) -> Select[*tuple[Any, ...]]:
    return select(table).where(_is_ours(table)).with_for_update()


@cache
def _retry(table: Table) -> Update:
    columns, now = table.c, DatabaseMilliseconds()
    since = case((columns.failing_since == 0, now), else_=columns.failing_since)
    number = columns.not_before.type
    is_over = since + bindparam("longest", type_=number) <= now
    return (
        update(table)
        .where(_is_ours(table))
        .values(
            state=case((is_over, PARKED), else_=PENDING),
            attempts=bindparam("ended_attempts"),
            crashes=0,
            worker="",
            not_before=now + bindparam("pause", type_=number),
            failing_since=since,
            last_error=bindparam("error"),
        )
        .returning(columns.state)
    )


def _milliseconds(seconds: float) -> int:
    return int(seconds * 1000)


def _key(claim: Claim) -> tuple[str, str, int]:
    return claim.workspace, claim.id, claim.generation


def key_of(claim: Claim) -> dict[str, Any]:
    """Return the parameters by which statements find a claim's row."""
    return {"of_workspace": claim.workspace, "of_id": claim.id, "of_generation": claim.generation}


def _claim(row: RowMapping) -> Claim:
    return Claim(
        workspace=row["workspace_id"], id=row["id"], generation=row["generation"], attempts=row["attempts"] + 1
    )


@cache
def _take(table: Table, dialect: str) -> ReturningUpdate[*tuple[Any, ...]]:
    """Return the one statement that takes due rows of a table.

    It takes one row whose worker fell silent, and that alone; else those of up to ``limit`` workspaces, from the
    one at or after ``beginning`` on, from each an equal share of ``limit``. A silent worker's row is parked when
    that happened ``max_crashes`` times in a row.
    """
    columns, place = table.c, PLACES[dialect]
    suspect = _suspect(table, place)
    turns = _turns(table, suspect)
    in_turn = (_in_turn_by_lateral if dialect == "postgresql" else _in_turn_by_place)(table, turns, place)
    silent = columns.state == RUNNING
    spent = and_(silent, columns.crashes + 1 >= bindparam("max_crashes", type_=Integer))
    taken = union_all(select(suspect.c.place), in_turn)
    mine: ColumnElement[Any] = literal_column(f"{table.name}.{place}")
    return (
        update(table)
        .where(mine == any_(func.array(taken.scalar_subquery())) if dialect == "postgresql" else mine.in_(taken))
        .values(
            state=case((spent, PARKED), else_=RUNNING),
            attempts=columns.attempts + case((silent, 1), else_=0),
            crashes=columns.crashes + case((silent, 1), else_=0),
            generation=columns.generation + 1,
            worker=bindparam("by_worker", type_=String),
            leased_until=DatabaseMilliseconds() + bindparam("lease", type_=Integer),
            last_error=case((spent, UNREPORTED), else_=columns.last_error),
        )
        .returning(columns.workspace_id, columns.id, columns.generation, columns.attempts, columns.state)
    )


def _suspect(table: Table, place: str) -> CTE:
    """Return the row whose worker fell silent longest ago."""
    columns = table.c
    return (
        select(literal_column(f"{table.name}.{place}").label("place"))
        .where(RUNNING_ONLY, columns.leased_until <= DatabaseMilliseconds())
        .order_by(columns.leased_until)
        .limit(1)
        .with_for_update(skip_locked=True)
        .cte("suspect")
    )


def _turns(table: Table, suspect: CTE) -> CTE:
    """Return the workspaces that have due rows, each found by one look at the index; the last may be no one."""
    start = bindparam("beginning", type_=String)
    first = _next_workspace(table, lambda workspace: workspace >= start)
    turns = select(
        case((exists(select(suspect.c.place)), null()), else_=first).label("workspace_id"),
        literal(1).label("number"),
    ).cte("turns", recursive=True)
    following = _next_workspace(table, lambda workspace: workspace > turns.c.workspace_id)
    return turns.union_all(
        select(following, turns.c.number + 1).where(turns.c.workspace_id.is_not(None), turns.c.number < LIMIT)
    )


def _due() -> ColumnElement[int]:
    return DatabaseMilliseconds() - bindparam("waited", type_=Integer)


def _next_workspace(
    table: Table, condition: Callable[[ColumnElement[str]], ColumnElement[bool]]
) -> ScalarSelect[str]:
    """Return the first workspace with a due row of those that a condition holds for."""
    rows = table.alias("waiting")
    return (
        select(rows.c.workspace_id)
        .where(PENDING_ONLY, rows.c.not_before <= _due(), condition(rows.c.workspace_id))
        .order_by(rows.c.workspace_id)
        .limit(1)
        .scalar_subquery()
    )


def _oldest(rows: NamedFromClause[Any], turns: CTE, place: str) -> Select[Any]:
    """Return where the oldest due rows are of a workspace that has its turn, as many as its share."""
    count = func.nullif(func.count(turns.c.workspace_id), 0)
    workspaces = select(func.coalesce(count, 1, type_=Integer)).scalar_subquery()
    return (
        select(literal_column(f"{rows.name}.{place}").label("place"))
        .select_from(rows)
        .where(
            rows.c.workspace_id == turns.c.workspace_id,
            PENDING_ONLY,
            rows.c.not_before <= _due(),
        )
        .order_by(rows.c.not_before, rows.c.id)
        .limit(LIMIT // workspaces)
        .correlate(turns)
    )


def _in_turn_by_lateral(table: Table, turns: CTE, place: str) -> Select[Any]:
    """Return the rows of all turns; those that another worker is taking at this moment are passed over."""
    oldest = _oldest(table.alias("due"), turns, place).with_for_update(skip_locked=True).lateral("oldest")
    return select(oldest.c.place).select_from(turns).join(oldest, true())


def _in_turn_by_place(table: Table, turns: CTE, place: str) -> Select[Any]:
    """Return the rows of all turns, where a subquery can't be joined to what it looks at."""
    rows = table.alias("found")
    found: ColumnElement[Any] = literal_column(f"found.{place}")
    oldest = _oldest(table.alias("due"), turns, place)
    return select(found).select_from(turns).join(rows, found.in_(oldest))
