"""The statement that takes due rows: workspaces in turn, and within one the oldest row first."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any, Final

from sqlalchemy import (
    CTE,
    ColumnElement,
    Integer,
    ScalarSelect,
    Select,
    String,
    Table,
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


def after(workspace: str) -> str:
    """Return the first text that comes after a workspace's id, byte for byte; empty ids begin everything."""
    return workspace + "\x01"


@cache
def take(table: Table, dialect: str) -> ReturningUpdate[Any]:
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
    mine = literal_column(f"{table.name}.{place}")
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


def _next_workspace(
    table: Table, condition: Callable[[ColumnElement[str]], ColumnElement[bool]]
) -> ScalarSelect[str]:
    """Return the first workspace with a due row of those that a condition holds for."""
    rows = table.alias("waiting")
    return (
        select(rows.c.workspace_id)
        .where(PENDING_ONLY, rows.c.not_before <= DatabaseMilliseconds(), condition(rows.c.workspace_id))
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
            rows.c.not_before <= DatabaseMilliseconds(),
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
    rows, found = table.alias("found"), literal_column(f"found.{place}")
    oldest = _oldest(table.alias("due"), turns, place)
    return select(found).select_from(turns).join(rows, found.in_(oldest))
