"""SQLite: every commit is on disk before it returns, and writers queue up front."""

from __future__ import annotations

import math
import sqlite3
from typing import Final, cast

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.engine import URL
from sqlalchemy.pool import ConnectionPoolEntry, QueuePool

from ..errors import ConfigurationError
from .deadline import seconds_left

OLDEST_SQLITE: Final = (3, 35, 0)
"""The first with RETURNING (sqlite.org, "RETURNING")."""

READING: Final = "connectors_reading"
"""The execution option of a connection that only reads."""


def open_sqlite(url: URL, wait_seconds: float) -> Engine:
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
        pool_timeout=wait_seconds,
        connect_args={"check_same_thread": False, "timeout": wait_seconds},
        **({"pool_size": 1, "max_overflow": 0} if in_memory else {}),
    )
    event.listen(engine, "connect", _set_up)

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        reading = bool(connection.get_execution_options().get(READING, False))
        left = seconds_left()
        milliseconds = int(1000 * (wait_seconds if math.isinf(left) else left))
        driver = cast("sqlite3.Connection", connection.connection.driver_connection)
        driver.execute(f"PRAGMA busy_timeout = {milliseconds}")
        kept = connection.connection.info
        if kept.get(READING) is not reading:  # setting it makes SQLite compile every statement again
            driver.execute(f"PRAGMA query_only = {int(reading)}")
            kept[READING] = reading
        connection.exec_driver_sql("BEGIN" if reading else "BEGIN IMMEDIATE")

    return engine


def _set_up(connection: sqlite3.Connection, _: ConnectionPoolEntry) -> None:
    connection.isolation_level = None
    for pragma in ("journal_mode = WAL", "synchronous = FULL", "foreign_keys = ON", "secure_delete = ON"):
        connection.execute(f"PRAGMA {pragma}")
