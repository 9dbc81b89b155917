"""Idle workers are woken, by their own process and by others; what wakes nobody is found by polling."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from typing import Any

import psycopg
import pytest

from engines.host import Posts, effects, open_connectors
from speckitty_connectors import Connectors, KeyRing
from speckitty_connectors.configuration import WorkerSettings
from speckitty_connectors.dispatch.worker import Worker
from speckitty_connectors.store.engine import Store
from speckitty_connectors.store.notifications import CHANNEL, Listener, Notifier
from testbed.pgbouncer import PgbouncerMissingError, pooled

from .waiting import PATIENCE_SECONDS, until

NEVER = WorkerSettings(poll_seconds=100 * PATIENCE_SECONDS)
"""Workers that are woken, or don't work within any test."""

KEY = KeyRing.new_key()

LISTENS = f"query = 'LISTEN {CHANNEL}' AND datname = current_database()"


@contextmanager
def host_of(url: str, **settings: Any) -> Iterator[tuple[Connectors, Posts]]:
    """Give a host with one mapped board, and what is posted to it."""
    with open_connectors(url, KEY.reveal(), **{"workers": NEVER, **settings}) as connectors:
        yield connectors, Posts(connectors, KEY.reveal())
        with connectors.store.transaction() as connection:
            effects.drop(connection)


@contextmanager
def working(url: str, **settings: Any) -> Iterator[None]:
    """Run a worker of another process."""
    with open_connectors(url, KEY.reveal(), **{"workers": NEVER, **settings}) as other, other.working():
        yield


def ask(url: str, query: str) -> list[int]:
    """Return what a query finds, on a connection of its own."""
    with psycopg.connect(url.replace("+psycopg", ""), autocommit=True) as connection:
        return [row[0] for row in connection.execute(query.encode())]


def listeners(url: str) -> list[int]:
    """Return the server processes of the connections that listen."""
    return ask(url, f"SELECT pid FROM pg_stat_activity WHERE {LISTENS}")


def post_and_wait(posts: Posts) -> None:
    """Post a delivery, and wait until it is handled."""
    subject = posts.post()
    until(lambda: posts.handled()[subject] == 1)


def test_what_a_process_accepts_wakes_its_workers(database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Workers beside the receiver begin at once, however seldom they poll, and although a hook hangs."""
    looked, hung, run_once = threading.Event(), threading.Event(), Worker.run_once

    def look(worker: Worker) -> int:
        found = run_once(worker)
        looked.set()
        return found

    monkeypatch.setattr(Worker, "run_once", look)
    with host_of(database_url) as (connectors, posts):

        @connectors.on_accepted
        def hang(_: str) -> None:
            hung.wait(PATIENCE_SECONDS)

        with connectors.working():
            assert looked.wait(PATIENCE_SECONDS)
            for _ in range(3):
                post_and_wait(posts)
        hung.set()


def test_what_another_process_accepts_wakes_workers(postgresql_url: str) -> None:
    """A receiver without workers has PostgreSQL tell those of other processes."""
    with host_of(postgresql_url) as (_, posts), working(postgresql_url):
        until(lambda: len(listeners(postgresql_url)) == 1)
        for _ in range(3):
            post_and_wait(posts)


def test_connections_that_are_lost_are_made_anew(postgresql_url: str) -> None:
    """Who listens and who notifies connect again after their connections were cut, and nothing is left waiting."""
    with host_of(postgresql_url) as (_, posts), working(postgresql_url):
        until(lambda: len(listeners(postgresql_url)) == 1)
        post_and_wait(posts)
        (former,) = listeners(postgresql_url)
        cut = f"({LISTENS}) OR query LIKE '%pg_notify%' AND pid <> pg_backend_pid()"
        assert len(ask(postgresql_url, f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE {cut}")) >= 2
        subject = posts.post()
        until(lambda: former not in listeners(postgresql_url) and len(listeners(postgresql_url)) == 1)
        until(lambda: posts.handled()[subject] == 1)
        post_and_wait(posts)


def test_notifications_are_few(postgresql_url: str) -> None:
    """However much is stored, a process notifies once in each interval; the last is told, too."""
    heard, interval, store = [], 0.05, Store(postgresql_url)
    with (
        closing(store),
        closing(store.connect_apart()) as ear,
        closing(Notifier(store, interval_seconds=interval)) as told,
    ):
        ear.execute(f"LISTEN {CHANNEL}")
        began = time.monotonic()
        while time.monotonic() < began + 10 * interval:
            told.notify()
            heard += ear.notifies(timeout=0)
        told.notify()
        heard += ear.notifies(timeout=PATIENCE_SECONDS, stop_after=1)
        assert 1 <= len(heard) <= (time.monotonic() - began) / interval + 1


def test_another_schema_is_nobody_elses_business(postgresql_url: str) -> None:
    """What is stored in one schema of a database wakes nobody who works in another."""
    woken, store = threading.Semaphore(0), Store(postgresql_url)
    with closing(store), closing(Listener(store, woken.release)) as listener:
        listener.start()
        assert woken.acquire(timeout=PATIENCE_SECONDS)  # it has connected
        for schema in ("others", ""):  # PostgreSQL keeps their order
            ask(postgresql_url, f"SELECT 1 FROM pg_notify('{CHANNEL}', '{schema}')")
        assert woken.acquire(timeout=PATIENCE_SECONDS)
    assert not woken.acquire(blocking=False)


def test_polling_goes_on_where_no_notification_arrives(postgresql_url: str) -> None:
    """Behind a pooler in transaction mode nothing is heard, and everything is handled."""
    with ExitStack() as stack:
        try:
            url = stack.enter_context(pooled(postgresql_url, server_connections=5))
        except PgbouncerMissingError as error:
            pytest.skip(str(error))
        settings: dict[str, Any] = {"workers": WorkerSettings(poll_seconds=0.05), "prepared_statements": False}
        _, posts = stack.enter_context(host_of(url, **settings))
        stack.enter_context(working(url, **settings))
        for _ in range(3):
            post_and_wait(posts)


def test_processes_that_do_not_notify_have_no_connection_for_it(postgresql_url: str) -> None:
    """Where the setting says so, nobody listens, nobody is told, and polling finds everything."""
    workers = WorkerSettings(poll_seconds=0.02, notifies=False)
    with host_of(postgresql_url, workers=workers) as (_, posts), working(postgresql_url, workers=workers):
        post_and_wait(posts)
        assert listeners(postgresql_url) == []
