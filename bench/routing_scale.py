"""What it costs to place a batch of events as the number of mappings grows, on both databases."""

from __future__ import annotations

import random
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from pathlib import Path

from rounds import Candidate, Report, take_turns
from sqlalchemy import Connection, text

from speckitty_connectors import Event, Installation, ResourceReference
from speckitty_connectors.contract.fake import MANIFEST
from speckitty_connectors.installations import repository
from speckitty_connectors.installations.statuses import InstallationStatus
from speckitty_connectors.routing.batch import Case
from speckitty_connectors.routing.decide import decide
from speckitty_connectors.routing.loading import load
from speckitty_connectors.routing.types import Stage
from speckitty_connectors.store import migrations
from speckitty_connectors.store.engine import Store

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))
from testbed.postgresql import fresh_database, running_postgresql

SIZES = (1_000, 100_000, 1_000_000)
"""Mappings of one installation: the smallest is the floor."""

BATCH = 50
"""Events that a router decides in one transaction."""

NOW = datetime(2026, 1, 2, tzinfo=UTC)

INSTALLATION = Installation(
    workspace="w1",
    id="i1",
    provider="fake",
    host="fake.example",
    app_id="a1",
    account_id="7",
    status=InstallationStatus.ACTIVE,
    status_at=NOW,
    created_at=NOW,
    updated_at=NOW,
)

NUMBERS = "with recursive numbers(n) as (select 1 union all select n + 1 from numbers where n < :size)"

FILLING = (
    f"""
    insert into resources (
        workspace_id, id, installation_id, kind, external_id, key, url, parent_id, status, archived, private,
        attributes, first_seen, last_seen, key_at, status_at, archived_at, private_at, successor_id
    )
    {NUMBERS}
    select
        'w1', 'r' || n, 'i1', 'board', 'b' || n, 'kitchen/b' || n, '', 's' || (n % 1000), 'active', false, false,
        '{{}}', :now, :now, :now, :now, :now, :now, ''
    from numbers
    """,
    f"""
    insert into resource_mappings (
        workspace_id, id, installation_id, resource_id, target_kind, target_id, selector, direction, origin, state,
        state_reason, created_by, created_at, updated_at
    )
    {NUMBERS}
    select
        'w1', 'm' || n, 'i1', 'r' || n, 'project', 'p' || n, '{{}}', 'both', 'manual', 'active',
        '', 'operator', :now, :now
    from numbers
    """,
)
"""What fills a database on its own side; a million rows each are too many to send."""


def measure(report: Report, *, rounds: int, sizes: Sequence[int] = SIZES) -> None:
    """Add the cost of placing a batch at each size, as a multiple of that at the smallest."""
    report.title(f"{BATCH} events of one installation a turn; the floor is {sizes[0]:,} mappings")
    with tempfile.TemporaryDirectory() as folder:
        _compare(report, "SQLite", [f"sqlite:///{folder}/{size}.db" for size in sizes], sizes, rounds)
    with running_postgresql() as server, ExitStack() as stack:
        urls = [stack.enter_context(fresh_database(server)) for _ in sizes]
        _compare(report, "PostgreSQL", urls, sizes, rounds)


def _compare(report: Report, database: str, urls: Sequence[str], sizes: Sequence[int], rounds: int) -> None:
    with ExitStack() as stack:
        stores = [stack.enter_context(_filled(url, size)) for url, size in zip(urls, sizes, strict=True)]
        candidates = {str(size): _placing(store, size) for store, size in zip(stores, sizes, strict=True)}
        seconds = take_turns(candidates, rounds=rounds)
    floor = seconds[str(sizes[0])]
    for size in sizes[1:]:
        report.add(f"routing at {size:,} mappings, {database}", seconds[str(size)], floor, aim="≤ 1.2")


@contextmanager
def _filled(url: str, size: int) -> Iterator[Store]:
    """Make a database with that many boards in a thousand spaces, each board mapped."""
    store = Store(url)
    migrations.upgrade(store)
    with store.transaction() as connection:
        repository.add(connection, INSTALLATION)
    for statement in FILLING:
        with store.transaction() as connection:
            connection.execute(text(statement), {"size": size, "now": _moment(connection)})
            connection.execute(text("analyze"))  # or PostgreSQL checks the next statement's references one by one
    yield store
    store.close()


def _moment(connection: Connection) -> object:
    """Return the moment as the database stores it."""
    return NOW if connection.dialect.name == "postgresql" else "2026-01-02 00:00:00.000000"


def _placing(store: Store, size: int) -> Candidate:
    """Return what places a batch of events on boards that are drawn anew in each turn, the same in each run."""
    drawn = random.Random(7)

    def run() -> None:
        boards = [f"b{drawn.randint(1, size)}" for _ in range(BATCH)]
        events = [Event(kind="card", resources=(ResourceReference(kind="board", id=board),)) for board in boards]
        cases = [Case.of_event(INSTALLATION, event, MANIFEST) for event in events]
        with store.reading() as connection:
            conclusions = decide(load(connection, cases))
        assert all(conclusion.stage is Stage.EXPLICIT for conclusion in conclusions)

    return run
