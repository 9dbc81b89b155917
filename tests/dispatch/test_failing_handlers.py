"""Handlers that fail: whatever they raise is theirs, they are tried again for days, and locks aren't failures."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing

import pytest
from sqlalchemy import Connection, select, text
from sqlalchemy.exc import OperationalError

from speckitty_connectors import Dispatch
from speckitty_connectors.routing.tables import dispatches
from speckitty_connectors.store.engine import Store
from testbed.postgresql import execute

from .waiting import Waiting, until

MINUTE = 60.0
DAY = 24 * 60 * MINUTE


@pytest.fixture
def waiting(store: Store) -> Waiting:
    """A process with workers as they are by default, and three dispatches that wait."""
    made = Waiting.on(store)
    made.add(3)
    return made


def errors(store: Store) -> set[str]:
    """Return what is kept of why dispatches failed."""
    with store.reading() as connection:
        return set(connection.scalars(select(dispatches.c.last_error)))


@pytest.mark.parametrize("raised", [ValueError, SystemExit, KeyboardInterrupt, GeneratorExit, BaseException])
@pytest.mark.parametrize("in_transaction", [False, True])
def test_whatever_a_handler_raises_is_its_failure(
    waiting: Waiting, raised: type[BaseException], *, in_transaction: bool
) -> None:
    """The thread goes on to the next event, and the one that failed is put back with what was raised."""

    def handle(_: Dispatch, *__: Connection) -> None:
        raise raised("it failed\nwith a second line")

    if in_transaction:
        waiting.handlers.in_transaction(handle)
    else:
        waiting.handlers.at_least_once(handle)
    with waiting.working():
        until(lambda: 0 not in waiting.attempts())
    assert waiting.states() == {"pending": 3}
    assert errors(waiting.store) == {f"{raised.__name__}: it failed"}


def test_who_stops_a_program_by_hand_is_obeyed(waiting: Waiting) -> None:
    """An interrupt at the main thread ends the worker there, and what it had is due as before."""

    def interrupt(_: Dispatch) -> None:
        raise KeyboardInterrupt

    waiting.handlers.at_least_once(interrupt)
    with pytest.raises(KeyboardInterrupt):
        waiting.worker().run_once()
    assert (waiting.states(), waiting.attempts()) == ({"pending": 3}, [0, 0, 0])


@pytest.mark.parametrize("outage", [0.5 * MINUTE, 30 * MINUTE, 2 * DAY])
def test_a_handler_that_is_repaired_gets_everything(waiting: Waiting, outage: float) -> None:
    """After half a minute, half an hour or two days of failures nothing waits for a person: all is handled."""
    is_broken, worker = True, waiting.worker()

    def handle(_: Dispatch) -> None:
        if is_broken:
            raise ValueError

    waiting.handlers.at_least_once(handle)
    step, passed = max(1.0, outage / 30), 0.0
    while passed < outage:
        worker.run_once()
        waiting.let_pass(step)
        passed += step
    assert waiting.states() == {"pending": 3}
    is_broken = False
    waiting.let_pass(3600)
    worker.run_once()
    assert waiting.states() == {"done": 3}


def test_what_fails_for_days_is_set_aside(waiting: Waiting) -> None:
    """After three days of failures, not before, a person has to look."""
    worker = waiting.worker()

    def handle(_: Dispatch) -> None:
        raise ValueError("still")

    waiting.handlers.at_least_once(handle)
    worker.run_once()
    waiting.let_pass(3 * DAY - MINUTE)
    worker.run_once()
    assert waiting.states() == {"pending": 3}
    waiting.let_pass(3600)
    worker.run_once()
    assert waiting.states() == {"parked": 3}
    assert errors(waiting.store) == {"ValueError: still"}


def busy_sqlite() -> None:
    """Meet another writer in a file of one's own."""
    error = sqlite3.OperationalError("database is locked")
    error.sqlite_errorcode = sqlite3.SQLITE_BUSY
    raise error


def wrapped() -> None:
    """Raise it as SQLAlchemy does, and as Django does."""
    try:
        try:
            busy_sqlite()
        except sqlite3.OperationalError as error:
            raise OperationalError("insert", {}, error) from error
    except OperationalError as error:
        raise RuntimeError("the host's own error") from error


@pytest.mark.parametrize("meet", [busy_sqlite, wrapped])
def test_a_lock_in_the_hosts_database_is_no_failure(waiting: Waiting, meet: Callable[[], None]) -> None:
    """What met a lock of the host's own is tried again after a moment, however often, and nothing is counted."""
    waiting.handlers.at_least_once(lambda _: meet())
    worker = waiting.worker()
    for _ in range(8):
        worker.run_once()
        waiting.let_pass(10)
    assert (waiting.states(), waiting.attempts()) == ({"pending": 3}, [0, 0, 0])


def test_a_lock_on_the_hosts_table_is_no_failure(postgresql_url: str) -> None:
    """A transactional handler that meets a locked row is tried again after a moment, and nothing is counted."""
    store = Store(postgresql_url)
    waiting = Waiting.on(store)
    waiting.add(1)
    execute(postgresql_url, "CREATE TABLE invoices (id text)")
    execute(postgresql_url, "INSERT INTO invoices VALUES ('a')")

    def handle(_: Dispatch, connection: Connection) -> None:
        connection.execute(text("SET LOCAL lock_timeout = '20ms'"))
        connection.execute(text("UPDATE invoices SET id = 'b'"))

    waiting.handlers.in_transaction(handle)
    with closing(Store(postgresql_url)) as host, host.transaction() as other:
        other.execute(text("UPDATE invoices SET id = 'c'"))
        waiting.worker().run_once()
        assert (waiting.states(), waiting.attempts()) == ({"pending": 1}, [0])
    waiting.let_pass(10)
    waiting.worker().run_once()
    assert (waiting.states(), waiting.attempts()) == ({"done": 1}, [1])
    execute(postgresql_url, "DROP TABLE invoices")
    store.close()
