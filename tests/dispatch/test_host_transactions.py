"""Handlers in a transaction that the host opens itself: with the bare driver, with SQLAlchemy, and with Django."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from typing import Any

import psycopg
import pytest
from psycopg.rows import dict_row
from sqlalchemy import create_engine, select, update

from speckitty_connectors import Dispatch, Resource
from speckitty_connectors.dispatch.handlers import Handlers, HostTransaction
from speckitty_connectors.dispatch.worker import Worker
from speckitty_connectors.routing.tables import dispatches
from speckitty_connectors.store.claims import ClaimQueue
from speckitty_connectors.store.engine import Store
from testbed.django_host import connected_django
from testbed.inbound import Inbound, card
from testbed.layers import add_installation, add_resources

HOSTS = ("driver", "sqlalchemy", "django")


@pytest.fixture
def inbound(store: Store) -> Iterator[Inbound]:
    """An inbox with a decided event of a mapped board, beside the host's own table."""
    made, installation = Inbound.on(store), add_installation(store)
    add_resources(store, installation, Resource(kind="board", id="b1", key="kitchen/b1"))
    made.map(installation, "b1", "apollo")
    with store.transaction() as connection:
        connection.exec_driver_sql("CREATE TABLE host_effect (effect_key text PRIMARY KEY)")
    made.deliver(made.endpoint(), card())
    assert made.router().route_due() == 1
    yield made
    with store.transaction() as connection:
        connection.exec_driver_sql("DROP TABLE host_effect")


def url_of(store: Store) -> str:
    """Return the store's URL with its password."""
    return store.url.render_as_string(hide_password=False)


def connect(store: Store) -> Any:
    """Open a connection of the bare driver, with rows of the host's taste."""
    if store.is_sqlite:
        connection = sqlite3.connect(store.url.database or "")
        connection.row_factory = sqlite3.Row
        return connection
    return psycopg.connect(url_of(store).replace("+psycopg", ""), row_factory=dict_row)


@contextmanager
def driver_transaction(store: Store) -> Iterator[Any]:
    """Open a transaction as the driver's own context manager does."""
    with closing(connect(store)) as connection, connection:
        yield connection.cursor()


@contextmanager
def sqlalchemy_transaction(store: Store) -> Iterator[Any]:
    """Open a transaction of an engine of the host's."""
    engine = create_engine(url_of(store))
    try:
        with engine.begin() as connection:
            yield connection.connection.cursor()
    finally:
        engine.dispose()


@pytest.fixture(params=HOSTS)
def transaction(request: pytest.FixtureRequest, store: Store, inbound: Inbound) -> Iterator[HostTransaction]:
    """What opens a transaction of each kind of host."""
    if request.param == "django":
        with connected_django(store.url) as django_transaction:
            yield django_transaction
    else:
        opened = {"driver": driver_transaction, "sqlalchemy": sqlalchemy_transaction}[request.param]
        yield lambda: opened(store)


def worker_of(inbound: Inbound, handler: Callable[[Dispatch, Any], None], transaction: HostTransaction) -> Worker:
    """Return a worker with a handler in the host's transaction; what failed is due at once."""
    handlers = Handlers()
    handlers.in_host_transaction(handler, transaction=transaction)
    queue = ClaimQueue(dispatches, first_delay_seconds=0)
    return Worker(inbound.store, inbound.router(), handlers, queue=queue)


def insert_effect(dispatch: Dispatch, cursor: Any) -> None:
    """Write the host's own row; the key is one that the library made."""
    cursor.execute(f"INSERT INTO host_effect (effect_key) VALUES ('{dispatch.effect_key}')")


def effects(store: Store) -> int:
    """Return how many rows of the host's there are."""
    with store.reading() as connection:
        count: int = connection.exec_driver_sql("SELECT count(*) FROM host_effect").scalar_one()
        return count


def state(store: Store) -> tuple[str, str]:
    """Return the state of the only dispatch, and its error."""
    with store.reading() as connection:
        row = connection.execute(select(dispatches.c.state, dispatches.c.last_error)).one()
        return row.state, row.last_error


def test_a_handler_that_fails_once_leaves_one_row(
    store: Store, inbound: Inbound, transaction: HostTransaction
) -> None:
    """What it wrote before it failed is rolled back; at the next attempt row and mark are written together."""
    attempts: list[int] = []

    def handle(dispatch: Dispatch, cursor: Any) -> None:
        insert_effect(dispatch, cursor)
        attempts.append(dispatch.attempt)
        if len(attempts) == 1:
            raise ValueError("the first time it fails")

    worker = worker_of(inbound, handle, transaction)
    assert worker.run_once() == 1
    assert (effects(store), state(store)) == (0, ("pending", "ValueError: the first time it fails"))
    assert worker.run_once() == 1
    assert (effects(store), state(store), attempts) == (1, ("done", ""), [1, 2])


def test_a_commit_that_fails_marks_nothing_done(
    store: Store, inbound: Inbound, transaction: HostTransaction
) -> None:
    """Row and mark are in one commit: where the host's transaction ends badly, neither is there."""

    @contextmanager
    def ending_badly() -> Iterator[Any]:
        with transaction() as cursor:
            yield cursor
            raise RuntimeError("nothing is committed")

    worker = worker_of(inbound, insert_effect, ending_badly)
    assert worker.run_once() == 1
    assert (effects(store), state(store)) == (0, ("pending", "RuntimeError: nothing is committed"))


def test_a_claim_that_is_lost_before_calls_nobody(
    store: Store, inbound: Inbound, transaction: HostTransaction
) -> None:
    """Another worker took the dispatch while the host's transaction was being opened: the handler isn't called."""
    called: list[str] = []

    @contextmanager
    def opened_late() -> Iterator[Any]:
        with store.transaction() as connection:
            connection.execute(update(dispatches).values(generation=dispatches.c.generation + 1))
        with transaction() as cursor:
            yield cursor

    worker_of(inbound, lambda dispatch, _: called.append(dispatch.id), opened_late).run_once()
    assert (called, effects(store), state(store)) == ([], 0, ("running", ""))


def test_a_claim_that_is_lost_meanwhile_rolls_the_handler_back(
    store: Store, inbound: Inbound, transaction: HostTransaction
) -> None:
    """Nothing of a handler stays whose dispatch can't be marked done with it."""

    def handle(dispatch: Dispatch, cursor: Any) -> None:
        insert_effect(dispatch, cursor)
        cursor.execute("UPDATE dispatches SET generation = generation + 1")

    worker = worker_of(inbound, handle, transaction)
    worker.run_once()
    assert effects(store) == 0


def test_a_cursor_of_another_database_is_refused(store: Store, inbound: Inbound, tmp_path_factory: Any) -> None:
    """Whether our tables are missing there or only the row: the error says what to do, and nobody is called."""
    called: list[str] = []
    elsewhere = tmp_path_factory.mktemp("elsewhere") / "host.db"

    @contextmanager
    def other_database() -> Iterator[Any]:
        if store.is_sqlite:
            with closing(sqlite3.connect(elsewhere)) as connection, connection:
                yield connection.cursor()
        else:
            with driver_transaction(store) as cursor:
                cursor.execute("SET LOCAL search_path TO pg_catalog")
                yield cursor

    worker_of(inbound, lambda dispatch, _: called.append(dispatch.id), other_database).run_once()
    assert called == []
    assert "isn't in the database of the host's transaction" in state(store)[1]


def test_a_connection_that_commits_each_statement_is_refused(store: Store, inbound: Inbound) -> None:
    """Without a transaction nothing would be exactly once, so that nothing is begun."""
    called: list[str] = []

    @contextmanager
    def no_transaction() -> Iterator[Any]:
        with closing(connect(store)) as connection:
            if store.is_sqlite:
                connection.isolation_level = None
            else:
                connection.autocommit = True
            yield connection.cursor()

    worker_of(inbound, lambda dispatch, _: called.append(dispatch.id), no_transaction).run_once()
    assert called == []
    assert "no transaction is open" in state(store)[1]


def test_what_is_no_cursor_of_ours_is_refused(store: Store, inbound: Inbound) -> None:
    """A host that yields something else reads what to yield."""

    @contextmanager
    def something_else() -> Iterator[Any]:
        yield "a cursor"

    worker_of(inbound, insert_effect, something_else).run_once()
    assert "a cursor of" in state(store)[1]


def test_django_writes_through_its_models_and_hears_of_the_commit(store: Store, inbound: Inbound) -> None:
    """An ORM write happens once though its handler failed once, and `on_commit` fires once, after the commit."""
    heard: list[tuple[int, str]] = []
    attempts: list[int] = []
    with connected_django(store.url) as transaction:
        from django.db import transaction as django_transaction  # noqa: PLC0415 - only once it is set up

        from testbed.django_models import HostEffect  # noqa: PLC0415 - only once it is set up

        def handle(dispatch: Dispatch, _cursor: Any) -> None:
            HostEffect.objects.create(effect_key=dispatch.effect_key)
            django_transaction.on_commit(lambda: heard.append((effects(store), state(store)[0])))
            attempts.append(dispatch.attempt)
            if len(attempts) == 1:
                raise ValueError("the first time it fails")

        worker = worker_of(inbound, handle, transaction)
        while worker.run_once():
            pass
        assert HostEffect.objects.count() == 1
    assert (attempts, heard) == ([1, 2], [(1, "done")])
