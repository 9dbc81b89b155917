"""SQLite: every commit is on disk before it returns, and writers queue up front."""

from __future__ import annotations

import sqlite3
import time
from typing import Final, cast

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.engine import URL
from sqlalchemy.pool import ConnectionPoolEntry, PoolProxiedConnection, QueuePool

from ..errors import ConfigurationError
from .deadline import BEGINNING, seconds_left

OLDEST_SQLITE: Final = (3, 35, 0)
"""The first with RETURNING (sqlite.org, "RETURNING")."""

LOOK_SECONDS: Final = 0.01
"""How often to look whether others are done, where SQLite doesn't wait by itself."""


def open_sqlite(url: URL, wait_seconds: float, connections: int) -> Engine:
    """Return an engine; a database in memory is one connection that its users take turns with.

    Raises:
        ConfigurationError: Python was built with an SQLite that is too old.
    """
    if sqlite3.sqlite_version_info < OLDEST_SQLITE:
        raise ConfigurationError(
            f"SQLite {sqlite3.sqlite_version} is too old",
            subject="the SQLite that Python was built with",
            remedy=f"use one of {'.'.join(map(str, OLDEST_SQLITE))} or later, or PostgreSQL",
        )
    in_memory = url.database in {None, "", ":memory:"}
    engine = create_engine(
        url,
        hide_parameters=True,
        poolclass=QueuePool,
        pool_size=1 if in_memory else connections,
        max_overflow=0,
        pool_timeout=wait_seconds,
        connect_args={"check_same_thread": False, "timeout": wait_seconds},
    )

    @event.listens_for(engine, "connect")
    def set_up(connection: sqlite3.Connection, _: ConnectionPoolEntry) -> None:
        _set_up(connection, min(wait_seconds, seconds_left()))

    @event.listens_for(engine, "begin")
    def start(connection: Connection) -> None:
        begin(connection.connection)

    return engine


def begin(connection: PoolProxiedConnection) -> None:
    """Start a transaction that waits for other writers no longer than it may; one that reads can't write."""
    driver, how = cast("sqlite3.Connection", connection.driver_connection), BEGINNING.get()
    pragmas = {"busy_timeout": 100 * int(10 * how.lock_seconds), "query_only": int(how.reads_only)}
    for pragma, value in pragmas.items():
        if connection.info.get(pragma) != value:  # each time SQLite may have to compile every statement anew
            driver.execute(f"PRAGMA {pragma} = {value}")
            connection.info[pragma] = value
    driver.execute("BEGIN" if how.reads_only else "BEGIN IMMEDIATE")


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
