"""The store's transactions: what they keep, what they wait for, and how they end when nobody answers."""

from __future__ import annotations

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta, timezone

import pytest
from sqlalchemy import Connection, select, text
from sqlalchemy.exc import DBAPIError, StatementError

from speckitty_connectors.errors import ConfigurationError, StoreUnavailableError, TextRefusedError
from speckitty_connectors.store.audit import audit, record
from speckitty_connectors.store.engine import Store
from testbed.postgresql import CUT_OTHERS, execute

MOMENT = datetime(2026, 3, 1, 12, 30, 15, 123456, tzinfo=UTC)

FORK = """
import os, sys
from sqlalchemy import text
from speckitty_connectors.store.engine import Store
store = Store(sys.argv[1])
def count():
    with store.reading() as connection:
        return connection.execute(text("SELECT count(*) FROM audit")).scalar_one()
count()
child = os.fork()
if child == 0:
    os._exit(count())
assert os.waitpid(child, 0)[1] == 0
print(count())
store.close()
"""


def write(connection: Connection, verb: str = "tested") -> None:
    """Add a row."""
    record(connection, workspace="w", at=MOMENT, actor="system", verb=verb, entity="store", entity_id="s")


def verbs(store: Store) -> list[str]:
    """Return what is kept."""
    with store.reading() as connection:
        return list(connection.execute(select(audit.c.verb).order_by(audit.c.id)).scalars())


def test_a_transaction_is_kept_when_its_block_ends(store: Store) -> None:
    """What a block wrote is there for the next one."""
    with store.transaction() as connection:
        write(connection)
    assert verbs(store) == ["tested"]


def test_a_transaction_is_undone_when_its_block_raises(store: Store) -> None:
    """Nothing of a block that raises is kept, and its own error comes out."""

    def fail() -> None:
        with store.transaction() as connection:
            write(connection)
            raise KeyError

    with pytest.raises(KeyError):
        fail()
    assert verbs(store) == []


def test_a_text_that_postgresql_cannot_hold_is_a_typed_error(postgresql_url: str) -> None:
    """NUL, which no id has, is refused in words that don't repeat the text, when read and when written."""
    store = Store(postgresql_url)
    with pytest.raises(TextRefusedError, match="a text holds NUL") as read, store.reading() as connection:
        connection.execute(select(audit).where(audit.c.entity_id == "zero\0"))
    with pytest.raises(TextRefusedError), store.transaction() as connection:
        write(connection, "zero\0")
    assert "zero" not in str(read.value)
    assert verbs(store) == []
    store.close()


def test_reading_refuses_to_write(store: Store) -> None:
    """A write in a reading block is an error instead of being lost, and the next transaction writes again."""
    with pytest.raises(DBAPIError, match=r"readonly|read-only"), store.reading() as connection:
        write(connection)
    with store.transaction() as connection:
        write(connection)
    assert verbs(store) == ["tested"]


def test_reading_and_writing_do_not_wait_for_each_other(store: Store) -> None:
    """A reader beside an open writer sees what was kept before, and a writer can commit beside a reader."""
    with store.transaction() as writer:
        write(writer)
        assert verbs(store) == []
    with store.reading() as reader:
        reader.execute(select(audit)).all()
        with store.transaction() as writer:
            write(writer, "again")
    assert verbs(store) == ["tested", "again"]


def test_a_second_writer_in_sqlite_gives_up(sqlite_url: str) -> None:
    """A writer that waits too long for the file's one lock gets a typed error, and can write afterwards."""
    first, second = Store(sqlite_url), Store(sqlite_url, wait_seconds=0.01)
    with first.transaction() as connection:
        write(connection, "first")
        with pytest.raises(StoreUnavailableError) as refused, second.transaction():
            pytest.fail("two writers at once")
    assert refused.value.retryable
    with second.transaction() as connection:
        write(connection, "second")
    assert verbs(first) == ["first", "second"]
    first.close()
    second.close()


def test_a_locked_row_in_postgresql_is_given_up(postgresql_url: str) -> None:
    """A transaction that waits too long for a row of another gets a typed error."""
    store = Store(postgresql_url, wait_seconds=0.01)
    removal = text("DELETE FROM audit")
    with store.transaction() as connection:
        write(connection)
    with store.transaction() as first:
        first.execute(removal)
        with pytest.raises(StoreUnavailableError), store.transaction() as second:
            second.execute(removal)
    store.close()


def test_a_store_reconnects_after_its_connections_were_cut(postgresql_url: str) -> None:
    """A restart of the server fails the transaction under way, and none after it."""
    store = Store(postgresql_url)

    def write_until_cut() -> None:
        with store.transaction() as connection:
            write(connection, "half")
            execute(postgresql_url, CUT_OTHERS)
            write(connection, "whole")

    with pytest.raises(StoreUnavailableError):
        write_until_cut()
    assert verbs(store) == []
    execute(postgresql_url, CUT_OTHERS)
    with store.transaction() as connection:
        write(connection)
    assert verbs(store) == ["tested"]
    store.close()


def test_a_forked_process_leaves_its_parents_connections_alone(database_url: str) -> None:
    """Child and parent both read through a store that was in use before the fork."""
    program = [sys.executable, "-W", "error", "-c", FORK, database_url]
    assert subprocess.run(program, check=True, capture_output=True, text=True).stdout == "0\n"


def test_threads_share_a_database_in_memory() -> None:
    """What one thread wrote into memory another one reads, and writers in many threads take turns."""
    store = Store("sqlite://")
    with store.transaction() as connection:
        connection.execute(text("CREATE TABLE counted (number INTEGER)"))

    def count(number: int) -> None:
        with store.transaction() as connection:
            connection.execute(text("INSERT INTO counted VALUES (:number)"), {"number": number})

    with ThreadPoolExecutor(8) as threads:
        list(threads.map(count, range(40)))
    with store.reading() as connection:
        assert connection.execute(text("SELECT count(*) FROM counted")).scalar_one() == 40
    store.close()


def test_sqlite_writes_to_disk_before_it_acknowledges(sqlite_store: Store) -> None:
    """The journal is a write-ahead log, each commit is synchronised, references hold, and deleted text is wiped."""
    with sqlite_store.reading() as connection:
        found = [
            connection.exec_driver_sql(f"PRAGMA {name}").scalar_one()
            for name in ("journal_mode", "synchronous", "foreign_keys", "secure_delete")
        ]
    assert found == ["wal", 2, 1, 1]


def test_a_database_that_acknowledges_before_writing_is_refused(empty_postgresql_url: str) -> None:
    """Asynchronous commit is refused wherever it was set, with the setting's name."""
    by_session = f"{empty_postgresql_url}?options=-csynchronous_commit%3Doff"
    store = Store(by_session)
    with pytest.raises(ConfigurationError, match="synchronous_commit=off"), store.reading():
        pytest.fail("not durable")
    store.close()
    name = empty_postgresql_url.rpartition("/")[2]
    execute(empty_postgresql_url, f"ALTER DATABASE {name} SET synchronous_commit = off")
    store = Store(empty_postgresql_url)
    with pytest.raises(ConfigurationError, match="synchronous_commit=off"), store.transaction():
        pytest.fail("not durable")
    store.close()


@pytest.mark.parametrize("url", ["mysql://host/database", "postgresql+psycopg2://host/database", "oracle://host"])
def test_another_database_or_driver_is_refused(url: str) -> None:
    """A URL that this library isn't tested with is refused, with the URLs that it takes."""
    with pytest.raises(ConfigurationError, match=r"sqlite:///.*postgresql\+psycopg://"):
        Store(url)


def test_a_missing_driver_is_refused_with_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without psycopg the error names the extra that brings it."""
    monkeypatch.delitem(sys.modules, "speckitty_connectors.store.postgresql", raising=False)
    monkeypatch.setitem(sys.modules, "psycopg", None)
    with pytest.raises(ConfigurationError, match=r"pip install 'speckitty-connectors\[postgresql\]'"):
        Store("postgresql://host/database")


def test_a_mistake_in_a_statement_is_no_unavailability(store: Store) -> None:
    """A missing table is the programmer's error, which no later try mends."""
    with pytest.raises(DBAPIError, match="nowhere"), store.transaction() as connection:
        connection.execute(text("SELECT 1 FROM nowhere"))


def test_moments_come_back_in_utc(store: Store) -> None:
    """An aware moment of any zone comes back as the same moment in UTC, to the microsecond."""
    elsewhere = MOMENT.astimezone(timezone(timedelta(hours=5, minutes=30)))
    with store.transaction() as connection:
        record(connection, workspace="w", at=elsewhere, actor="system", verb="tested", entity="e", entity_id="i")
    with store.reading() as connection:
        found = connection.execute(select(audit.c.at)).scalar_one()
    assert (found, found.utcoffset()) == (MOMENT, timedelta(0))


def test_a_moment_without_a_zone_is_refused(store: Store) -> None:
    """A naive moment is never guessed at."""
    with pytest.raises(StatementError, match="time zone"), store.transaction() as connection:
        record(
            connection,
            workspace="w",
            at=MOMENT.replace(tzinfo=None),
            actor="system",
            verb="tested",
            entity="e",
            entity_id="i",
        )
