"""B: a database keeps what it is told, and keeps workspaces apart."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta, timezone
from typing import Any, Final

from sqlalchemy import insert, select, update
from sqlalchemy.exc import SQLAlchemyError

from ... import connectors  # noqa: F401 - with it, every table is known
from ...credentials.tables import key_checks
from ...errors import ConnectorsError, StoreUnavailableError
from ...identifiers import new_id
from ...inbox.tables import inbox, inbox_bodies
from ...store import audit, migrations
from ...store.engine import Store
from ..groups.base import Judged
from ..receiver import NOW
from ..rules import Over, require, rule

SHORT_WAIT_SECONDS: Final = 0.2
"""How long a rule waits for a lock that nobody frees."""


class DatabaseRules(Judged):
    """What one connection after the other can see."""

    @rule("B01", over=Over.DATABASE, waivable=False)
    def test_b01_tables_from_nothing(self, empty_store: Store) -> None:
        """An upgrade makes every table, index and constraint from nothing, and a second one changes nothing.

        An empty database is upgraded twice, and compared with what the code declares.
        Why: without a unique index, what has to happen once happens twice.
        Fix: grant the right to create tables, indexes and triggers, and look for what the database left out.
        """
        for _ in range(2):
            migrations.upgrade(empty_store)
        require(migrations.current(empty_store) == migrations.latest(), "is not at the latest revision")
        differences = migrations.differences(empty_store)
        require(not differences, f"differs from what the code declares: {str(differences)[:200]}")

    @rule("B02", over=Over.DATABASE, waivable=False)
    def test_b02_all_or_nothing(self, store: Store) -> None:
        """A transaction that raises leaves nothing behind.

        A row is written, and the block raises.
        Why: a delivery would be half accepted.
        Fix: don't commit after each statement.
        """
        with suppress(_OnPurposeError), store.transaction() as connection:
            connection.execute(insert(key_checks).values(key_id="undone", sealed=b""))
            raise _OnPurposeError
        with store.reading() as connection:
            left = connection.execute(select(key_checks.c.key_id)).all()
        require(not left, "kept a row of a transaction that raised")

    @rule("B03", over=Over.DATABASE, waivable=False)
    def test_b03_reading_writes_nothing(self, store: Store) -> None:
        """A transaction that only reads can't write.

        A row is written in one that was opened for reading.
        Why: the code relies on it where it looks at what isn't its own.
        Fix: honour read-only transactions.
        """

        def write() -> None:
            with store.reading() as connection:
                connection.execute(insert(key_checks).values(key_id="sneaked", sealed=b""))
                connection.commit()

        require(_refuses(write), "wrote in a transaction that only reads")

    @rule("B04", over=Over.DATABASE, waivable=False)
    def test_b04_workspaces_are_apart(self, store: Store) -> None:
        """SQL refuses a reference to another workspace's row.

        The body of a delivery is written for another workspace than the delivery itself.
        Why: a mistake in the code above it would show one customer's rows to another.
        Fix: enforce foreign keys, composite ones too.
        """
        (delivery,) = write_deliveries(store, 1)

        def stray() -> None:
            with store.transaction() as connection:
                body = {"inbox_id": delivery, "headers": {}, "content_type": "", "body": b""}
                connection.execute(insert(inbox_bodies).values(workspace_id="theirs", **body))

        require(_refuses(stray), "took a reference to another workspace's row")

    @rule("B05", over=Over.DATABASE, waivable=False)
    def test_b05_ids_are_compared_byte_for_byte(self, store: Store) -> None:
        """Ids that differ in case, accents or spaces are different, and sort by their bytes.

        Deliveries with such ids are written and read in order.
        Why: ids of providers differ in case alone, and cursors go by their order.
        Fix: use a binary collation for ids: "C" in PostgreSQL, BINARY in SQLite.
        """
        ids = ["a", "A", "a ", "ä", "B", "b"]
        write_deliveries(store, ids=ids)
        with store.reading() as connection:
            found = list(connection.scalars(select(inbox.c.id).order_by(inbox.c.id)))
        require(found == sorted(ids, key=str.encode), f"has {found} of {ids}")

    @rule("B06", over=Over.DATABASE, waivable=False)
    def test_b06_moments_come_back(self, store: Store) -> None:
        """A moment comes back as the same one, to the microsecond and in UTC.

        One in another zone is written and read.
        Why: what ends when, and what came first, is decided by them.
        Fix: store times with their zone and six decimals.
        """
        at = datetime(2026, 3, 29, 2, 30, 0, 123457, tzinfo=timezone(timedelta(hours=5, minutes=45)))
        write_deliveries(store, 1, received_at=at)
        with store.reading() as connection:
            found = connection.execute(select(inbox.c.received_at)).scalar_one()
        require((found, found.utcoffset()) == (at, timedelta(0)), f"made {found} of {at.astimezone(UTC)}")

    @rule("B07", over=Over.DATABASE, waivable=False)
    def test_b07_the_audit_stays(self, store: Store) -> None:
        """An entry of the audit can't be changed.

        A row of it is updated, as any program could.
        Why: the person who did something could say that somebody else did.
        Fix: let the migrations make their triggers.
        """
        with store.transaction() as connection:
            values: dict[str, Any] = dict.fromkeys(("actor", "verb", "entity", "entity_id", "reason"), "")
            values |= {"workspace_id": "ours", "id": "1", "at": NOW, "before": {}, "after": {}}
            connection.execute(insert(audit.audit).values(values))

        def change() -> None:
            with store.transaction() as connection:
                connection.execute(update(audit.audit).values(reason="another"))

        require(_refuses(change), "changed an entry of the audit")

    @rule("B08", over=Over.DATABASE, waivable=False)
    def test_b08_a_lock_is_not_waited_for_without_end(self, store: Store) -> None:
        """A lock that isn't freed in time is told as the store being unavailable.

        A row is changed in one transaction while another one holds it.
        Why: a provider waits for its answer, and 503 is one that makes it try again.
        Fix: honour the time limits that are set for each transaction, and pass the driver's own errors on.
        """
        write_deliveries(store, 1)
        with store.transaction() as holding:
            holding.execute(update(inbox).values(kind="held"))
            told = _wrongly_told_of_a_lock(store)
        require(not told, f"told a lock as {told}")


class _OnPurposeError(Exception):
    """What a rule raises."""


def write_deliveries(store: Store, count: int = 0, *, ids: list[str] | None = None, **values: object) -> list[str]:
    """Write accepted deliveries of a workspace, and return their ids."""
    names = ids or [new_id() for _ in range(count)]
    usual = {
        "workspace_id": "ours",
        "endpoint_id": "endpoint",
        "installation_id": "",
        "provider": "fake",
        "host": "fake.example",
        "kind": "card",
        "body_digest": b"\x00" * 32,
        "secret_id": "",
        "received_at": NOW,
        **values,
    }
    with store.transaction() as connection:
        connection.execute(insert(inbox), [{**usual, "id": name, "delivery_id": name} for name in names])
    return names


def _wrongly_told_of_a_lock(store: Store) -> str:
    """Change rows that another transaction holds; return what came of it but the typed error, else nothing."""
    try:
        with store.transaction(within_seconds=SHORT_WAIT_SECONDS) as connection:
            connection.execute(update(inbox).values(kind="wanted"))
    except StoreUnavailableError:
        return ""
    except (SQLAlchemyError, ConnectorsError) as error:
        return type(error).__name__
    return "nothing"


def _refuses(change: Callable[[], None]) -> bool:
    """Say whether the database refuses a change."""
    try:
        change()
    except (SQLAlchemyError, ConnectorsError):
        return True
    return False
