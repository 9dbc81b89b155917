"""The database: one engine, and transactions that start the right way on both databases."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Semaphore
from typing import Final

from sqlalchemy import Connection, Engine
from sqlalchemy.engine import URL, make_url
from sqlalchemy.engine.interfaces import DBAPICursor
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.pool import PoolProxiedConnection

from ..errors import ConfigurationError, StoreUnavailableError
from ..identifiers import Clock, utc_now
from .confinement import confine
from .deadline import seconds_left, within
from .sqlite import READING, begin, open_sqlite

WAIT_SECONDS: Final = 0.8
"""How long to wait for a lock: a delivery is answered within a second, with 503 if need be."""

CONNECTIONS: Final = 15
"""How many transactions one store runs at once; what SQLAlchemy's pool opens by default."""

PASSING_SQLITE_ERRORS: Final = {
    sqlite3.SQLITE_BUSY,
    sqlite3.SQLITE_LOCKED,
    sqlite3.SQLITE_IOERR,
    sqlite3.SQLITE_FULL,
    sqlite3.SQLITE_CANTOPEN,
    sqlite3.SQLITE_PROTOCOL,
}
"""SQLite calls a missing table operational too, which doesn't pass by itself (sqlite.org, "Result Codes")."""


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

    Raises:
        ConfigurationError: the URL is of another database or driver, its driver isn't installed, or the database
            has no roles; at the first connection also when the server may lose what it has acknowledged.
    """

    def __init__(
        self,
        url: str | URL,
        *,
        clock: Clock = utc_now,
        wait_seconds: float = WAIT_SECONDS,
        workspace_role: str = "",
    ) -> None:
        self.url = make_url(url)
        self.now = clock
        self.engine = _open_engine(self.url, wait_seconds)
        self.workspace_role = workspace_role
        if workspace_role and self.is_sqlite:
            raise ConfigurationError(
                "SQLite has no row-level security",
                subject="setting workspace_role",
                remedy="leave it out, or use PostgreSQL",
            )
        self._wait_seconds = wait_seconds
        self._process, self._turns = os.getpid(), Semaphore(CONNECTIONS)

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
        with within(within_seconds), self._turn() as engine, _typed_errors(engine), engine.begin() as connection:
            confine(connection, self.workspace_role)
            yield connection

    @contextmanager
    def reading(self, *, within_seconds: float | None = None) -> Iterator[Connection]:
        """Open a transaction that takes no write lock and refuses to write; see `transaction`."""
        options = {READING: True, "postgresql_readonly": True}
        with within(within_seconds), self._turn() as engine, _typed_errors(engine), engine.connect() as connection:
            connection.execution_options(**options)
            confine(connection, self.workspace_role)
            yield connection

    @contextmanager
    def driver_transaction(self) -> Iterator[DBAPICursor]:
        """Open a transaction on the bare driver, for the path on which a provider waits for its answer.

        It is for statements that were compiled before: what SQLAlchemy does around each of them costs more than
        SQLite needs for an insert. Everything else goes through `transaction`, whose errors these are too.

        Raises:
            StoreUnavailableError: the database can't be reached or is too busy.
        """
        with self._turn() as engine, _typed_errors(engine), _lent(engine) as connection:
            if self.is_sqlite:
                begin(connection, reading=False, wait_seconds=self._wait_seconds)
            cursor = connection.cursor()
            yield cursor
            cursor.close()
            connection.commit()

    def close(self) -> None:
        """Close every connection."""
        self.engine.dispose()

    @contextmanager
    def _turn(self) -> Iterator[Engine]:
        """Wait for one of the connections, because the pool itself knows no deadline."""
        if self._process != os.getpid():  # in a forked process the connections are the parent's
            self.engine.dispose(close=False)
            self._process, self._turns = os.getpid(), Semaphore(CONNECTIONS)
        turns = self._turns
        if not turns.acquire(timeout=min(seconds_left(), self._wait_seconds)):
            raise _unavailable("all connections are in use")
        try:
            yield self.engine
        finally:
            turns.release()


def _open_engine(url: URL, wait_seconds: float) -> Engine:
    """Return an engine set up for its database."""
    if url.drivername in {"sqlite", "sqlite+pysqlite"}:
        return open_sqlite(url, wait_seconds)
    if url.drivername in {"postgresql", "postgresql+psycopg"}:
        try:
            from .postgresql import open_postgresql  # noqa: PLC0415 - its driver is an extra
        except ImportError as error:
            raise ConfigurationError(
                "the driver of PostgreSQL isn't installed",
                subject="setting database_url",
                remedy="pip install 'speckitty-connectors[postgresql]'",
            ) from error
        return open_postgresql(url.set(drivername="postgresql+psycopg"), wait_seconds)
    raise ConfigurationError(
        f"the database {url.drivername!r} isn't supported",
        subject="setting database_url",
        remedy="use a sqlite:/// or postgresql+psycopg:// URL",
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


@contextmanager
def _typed_errors(engine: Engine) -> Iterator[None]:
    """Tell the failures of the database itself, which pass, from mistakes in what was asked of it."""
    driver = engine.dialect.loaded_dbapi
    try:
        yield
    except (DBAPIError, PoolTimeoutError, driver.Error) as error:
        cause = getattr(error, "orig", None) or error
        lost = getattr(error, "connection_invalidated", False)
        if not (lost or _is_unavailability(cause, (driver.OperationalError, driver.InterfaceError))):
            raise
        raise _unavailable(type(cause).__name__) from error


def _unavailable(reason: str) -> StoreUnavailableError:
    return StoreUnavailableError(
        "the database can't be reached or is too busy",
        subject=reason,
        remedy="try again; if it lasts, look at the database and its URL",
    )


def _is_unavailability(cause: BaseException, passing: tuple[type[Exception], ...]) -> bool:
    if isinstance(cause, sqlite3.Error):
        return getattr(cause, "sqlite_errorcode", 0) & 0xFF in PASSING_SQLITE_ERRORS
    return isinstance(cause, (PoolTimeoutError, *passing))
