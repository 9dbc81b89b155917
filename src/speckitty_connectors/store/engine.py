"""The database: one engine, and transactions that start the right way on both databases."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.engine import URL, make_url

from ..errors import ConfigurationError
from ..identifiers import Clock, utc_now

WAIT_SECONDS = 1.0
"""How long a connection waits for a lock: a delivery is answered within a second, with 503 if need be."""

READING = "connectors_reading"


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
    """

    def __init__(self, url: str | URL, *, clock: Clock = utc_now, wait_seconds: float = WAIT_SECONDS) -> None:
        self.url = make_url(url)
        self.now = clock
        self.engine = _open_engine(self.url, wait_seconds)

    @property
    def is_sqlite(self) -> bool:
        """Whether this is SQLite, which has one writer at a time."""
        return self.engine.dialect.name == "sqlite"

    @contextmanager
    def transaction(self) -> Iterator[Connection]:
        """Open a transaction that commits when the block ends and rolls back when it raises."""
        with self.engine.begin() as connection:
            yield connection

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """Open a transaction for reading only; it takes no write lock and nothing of it is kept."""
        with self.engine.connect().execution_options(**{READING: True}) as connection:
            yield connection

    def close(self) -> None:
        """Close every connection."""
        self.engine.dispose()


def _open_engine(url: URL, wait_seconds: float) -> Engine:
    """Return an engine set up for its database; a third kind is refused."""
    backend = url.get_backend_name()
    if backend == "sqlite":
        return _open_sqlite(url, wait_seconds)
    if backend == "postgresql":
        return _open_postgresql(url, wait_seconds)
    raise ConfigurationError(
        f"the database {backend!r} isn't supported",
        subject="setting database_url",
        remedy="use a sqlite:/// or postgresql+psycopg:// URL",
    )


def _open_sqlite(url: URL, wait_seconds: float) -> Engine:
    """Return an engine whose every commit is on disk before it returns, and whose writers queue up front."""
    engine = create_engine(url, hide_parameters=True)

    @event.listens_for(engine, "connect")
    def set_up(connection: sqlite3.Connection, _: object) -> None:
        connection.isolation_level = None
        for pragma in (
            f"busy_timeout = {int(wait_seconds * 1000)}",
            "journal_mode = WAL",
            "synchronous = FULL",
            "foreign_keys = ON",
            "secure_delete = ON",
        ):
            connection.execute(f"PRAGMA {pragma}")

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        reading = connection.get_execution_options().get(READING, False)
        connection.exec_driver_sql("BEGIN" if reading else "BEGIN IMMEDIATE")

    return engine


def _open_postgresql(url: URL, wait_seconds: float) -> Engine:
    """Return an engine that gives up on a lock in time; refuse a server that acknowledges before writing."""
    milliseconds = int(wait_seconds * 1000)
    engine = create_engine(
        url,
        hide_parameters=True,
        pool_pre_ping=True,
        pool_timeout=wait_seconds,
        connect_args={
            "connect_timeout": max(1, int(wait_seconds)),
            "options": f"-c lock_timeout={milliseconds}",
        },
    )

    @event.listens_for(engine, "connect")
    def check(connection: object, _: object) -> None:
        with connection.cursor() as cursor:  # type: ignore[attr-defined]  # the driver is an extra, untyped here
            cursor.execute("SELECT current_setting('synchronous_commit'), current_setting('fsync')")
            synchronous_commit, fsync = cursor.fetchone()
        connection.rollback()  # type: ignore[attr-defined]  # see above
        if synchronous_commit == "off" or fsync == "off":
            raise ConfigurationError(
                "this PostgreSQL may lose what it has acknowledged",
                subject=f"synchronous_commit={synchronous_commit}, fsync={fsync}",
                remedy="set both to 'on' for the database of the connectors",
            )

    return engine
