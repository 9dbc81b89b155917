"""SQLite: every commit is on disk before it returns, and writers queue up front."""

from __future__ import annotations

import sqlite3
import time
from typing import Final, cast

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.engine import URL
from sqlalchemy.pool import ConnectionPoolEntry, QueuePool

from ..errors import ConfigurationError
from .deadline import BEGINNING, seconds_left

OLDEST_SQLITE: Final = (3, 35, 0)
"""The first with RETURNING (sqlite.org, "RETURNING")."""

LOOK_SECONDS: Final = 0.01
"""How often to look whether others are done, where SQLite doesn't wait by itself."""


class QueuedConnection(sqlite3.Connection):
    """A connection whose transactions wait for other writers no longer than they may."""

    busy_timeout = reads_only = -1

    def begin(self) -> None:
        """Start a transaction as `BEGINNING` says; one that reads can't write."""
        how = BEGINNING.get()
        milliseconds = 100 * int(10 * how.lock_seconds)  # each change may have SQLite compile every statement anew
        if self.busy_timeout != milliseconds:
            self.execute(f"PRAGMA busy_timeout = {milliseconds}")
            self.busy_timeout = milliseconds
        if self.reads_only != how.reads_only:
            self.execute(f"PRAGMA query_only = {how.reads_only:d}")
            self.reads_only = how.reads_only
        self.execute("BEGIN" if how.reads_only else "BEGIN IMMEDIATE")


def open_sqlite(url: URL, wait_seconds: float, connections: int) -> Engine:
    """Return an engine; a database in memory is one connection that its users take turns with.

    Raises:
        ConfigurationError: Python was built with an SQLite that is too old.
    """
    _refuse_old()
    in_memory = url.database in {None, "", ":memory:"}
    engine = create_engine(
        url,
        hide_parameters=True,
        poolclass=QueuePool,
        pool_size=1 if in_memory else connections,
        max_overflow=0,
        pool_timeout=wait_seconds,
        connect_args={"check_same_thread": False, "timeout": wait_seconds, "factory": QueuedConnection},
    )

    @event.listens_for(engine, "connect")
    def set_up(connection: sqlite3.Connection, _: ConnectionPoolEntry) -> None:
        _set_up(connection, min(wait_seconds, seconds_left()))

    @event.listens_for(engine, "begin")
    def start(connection: Connection) -> None:
        cast("QueuedConnection", connection.connection.driver_connection).begin()

    return engine


def _refuse_old() -> None:
    if sqlite3.sqlite_version_info < OLDEST_SQLITE:
        raise ConfigurationError(
            f"SQLite {sqlite3.sqlite_version} is too old",
            subject="the SQLite that Python was built with",
            remedy=f"use one of {'.'.join(map(str, OLDEST_SQLITE))} or later, or PostgreSQL",
        )


def _set_up(connection: sqlite3.Connection, wait_seconds: float) -> None:
    connection.isolation_level = None
    _write_ahead(connection, wait_seconds)
    for pragma in ("synchronous = FULL", "foreign_keys = ON", "secure_delete = ON"):
        connection.execute(f"PRAGMA {pragma}")


def _write_ahead(connection: sqlite3.Connection, wait_seconds: float) -> None:
    """Turn a new file to WAL; where others do so at the same moment SQLite fails at once instead of waiting."""
    end = time.monotonic() + wait_seconds
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode != sqlite3.SQLITE_BUSY or time.monotonic() > end:
                raise
            time.sleep(LOOK_SECONDS)
        else:
            return
