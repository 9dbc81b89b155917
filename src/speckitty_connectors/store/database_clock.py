"""The database's own clock, which all workers share, however wrong their own clocks are."""

from __future__ import annotations

from typing import Any

from sqlalchemy import BigInteger
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement


class DatabaseMilliseconds(FunctionElement[int]):
    """Milliseconds since 1970 in UTC, at the start of the statement, by the database's clock.

    >>> from sqlalchemy import select
    >>> from sqlalchemy.dialects import postgresql
    >>> print(select(DatabaseMilliseconds()).compile(dialect=postgresql.dialect()))
    SELECT CAST(extract(epoch from statement_timestamp()) * 1000 AS BIGINT) AS anon_1
    """

    type = BigInteger()
    inherit_cache = True


@compiles(DatabaseMilliseconds, "postgresql")
def _in_postgresql(element: DatabaseMilliseconds, compiler: SQLCompiler, **options: Any) -> str:  # noqa: ARG001 - SQLAlchemy passes them
    # one moment for the whole statement, so that an index can be searched by it
    return "CAST(extract(epoch from statement_timestamp()) * 1000 AS BIGINT)"


@compiles(DatabaseMilliseconds, "sqlite")
def _in_sqlite(element: DatabaseMilliseconds, compiler: SQLCompiler, **options: Any) -> str:  # noqa: ARG001 - SQLAlchemy passes them
    # days since noon of 24 November 4714 BC; unixepoch('subsec') needs SQLite 3.42
    return "CAST((julianday('now') - 2440587.5) * 86400000 AS INTEGER)"
