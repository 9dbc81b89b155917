"""What all tables share: one metadata object, the workspace column, times in UTC, and ids as text."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, cast

from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    DateTime,
    Dialect,
    ForeignKeyConstraint,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    TypeDecorator,
    text,
)
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.schema import SchemaItem
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


OPERATOR = ""
"""The workspace of what belongs to no workspace: the operator's apps, and deliveries not placed yet.

A host's workspace ids are never empty, so this value can't be mistaken for one; unlike NULL it takes part in
composite keys.
"""

SHARED_BY_THE_OPERATOR = "shared_by_the_operator"
"""Key of a table's `info`: the SQL condition on those of the operator's rows that every workspace may read."""

ADDED_FOR_THE_OPERATOR = "added_for_the_operator"
"""Key of a table's `info`: whether a workspace's transaction may add rows of the operator's."""

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(referred_table_name)s",
        "pk": "pk_%(table_name)s",
    }
)


class UtcDateTime(TypeDecorator[datetime]):
    """An aware moment in UTC on both databases; a naive one is refused."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002 - SQLAlchemy passes it
        """Turn an aware moment into UTC."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("a moment without a time zone can't be stored; pass an aware datetime")
        return value.astimezone(UTC)

    def result_processor(self, dialect: Dialect, coltype: object) -> Any:
        """Return what reads a column, also where a host's driver has made moments of SQLite's text already."""
        read: Any = super().result_processor(dialect, coltype)
        if dialect.name != "sqlite" or read is None:
            return read
        return lambda value: (
            self.process_result_value(value, dialect) if isinstance(value, datetime) else read(value)
        )

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002 - SQLAlchemy passes it
        """Return the moment in UTC, also from a database that stores none."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


def identifier(name: str, **options: object) -> Column[str]:
    """Return a column of an id: text, compared byte for byte on both databases."""
    return Column(name, String().with_variant(String(collation="C"), "postgresql"), nullable=False, **options)  # type: ignore[arg-type]  # Column's options are untyped


def workspace_column() -> Column[str]:
    """Return the column that every table starts with."""
    return identifier("workspace_id", primary_key=True)


def belongs_to(table: str, column: str) -> ForeignKeyConstraint:
    """Return the composite key by which SQL itself refuses another workspace's row."""
    return ForeignKeyConstraint(["workspace_id", column], [f"{table}.workspace_id", f"{table}.id"])


PENDING_ONLY = text("state = 'pending'")
RUNNING_ONLY = text("state = 'running'")
"""What workers look at; written once, because an index serves only the very condition that it was made with."""


def claim_columns() -> Sequence[SchemaItem]:
    """Return the columns of rows that workers claim, and the indexes by which they find them: see `store.claims`.

    A row is due at `not_before`; a worker has it until `leased_until`, and `worker` says which process that is.
    `failing_since` is when its first attempt failed, 0 where none did. These moments are milliseconds of the
    database's own clock, so that workers with a wrong clock can't take each other's rows. `attempts` counts those
    that ended, `crashes` the workers in a row that fell silent with it.
    """
    return (
        Column("state", String(16), nullable=False, server_default="pending"),
        Column("attempts", Integer, nullable=False, server_default="0"),
        Column("crashes", Integer, nullable=False, server_default="0"),
        Column("generation", Integer, nullable=False, server_default="0"),
        Column("worker", String, nullable=False, server_default=""),
        Column("not_before", BigInteger, nullable=False, server_default=DatabaseMilliseconds()),
        Column("leased_until", BigInteger, nullable=False, server_default="0"),
        Column("failing_since", BigInteger, nullable=False, server_default="0"),
        Column("last_error", String, nullable=False, server_default=""),
        Index(None, "workspace_id", "not_before", "id", sqlite_where=PENDING_ONLY, postgresql_where=PENDING_ONLY),
        Index(None, "leased_until", sqlite_where=RUNNING_ONLY, postgresql_where=RUNNING_ONLY),
    )


def upsert(connection: Connection, table: Table) -> postgresql.Insert:
    """Return an insert that can turn into an update; both databases write it the same way."""
    if connection.dialect.name == "postgresql":
        return postgresql.insert(table)
    return cast("postgresql.Insert", sqlite.insert(table))
