"""Deadlines: a database that is locked, frozen or used up costs no more than the time given."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

import pytest
from sqlalchemy import Connection, text

from speckitty_connectors.errors import StoreUnavailableError
from speckitty_connectors.store import deadline
from speckitty_connectors.store.deadline import answering
from speckitty_connectors.store.engine import CONNECTIONS, Store
from testbed.freezing_proxy import freezable


def write(connection: Connection, key: str) -> None:
    """Add a row."""
    connection.execute(text("INSERT INTO key_checks (key_id, sealed) VALUES (:key, 'seal')"), {"key": key})


def keys(store: Store) -> list[str]:
    """Return what is kept."""
    with store.reading() as connection:
        return list(connection.execute(text("SELECT key_id FROM key_checks ORDER BY key_id")).scalars())


def test_a_deadline_bounds_the_wait_for_sqlite(sqlite_url: str) -> None:
    """The time given to one transaction counts, not the longer wait of the store."""
    first, second = Store(sqlite_url), Store(sqlite_url, wait_seconds=3600)
    with first.transaction(), pytest.raises(StoreUnavailableError), second.transaction(within_seconds=0.01):
        pytest.fail("two writers at once")
    first.close()
    second.close()


def test_no_free_connection_is_a_typed_error(postgresql_url: str) -> None:
    """A store whose connections are all in use refuses the next transaction at its deadline."""
    store = Store(postgresql_url, wait_seconds=3600)
    with ExitStack() as taken:
        for _ in range(CONNECTIONS):
            taken.enter_context(store.reading())
        with pytest.raises(StoreUnavailableError), store.transaction(within_seconds=0.01):
            pytest.fail("a connection too many")
    assert keys(store) == []
    store.close()


def test_a_frozen_database_is_given_up(postgresql_url: str) -> None:
    """A server that hangs on an open connection costs no more than the time given, and then works again."""
    with freezable(postgresql_url) as (url, proxy):
        store = Store(url)
        with store.transaction(within_seconds=30) as connection:
            write(connection, "before")
        proxy.freeze()
        with pytest.raises(StoreUnavailableError), store.transaction(within_seconds=0.2) as connection:
            write(connection, "frozen")
        proxy.thaw()
        with store.transaction(within_seconds=30) as connection:
            write(connection, "after")
        assert keys(store) == ["after", "before"]
        store.close()


def test_a_database_that_freezes_inside_a_transaction_is_given_up(postgresql_url: str) -> None:
    """A server that stops answering between two statements leaves nothing of the transaction."""
    with freezable(postgresql_url) as (url, proxy):
        store = Store(url)
        assert keys(store) == []

        def write_until_frozen() -> None:
            with store.transaction(within_seconds=0.3) as connection:
                write(connection, "half")
                proxy.freeze()
                write(connection, "whole")

        with pytest.raises(StoreUnavailableError):
            write_until_frozen()
        proxy.thaw()
        assert keys(store) == []
        store.close()


def test_a_database_that_accepts_no_connection_is_given_up(postgresql_url: str) -> None:
    """A server that says nothing to a new connection costs no more than the time given."""
    with freezable(postgresql_url) as (url, proxy):
        store = Store(url)
        proxy.freeze()
        with pytest.raises(StoreUnavailableError), store.transaction(within_seconds=0.05):
            pytest.fail("nobody answered")
        proxy.thaw()
        assert keys(store) == []
        store.close()


def test_after_one_request_waited_in_vain_the_next_do_not_wait(
    postgresql_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They are told at once, reading or writing, until the rest is over or work that answers nobody got through."""
    monkeypatch.setattr(deadline, "REST_SECONDS", 3600)
    with freezable(postgresql_url) as (url, proxy):
        store = Store(url)
        proxy.freeze()
        with pytest.raises(StoreUnavailableError), answering(), store.transaction(within_seconds=0.05):
            pytest.fail("nobody answered")
        proxy.thaw()
        with pytest.raises(StoreUnavailableError, match="doesn't answer"), answering():
            keys(store)
        with pytest.raises(StoreUnavailableError, match="didn't answer"), answering():
            store.check_writing()
        assert keys(store) == []
        with answering():
            store.check_writing()
            assert keys(store) == []
        store.close()


def test_those_who_write_to_sqlite_take_turns(sqlite_url: str) -> None:
    """Many at once within a process all get through, although SQLite itself has no queue."""
    store = Store(sqlite_url)

    def add(number: int) -> None:
        with store.transaction() as connection:
            write(connection, f"{number:03}")

    with ThreadPoolExecutor(max_workers=16) as pool:
        list(pool.map(add, range(100)))
    assert len(keys(store)) == 100
    store.close()
