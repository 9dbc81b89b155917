"""The database is away: the provider is asked to come again, and nothing is half stored."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager

import pytest
from sqlalchemy import text

from speckitty_connectors.inbox.responses import Answer
from speckitty_connectors.store import deadline
from speckitty_connectors.store.engine import Store
from testbed.freezing_proxy import freezable
from testbed.receiving import Receiver

pytestmark = pytest.mark.impatient


@pytest.fixture(autouse=True)
def without_rest(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let each request ask a database that didn't answer the one before; otherwise a test would have to sleep."""
    monkeypatch.setattr(deadline, "REST_SECONDS", 0)


def is_unavailable(answer: Answer) -> bool:
    return (answer.status, answer.code, answer.retry_after_seconds) == (503, "unavailable", 1)


@contextmanager
def without_bodies(store: Store) -> Iterator[None]:
    """Take the second of the two tables away."""
    with store.transaction() as connection:
        connection.execute(text("ALTER TABLE inbox_bodies RENAME TO elsewhere"))
    try:
        yield
    finally:
        with store.transaction() as connection:
            connection.execute(text("ALTER TABLE elsewhere RENAME TO inbox_bodies"))


def test_a_delivery_is_stored_whole_or_not_at_all(store: Store) -> None:
    """Where the body can't be written the row isn't either, and the next try succeeds."""
    receiver = Receiver(store)
    with without_bodies(store):
        assert is_unavailable(receiver.post())
        assert not receiver.rows()
    assert receiver.post().code == "accepted"


def test_a_writer_that_does_not_end_costs_a_503(sqlite_url: str) -> None:
    """While another process holds SQLite's write lock a delivery is turned away; afterwards it is taken."""
    with closing(Store(sqlite_url)) as store, closing(Store(sqlite_url)) as other:
        receiver = Receiver(store)
        with other.transaction():
            assert is_unavailable(receiver.post())
        assert receiver.post().code == "accepted"


def test_a_locked_table_costs_a_503(postgresql_url: str) -> None:
    """While somebody locks the inbox in PostgreSQL a delivery is turned away; afterwards it is taken."""
    with closing(Store(postgresql_url)) as store, closing(Store(postgresql_url)) as other:
        receiver = Receiver(store)
        with other.transaction() as connection:
            connection.execute(text("LOCK TABLE inbox IN ACCESS EXCLUSIVE MODE"))
            assert is_unavailable(receiver.post())
        assert receiver.post().code == "accepted"


@pytest.mark.parametrize("known", [True, False], ids=["known end point", "first request"])
def test_a_frozen_database_costs_a_503(postgresql_url: str, known: bool) -> None:
    """A server that answers nothing any more is given up, whether or not the end point's secrets are open."""
    with freezable(postgresql_url) as (url, proxy), closing(Store(url)) as store:
        receiver = Receiver(store)
        if known:
            assert receiver.post(delivery="d0").code == "accepted"
        proxy.freeze()
        assert is_unavailable(receiver.post())
        proxy.thaw()
        assert receiver.post().status in {200, 202}


def test_a_secret_that_cannot_be_opened_costs_a_503(store: Store) -> None:
    """A sealed secret that was changed is the host's fault, so the provider is asked to come again."""
    receiver = Receiver(store)
    with store.transaction() as connection:
        connection.execute(text("UPDATE credentials SET version = version + 1"))
    assert is_unavailable(receiver.post())
