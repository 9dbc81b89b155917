"""The database: one engine, and transactions that start the right way on both databases."""

from __future__ import annotations

import os
import re
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

from sqlalchemy import Connection, Engine
from sqlalchemy.engine import URL, make_url
from sqlalchemy.engine.interfaces import DBAPICursor
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.pool import PoolProxiedConnection

from ..errors import (
    ConfigurationError,
    ConnectorsError,
    StoreBusyError,
    StoreUnavailableError,
    TextRefusedError,
)
from ..identifiers import Clock, utc_now
from .confinement import confine
from .contention import PASSING_SQLITE_ERRORS, is_contention
from .deadline import REMEDY, WAIT_SECONDS, Gate
from .sqlite import QueuedConnection, open_sqlite

CONNECTIONS: Final = 15
"""How many transactions one store runs at once; what SQLAlchemy's pool opens by default."""

NEEDS_POSTGRESQL: Final = {"workspace_role": "row-level security", "schema": "schemas"}
"""Setting → what it is about, which SQLite hasn't."""

PLAIN_NAME: Final = re.compile(r"[a-z_][a-z0-9_]{0,62}")
"""Names that PostgreSQL reads alike with and without quotation marks."""

LOST_STATEMENTS: Final = {"26000", "42P05"}
"""A prepared statement isn't there, or is there already (PostgreSQL, "Error Codes"): the connection was changed."""


class Store:
    """The one way to the database.

    >>> store = Store("sqlite://")
    >>> with store.transaction() as connection:
    ...     connection.exec_driver_sql("select 1").scalar_one()
    1
    >>> store.close()

    Args:
        url: a SQLAlchemy URL, ``sqlite:///file.db`` or ``postgresql+psycopg://…``.
        clock: where `now` comes from.
        wait_seconds: how long to wait for a lock or a free connection.
        workspace_role: the role that transactions run as which `confinement.confined` holds to a workspace;
            empty where the database doesn't hold them.
        schema: PostgreSQL's schema that all tables are in; empty for the one that the connection finds first.
        connections: how many transactions may run at once.
        prepared_statements: whether PostgreSQL may keep statements from one transaction to the next, which a
            pooler in transaction mode may not allow.

    Raises:
        ConfigurationError: the URL is of another database or driver, its driver isn't installed, or the database
            has no roles or schemas; at the first connection also when the server may lose what it has acknowledged.
    """

    def __init__(
        self,
        url: str | URL,
        *,
        clock: Clock = utc_now,
        wait_seconds: float = WAIT_SECONDS,
        workspace_role: str = "",
        schema: str = "",
        connections: int = CONNECTIONS,
        prepared_statements: bool = True,
    ) -> None:
        self.url = make_url(url)
        self.now = clock
        self.workspace_role = workspace_role
        self.schema = schema
        _check_names(self.url, workspace_role=workspace_role, schema=schema)
        self.engine = _open_engine(
            self.url, wait_seconds, connections, schema=schema, prepared_statements=prepared_statements
        )
        self._wait_seconds = wait_seconds
        self._connections = connections
        self._process, self._gate = os.getpid(), self._new_gate()

    @property
    def is_sqlite(self) -> bool:
        """Whether this is SQLite, which has one writer at a time."""
        return self.engine.dialect.name == "sqlite"

    @contextmanager
    def transaction(self, *, within_seconds: float | None = None) -> Iterator[Connection]:
        """Open a transaction that commits when the block ends and rolls back when it raises.

        Args:
            within_seconds: when to give up on a database that is locked, frozen or gone, counted from now over
                all that the block asks of it; None waits as long as the server is there.

        Raises:
            StoreUnavailableError: the database can't be reached or is too busy. Nothing is kept, unless the
                commit itself got no answer; write so that the same work can be done again.
        """
        with self._turn(within_seconds) as engine, engine.begin() as connection:
            confine(connection, self.workspace_role)
            yield connection

    @contextmanager
    def reading(self, *, within_seconds: float | None = None) -> Iterator[Connection]:
        """Open a transaction that takes no write lock and refuses to write; see `transaction`."""
        with self._turn(within_seconds, reads_only=True) as engine, engine.begin() as connection:
            confine(connection, self.workspace_role)
            yield connection  # and a commit after it: a rollback costs PostgreSQL its prepared statements

    @contextmanager
    def driver_transaction(self, *, reads_only: bool = False) -> Iterator[DBAPICursor]:
        """Open a transaction on the bare driver, for the path on which a provider waits for its answer.

        It is for statements that were compiled before: what SQLAlchemy does around each of them costs more than
        SQLite needs for an insert. Everything else goes through `transaction`, whose errors these are too.

        Args:
            reads_only: whether it refuses to write.

        Raises:
            StoreUnavailableError: the database can't be reached or is too busy.
        """
        with self._turn(reads_only=reads_only) as engine, _lent(engine) as connection:
            driver = connection.driver_connection
            if isinstance(driver, QueuedConnection):
                driver.begin()
            cursor = connection.cursor()
            yield cursor
            cursor.close()
            connection.commit()

    def connect_apart(self) -> Any:
        """Return a connection of PostgreSQL's driver beside those that transactions have; each statement commits.

        The caller closes it. It is for what outlives transactions, such as LISTEN.

        Raises:
            psycopg.Error: the database can't be reached.
        """
        from .postgresql import connect_apart  # noqa: PLC0415 - its driver is an extra

        return connect_apart(self.engine)

    def check_writing(self) -> None:
        """Raise at once what a transaction would, where a request needs one only after much else; see `Gate`.

        Raises:
            StoreUnavailableError: the database didn't answer the last who wanted to write.
        """
        self._gate.check_writing()

    def close(self) -> None:
        """Close every connection."""
        self.engine.dispose()

    def _new_gate(self) -> Gate:
        return Gate(self._connections, one_writer=self.is_sqlite)

    @contextmanager
    def _turn(self, within_seconds: float | None = None, *, reads_only: bool = False) -> Iterator[Engine]:
        """Wait for one of the connections, because the pool itself knows no deadline."""
        if self._process != os.getpid():  # in a forked process the connections are the parent's
            self.engine.dispose(close=False)
            self._process, self._gate = os.getpid(), self._new_gate()
        driver = self.engine.dialect.loaded_dbapi
        with self._gate.turn(patience=self._wait_seconds, within_seconds=within_seconds, reads_only=reads_only):
            try:
                yield self.engine
            except (DBAPIError, PoolTimeoutError, driver.Error) as error:
                typed = _typed(error, driver)
                if typed is None:
                    raise
                raise typed from error


def _open_engine(url: URL, wait_seconds: float, connections: int, **postgresql: Any) -> Engine:
    """Return an engine set up for its database."""
    if url.drivername in {"sqlite", "sqlite+pysqlite"}:
        return open_sqlite(url, wait_seconds, connections)
    if url.drivername in {"postgresql", "postgresql+psycopg"}:
        try:
            from .postgresql import open_postgresql  # noqa: PLC0415 - its driver is an extra
        except ImportError as error:
            raise ConfigurationError(
                "the driver of PostgreSQL isn't installed",
                subject="setting database_url",
                remedy="pip install 'speckitty-connectors[postgresql]'",
            ) from error
        return open_postgresql(url.set(drivername="postgresql+psycopg"), wait_seconds, connections, **postgresql)
    raise ConfigurationError(
        f"the database {url.drivername!r} isn't supported",
        subject="setting database_url",
        remedy="use a sqlite:/// or postgresql+psycopg:// URL",
    )


def _check_names(url: URL, **names: str) -> None:
    """Refuse names of what SQLite hasn't, and names that need quotation marks; by setting."""
    for setting, name in names.items():
        if name and url.drivername.startswith("sqlite"):
            raise ConfigurationError(
                f"SQLite has no {NEEDS_POSTGRESQL[setting]}",
                subject=f"setting {setting}",
                remedy="leave it out, or use PostgreSQL",
            )
        if name and not PLAIN_NAME.fullmatch(name):
            raise ConfigurationError(
                f"{name!r} isn't a plain name",
                subject=f"setting {setting}",
                remedy="use lower-case letters, digits and underscores",
            )


@contextmanager
def _lent(engine: Engine) -> Iterator[PoolProxiedConnection]:
    """Lend a connection of the pool, which rolls back what wasn't committed; its errors become SQLAlchemy's."""
    connection, base = engine.raw_connection(), engine.dialect.loaded_dbapi.Error
    try:
        yield connection
    except base as error:
        lost = engine.dialect.is_disconnect(error, connection, None)
        if lost:
            connection.invalidate(error)
        raise DBAPIError.instance(None, None, error, base, connection_invalidated=lost) from error
    finally:
        connection.close()


def _typed(error: Exception, driver: Any) -> ConnectorsError | None:
    """Tell the failures of the database itself, which pass, from mistakes in what was asked of it: None."""
    cause = getattr(error, "orig", None) or error
    says = f"{type(cause).__name__}: {str(cause).partition(chr(10))[0]}"
    if is_contention(cause):
        return StoreBusyError("the database is too busy", subject=says, remedy=REMEDY)
    if getattr(cause, "sqlstate", None) in LOST_STATEMENTS:
        return ConfigurationError(
            "a pooler before PostgreSQL doesn't keep statements from one transaction to the next",
            subject="setting prepared_statements",
            remedy="set it to false",
        )
    if getattr(error, "connection_invalidated", False) or _passes(cause, driver):
        return StoreUnavailableError("the database can't be reached", subject=says, remedy=REMEDY)
    if isinstance(cause, driver.DataError) and "NUL" in str(
        cause
    ):  # psycopg's own words: it has no code of its own
        return TextRefusedError("a text holds NUL", remedy="leave it out; no id, name or address has one")
    return None


def _passes(cause: BaseException, driver: Any) -> bool:
    """Return whether the same may succeed later."""
    if isinstance(cause, sqlite3.Error):
        return getattr(cause, "sqlite_errorcode", 0) & 0xFF in PASSING_SQLITE_ERRORS
    return isinstance(cause, (PoolTimeoutError, driver.OperationalError, driver.InterfaceError))
