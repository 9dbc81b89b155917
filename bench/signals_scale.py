"""What more signals, resources and projects cost: the same work on a small and on a large workspace, in turns."""

from __future__ import annotations

import sys
import tempfile
import tracemalloc
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path

import psycopg
from rounds import Candidate, Report, take_turns
from sqlalchemy import delete

from speckitty_connectors import GitFacts, Resource, ResourceReference, Signal
from speckitty_connectors.contract.fake import FakeProvider
from speckitty_connectors.loading.registry import Registry
from speckitty_connectors.mappings.service import Mappings
from speckitty_connectors.resources.repository import note_references, upsert_resources
from speckitty_connectors.routing.decide import decide
from speckitty_connectors.routing.loading import load
from speckitty_connectors.signals.service import Signals
from speckitty_connectors.store import migrations
from speckitty_connectors.store.engine import Store
from speckitty_connectors.suggestions.service import Suggestions
from speckitty_connectors.suggestions.tables import suggestions as table

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))
from testbed.layers import add_installation
from testbed.postgresql import fresh_database, running_postgresql
from testbed.world import Happening, World, case_of

SMALLEST = 10_000
"""Signals of the workspace that the larger ones are compared with."""

BATCH = 50
"""Events that are placed, or signals that are reported, a turn."""

NOW = datetime(2026, 1, 2, tzinfo=UTC)
COLUMNS = ("workspace_id", "project_id", "kind", "value", "label", "first_seen", "last_seen")

OpenStore = Callable[[str], Store]


def measure(report: Report, *, largest: int, rounds: int) -> None:
    """Add what inference makes of the generated world, then what growth costs on both databases."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))

        def on_sqlite(name: str) -> Store:
            return _migrated(stack, f"sqlite:///{folder / name}.db")

        _world(report, on_sqlite("world"))
        _grow(report, "SQLite", on_sqlite, largest, rounds)
    with ExitStack() as stack:
        server = stack.enter_context(running_postgresql())

        def on_postgresql(_name: str) -> Store:
            return _migrated(stack, stack.enter_context(fresh_database(server)))

        _grow(report, "PostgreSQL", on_postgresql, largest, rounds)


def _migrated(stack: ExitStack, url: str) -> Store:
    store = stack.enter_context(closing(Store(url, wait_seconds=600)))
    migrations.upgrade(store)
    return store


def _grow(report: Report, database: str, open_store: OpenStore, largest: int, rounds: int) -> None:
    sizes = [size for size in (SMALLEST, 100_000, 1_000_000, 10_000_000) if size <= largest]
    report.title(f"{database}: a batch of {BATCH} with more signals in the workspace, beside {SMALLEST:,}")
    placing, reporting = {}, {}
    for size in sizes:
        store = open_store(f"signals-{size}")
        placing[str(size)], reporting[str(size)] = _candidates(store, size)
    for what, candidates in (("inference", placing), ("report", reporting)):
        seconds = take_turns(candidates, rounds=rounds)
        for size in sizes[1:]:
            report.add(f"{what}, {size:,} signals", seconds[str(size)], seconds[str(SMALLEST)], aim="≤ 1.5")
    _suggestions(report, database, open_store)


def _candidates(store: Store, size: int) -> tuple[Candidate, Candidate]:
    """Return what places a batch of events, and what reports a batch of signals, among so many signals."""
    installation = add_installation(store, "w")
    _load(store, _signal_rows(size, projects=max(size // 500, 1)))
    boards = [ResourceReference(kind="board", id=f"r{n}", key=f"octo/repo-{n}") for n in range(BATCH)]
    with store.transaction() as connection:
        note_references(connection, installation, references=boards, at=NOW)
    happenings = [
        Happening(
            resource=board, git=GitFacts(branch="main", commits=_commits(size, number)), truth="", situation=""
        )
        for number, board in enumerate(boards)
    ]
    cases = [case_of(installation, happening) for happening in happenings]
    turns = iter(range(1_000_000))

    def place() -> None:
        with store.reading() as connection:
            decide(load(connection, cases))

    def report() -> None:
        first = next(turns) * BATCH
        batch = [Signal(project_id=f"p{n}", commits=(_sha(-1 - first - n),)) for n in range(BATCH)]
        Signals(store).report(workspace="w", signals=batch)

    return place, report


def _commits(size: int, number: int) -> tuple[str, ...]:
    """Return ten of the commits that so many signals hold, others for each event."""
    return tuple(_sha(size - 1 - number * 10 - n) for n in range(10))


def _suggestions(report: Report, database: str, open_store: OpenStore) -> None:
    """Add a look at 10,000 repositories with 2,000 projects and a million signals, beside a tenth of each."""
    report.title(
        f"{database}: suggestions for 10,000 repositories, 2,000 projects, 1,000,000 signals, beside a tenth"
    )
    small, large = (_inventory(open_store(f"look-{size}"), size) for size in (1_000, 10_000))
    seconds = take_turns({"small": small, "large": large}, rounds=3)
    report.add("refresh, time", seconds["large"], seconds["small"], aim="≤ 11")
    report.add("refresh, peak memory", [_peak(large)], [_peak(small)], aim="≤ 3")


def _inventory(store: Store, repositories: int) -> Candidate:
    """Return what looks over so many repositories from scratch, with a hundred signals for each."""
    installation = add_installation(store, "w")
    boards = (Resource(kind="board", id=f"r{n}", key=f"octo/repo-{n}") for n in range(repositories))
    while page := list(islice(boards, 1_000)):
        with store.transaction() as connection:
            upsert_resources(connection, installation, listed=page, at=NOW)
    _load(store, _signal_rows(repositories * 100, projects=repositories // 5))
    registry = Registry(entry_points=())
    registry.register(FakeProvider())
    suggestions = Suggestions(store, registry, Mappings(store))

    def look() -> None:
        with store.transaction() as connection:
            connection.execute(delete(table))
        result = suggestions.refresh(workspace="w", installation_id=installation.id)
        assert result.raised > repositories // 10, result

    return look


def _peak(candidate: Candidate) -> float:
    """Return the most memory that a candidate had at once, in bytes."""
    tracemalloc.start()
    candidate()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return peak


def _signal_rows(count: int, *, projects: int) -> Iterator[tuple[object, ...]]:
    """Yield signals: of each project some remotes and slugs, everything else commits."""
    for number in range(count):
        project = f"p{number % projects}"
        if number < projects * 3:
            kind, value = "remote", f"ssh://fake.example/octo/repo-{number}"
        elif number < projects * 4:
            kind, value = "slug", f"octo/repo-{number % projects}"
        else:
            kind, value = "commit", _sha(number)
        yield ("w", project, kind, value, value, NOW, NOW)


def _sha(number: int) -> str:
    return f"{(number * 0x9E3779B97F4A7C15F39CC0605CEDC835) % 2**160:040x}"


def _load(store: Store, rows: Iterator[tuple[object, ...]]) -> None:
    """Write signals by the fastest way that a database has."""
    if store.is_sqlite:
        statement = f"insert into signals ({', '.join(COLUMNS)}) values ({', '.join('?' * len(COLUMNS))})"
        while batch := list(islice(rows, 200_000)):
            written = [(*row[:5], *(["2026-01-02 00:00:00.000000"] * 2)) for row in batch]
            with store.driver_transaction() as cursor:
                cursor.execute("PRAGMA cache_size = -1000000")
                cursor.executemany(statement, written)
        with store.driver_transaction() as cursor:
            cursor.execute("ANALYZE")
        return
    url = store.url.render_as_string(hide_password=False).replace("+psycopg", "")
    with closing(psycopg.connect(url, autocommit=True)) as connection:
        with connection.cursor().copy(f"COPY signals ({', '.join(COLUMNS)}) FROM STDIN") as copy:
            for row in rows:
                copy.write_row(row)
        connection.execute("VACUUM ANALYZE signals")


def _world(report: Report, store: Store) -> None:
    world = World(store, workspaces=200, situations=20)
    world.plant()
    report.title(f"Inference on a generated world of {world.repositories:,} repositories")
    for line in world.infer().lines():
        print(line)
