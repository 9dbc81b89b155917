"""PostgreSQL: nothing waits longer than it may, and a server that may lose a commit is refused."""

from __future__ import annotations

import math
import time
from collections.abc import Generator
from concurrent.futures import Future
from functools import partial
from threading import Thread
from typing import Any, Final, TypeVar, cast

import psycopg
from psycopg.pq import TransactionStatus
from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.engine import URL
from sqlalchemy.exc import InvalidatePoolError
from sqlalchemy.pool import ConnectionPoolEntry

from ..errors import ConfigurationError
from .deadline import BEGINNING, seconds_left

CONNECT_ARGUMENTS: Final = {
    "application_name": "speckitty-connectors",
    "connect_timeout": 10,
    "keepalives_idle": 5,
    "keepalives_interval": 2,
    "keepalives_count": 3,
    "tcp_user_timeout": 10_000,
}
"""A server whose machine is gone is noticed after 11 seconds (PostgreSQL, "Parameter Key Words" of libpq; the last
in milliseconds, the others in seconds)."""

DURABILITY: Final = ("synchronous_commit", "fsync", "full_page_writes")
"""The settings without which a crash takes acknowledged deliveries with it."""

LOOK_SECONDS: Final = 0.02
"""How often a wait that has a deadline looks at the clock."""

USED: Final = "used"
"""In what the pool notes of a connection: it has been good once, so a failure now is the server's going away."""

Result = TypeVar("Result")


class BoundedConnection(psycopg.Connection[Any]):
    """A connection that gives up waiting at the deadline, also for a server that hangs without a word."""

    def wait(self, gen: Generator[Any, Any, Result], interval: float = 0.1, *others: Any, **options: Any) -> Result:
        """Run a protocol exchange; close the connection when it isn't over in time, because it is out of step."""
        if math.isinf(seconds_left()):
            return super().wait(gen, interval, *others, **options)
        try:
            return super().wait(_in_time(gen), min(interval, LOOK_SECONDS), *others, **options)
        except TimeoutError as error:
            self.close()
            raise psycopg.OperationalError("the database didn't answer in time") from error


def open_postgresql(
    url: URL, wait_seconds: float, connections: int, *, schema: str, prepared_statements: bool
) -> Engine:
    """Return an engine that gives up on a lock, a free connection or a silent server in time.

    Nothing is set for longer than a transaction, so that a pooler may hand each one to another connection.
    """
    engine = create_engine(
        url,
        hide_parameters=True,
        pool_size=connections,
        max_overflow=0,
        pool_timeout=wait_seconds,
        connect_args=_connect_arguments(url),
        execution_options={"schema_translate_map": {None: schema}} if schema else {},
    )
    event.listen(engine, "do_connect", partial(_open_connection, prepared_statements=prepared_statements))
    event.listen(engine, "checkout", _start)
    event.listen(engine, "begin", _start_again)
    return engine


def connect_apart(engine: Engine) -> psycopg.Connection[Any]:
    """Return a connection that no pool knows of; each statement commits, and none is prepared."""
    arguments, parameters = engine.dialect.create_connect_args(engine.url)
    parameters = {**_connect_arguments(engine.url), **parameters}
    return psycopg.Connection.connect(*arguments, **parameters, autocommit=True, prepare_threshold=None)


def _connect_arguments(url: URL) -> dict[str, Any]:
    return {name: value for name, value in CONNECT_ARGUMENTS.items() if name not in url.query}


def _open_connection(
    _: object, __: object, arguments: list[Any], parameters: dict[str, Any], *, prepared_statements: bool
) -> BoundedConnection:
    connection = _connect(arguments, {**parameters, "autocommit": True})
    try:
        _refuse_forgetful(connection)
    except BaseException:
        connection.close()
        raise
    if not prepared_statements:
        connection.prepare_threshold = None
    return connection


def _start(connection: BoundedConnection, entry: ConnectionPoolEntry, _: object) -> None:
    """Begin the transaction for which the pool lends a connection."""
    try:
        _begin(connection)
    except psycopg.OperationalError as error:
        if not (connection.closed and USED in entry.info and seconds_left()):
            raise
        raise InvalidatePoolError from error  # the server was away; the pool connects anew
    entry.info[USED] = True


def _start_again(connection: Connection) -> None:
    """Begin a further transaction on a connection that is lent already."""
    driver = cast("BoundedConnection", connection.connection.driver_connection)
    if driver.info.transaction_status is TransactionStatus.IDLE:
        _begin(driver)


def _begin(connection: BoundedConnection) -> None:
    """Begin a transaction in one round trip, which also shows whether the connection is still good."""
    how = BEGINNING.get()
    mode = "READ ONLY" if how.reads_only else "READ WRITE"
    milliseconds = max(1, int(1000 * how.lock_seconds))  # 0 would be no limit
    connection.execute(f"BEGIN {mode}; SET LOCAL lock_timeout = {milliseconds}".encode(), prepare=False)


def _in_time(exchange: Generator[Any, Any, Result]) -> Generator[Any, Any, Result]:
    """Pass everything through until the deadline; psycopg comes by at least once in each interval."""
    ready: object = None
    end = time.monotonic() + seconds_left()
    try:
        while time.monotonic() < end:
            ready = yield exchange.send(ready)
        raise TimeoutError
    except StopIteration as finished:
        result: Result = finished.value
        return result


def _connect(arguments: list[Any], parameters: dict[str, Any]) -> BoundedConnection:
    """Connect within the deadline: apart, because libpq gives a silent server at least two seconds."""
    future: Future[BoundedConnection] = Future()

    def attempt() -> None:
        try:
            future.set_result(BoundedConnection.connect(*arguments, **parameters))
        except BaseException as error:  # noqa: BLE001 - it is raised where the result is awaited
            future.set_exception(error)

    Thread(target=attempt, name="connectors-connect", daemon=True).start()
    left = seconds_left()
    try:
        return future.result(timeout=None if math.isinf(left) else left)
    except TimeoutError as error:
        future.add_done_callback(_close)
        raise psycopg.OperationalError("the database didn't accept a connection in time") from error


def _close(late: Future[BoundedConnection]) -> None:
    if late.exception() is None:
        late.result().close()


def _refuse_forgetful(connection: BoundedConnection) -> None:
    """Refuse a server, database or role that acknowledges before writing."""
    query = "SELECT name, current_setting(name) FROM unnest(%s::text[]) AS name"
    found = connection.execute(query, [list(DURABILITY)])
    unsafe = [f"{name}={setting}" for name, setting in found if setting == "off"]
    if unsafe:
        raise ConfigurationError(
            "this PostgreSQL may lose what it has acknowledged",
            subject=", ".join(sorted(unsafe)),
            remedy="set it to 'on' for the server, the database and the role of the connectors",
        )
