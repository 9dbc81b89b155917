"""The host's own transaction: our statements on its connection, and the commit is the host's."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from copy import copy
from typing import Any, Final

from sqlalchemy import Connection, Engine, NullPool

from ..errors import ConfigurationError

SUBJECT: Final = "the transaction that a handler was registered with"

OPEN_ONE: Final = "open a transaction in its context manager, and yield a cursor of the same connection"


class HostTransactions:
    """Runs SQLAlchemy's statements in transactions that a host has opened; it ends none of them.

    The host's connection may be one of Django, of SQLAlchemy, or of the bare driver: each has a DB-API cursor,
    whose ``connection`` is the driver's.

    >>> from sqlalchemy import create_engine, text
    >>> transactions = HostTransactions(create_engine("sqlite://"))
    >>> host = sqlite3.connect(":memory:")
    >>> with transactions.joined(host.cursor()) as connection:
    ...     connection.execute(text("select 1")).scalar_one(), host.in_transaction
    (1, True)
    >>> host.close()

    Args:
        engine: of the same database; its dialect and its schema are used, none of its connections.
    """

    def __init__(self, engine: Engine) -> None:
        self._lent = threading.local()
        self._dialect: Any = copy(engine.dialect)
        for ending in ("do_begin", "do_commit", "do_rollback", "do_close", "do_terminate"):
            setattr(self._dialect, ending, _leave_to_the_host)
        pool = NullPool(lambda: self._lent.connection, dialect=self._dialect, reset_on_return=None)
        options = engine.get_execution_options()
        self._engine = Engine(
            pool, self._dialect, engine.url, execution_options=options, hide_parameters=engine.hide_parameters
        )

    @contextmanager
    def joined(self, cursor: Any) -> Iterator[Connection]:
        """Give a connection whose statements run in the transaction that a host's cursor belongs to.

        Raises:
            ConfigurationError: the cursor is of another driver than ours, or there is no transaction.
        """
        driver, module = getattr(cursor, "connection", None), self._dialect.loaded_dbapi
        if not isinstance(driver, module.Connection):
            raise ConfigurationError(
                f"a cursor of {module.__name__} was expected, and {type(cursor).__name__} isn't one",
                subject=SUBJECT,
                remedy=f"yield a DB-API cursor of {module.__name__}, on the database of the setting database_url",
            )
        if isinstance(driver, sqlite3.Connection):
            _begin_writing(driver)
        self._lent.connection = PlainRows(driver, None if self._engine.name == "sqlite" else module.rows.tuple_row)
        with self._engine.connect() as connection:
            yield connection


class PlainRows:
    """A driver's connection whose cursors give tuples, whatever rows the host likes.

    Args:
        driver: the driver's connection.
        row_factory: what makes tuples.
    """

    def __init__(self, driver: Any, row_factory: Any) -> None:
        self._driver = driver
        self._row_factory = row_factory

    def cursor(self) -> Any:
        """Return a new cursor."""
        cursor = self._driver.cursor()
        cursor.row_factory = self._row_factory
        return cursor

    def __getattr__(self, name: str) -> Any:
        """Return whatever else the driver's connection has."""
        return getattr(self._driver, name)


def check_in_transaction(cursor: Any) -> None:
    """Refuse a connection on which each statement commits by itself; ask after a statement.

    Raises:
        ConfigurationError: there is no transaction.
    """
    if not is_in_transaction(cursor):
        raise ConfigurationError("no transaction is open", subject=SUBJECT, remedy=OPEN_ONE)


def is_in_transaction(cursor: Any) -> bool:
    """Return whether a transaction is open on the connection of a cursor."""
    driver = cursor.connection
    if isinstance(driver, sqlite3.Connection):
        return driver.in_transaction
    return bool(driver.info.transaction_status)  # psycopg: 0 is idle (libpq, PQTRANS_IDLE)


def _begin_writing(driver: sqlite3.Connection) -> None:
    """Take the write lock at once, where Python would begin a transaction with the first change."""
    begins_by_itself = driver.isolation_level is not None and getattr(driver, "autocommit", False) is not True
    if not driver.in_transaction and begins_by_itself:
        driver.execute("BEGIN IMMEDIATE")


def _leave_to_the_host(*_: object) -> None:
    """Do nothing: the transaction and its connection are the host's."""
