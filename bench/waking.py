"""How long an idle host takes from a stored delivery to its handler, beside the raw driver's own round trip.

The floor on PostgreSQL inserts a row, commits, notifies, and waits until a second connection, which listens, has
heard of it and read the row; on SQLite it inserts a row, commits, and wakes a thread that reads it.
"""

from __future__ import annotations

import sqlite3
import statistics
import sys
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import procrastinate
import psycopg
from celery import Celery  # type: ignore[import-untyped]  # it has no types
from rounds import Report

from speckitty_connectors import Connectors, KeyRing, Secret, Settings
from speckitty_connectors.celery import QUEUE as CELERY_QUEUE
from speckitty_connectors.celery import use_celery
from speckitty_connectors.contract.fake import FakeProvider
from speckitty_connectors.loading.registry import Registry
from speckitty_connectors.procrastinate import use_procrastinate
from speckitty_connectors.store import migrations
from speckitty_connectors.store.engine import Store

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))
from engines.host import BROKER_URL, DATABASE_URL, KEY, Posts, open_connectors
from engines.workers import Workers
from testbed.postgresql import running_postgresql
from testbed.redis import running_redis

EVENTS = 200
"""How many are posted, one after the other, each when the one before it is handled."""

PAUSE_SECONDS = 0.06
"""Between two of them, so that the host is idle; longer than between two notifications."""

PATIENCE_SECONDS = 60.0

LOOK_SECONDS = 0.002
"""How often the effect of an engine's worker is looked for."""

CELERY = ("celery", "--app", "engines.celery_worker", "worker", "--concurrency", "2")

Round = Callable[[], float]


def measure(report: Report) -> None:
    """Print the median, and the ratio to the floor, on both databases."""
    report.title(f"{EVENTS} events of an idle host, from the acknowledgement to the handler")
    with TemporaryDirectory() as folder:
        url = f"sqlite:///{folder}/waking.db"
        with _host(url) as ours, _raw_sqlite(Path(folder) / "raw.db") as floor:
            _compare(report, "SQLite, same process", ours, floor)
    for apart, name in ((False, "PostgreSQL, same process"), (True, "PostgreSQL, notified")):
        with running_postgresql() as url, _raw_postgresql(url) as floor, _host(url, apart=apart) as ours:
            _compare(report, name, ours, floor)
    _engines()


def _compare(report: Report, name: str, ours: Round, floor: Round) -> None:
    """Let both take turns, and print what came of it."""
    waits, floors = [], []
    for _ in range(EVENTS):
        for seconds, wait in ((waits, ours), (floors, floor)):
            time.sleep(PAUSE_SECONDS)
            seconds.append(wait())
    report.add(f"stored to handler / raw driver, {name}", waits, floors)
    _print("ours", waits, "p50 ≤ 30 ms")
    _print("raw driver", floors)


@contextmanager
def _host(url: str, *, apart: bool = False) -> Iterator[Round]:
    """Give what posts an event and waits until its handler begins, in a worker beside it or a notified one."""
    key, began = KeyRing.new_key(), threading.Event()
    with closing(Store(url)) as store:
        migrations.upgrade(store)
    with _connectors(url, key, began) as receiver, _connectors(url, key, began) as other:
        posts = Posts(receiver, key.reveal())

        def run() -> float:
            began.clear()
            posts.post()
            acknowledged = time.perf_counter()
            assert began.wait(PATIENCE_SECONDS)
            return time.perf_counter() - acknowledged

        with (other if apart else receiver).working():
            run()
            yield run


def _connectors(url: str, key: Secret, began: threading.Event) -> Connectors:
    """Return a process of a host whose handler says when it begins."""
    registry = Registry(entry_points=())
    registry.register(FakeProvider())
    connectors = Connectors(Settings(database_url=url, keys={"engines": key}), registry=registry)
    connectors.on_effect()(lambda _: began.set())
    return connectors


@contextmanager
def _raw_sqlite(path: Path) -> Iterator[Round]:
    """Give what inserts a row and waits until a thread has read it."""
    woken, read = threading.Event(), threading.Event()

    def work() -> None:
        with closing(sqlite3.connect(path)) as reading:
            while woken.wait(PATIENCE_SECONDS):
                woken.clear()
                reading.execute("select count(*) from raw_work").fetchone()
                read.set()

    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.executescript("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; create table raw_work (id)")
        threading.Thread(target=work, daemon=True).start()

        def run() -> float:
            read.clear()
            connection.execute("insert into raw_work values (?)", (uuid.uuid4().hex,))
            stored = time.perf_counter()
            woken.set()
            assert read.wait(PATIENCE_SECONDS)
            return time.perf_counter() - stored

        yield run


@contextmanager
def _raw_postgresql(url: str) -> Iterator[Round]:
    """Give what inserts a row and notifies, and waits until another connection has heard of it and read it."""
    plain = url.replace("+psycopg", "")
    with psycopg.connect(plain, autocommit=True) as writing, psycopg.connect(plain, autocommit=True) as hearing:
        writing.execute("create table raw_work (id varchar primary key)")
        hearing.execute("LISTEN raw_work")

        def run() -> float:
            writing.execute("insert into raw_work values (%s)", (uuid.uuid4().hex,))
            stored = time.perf_counter()
            writing.execute("NOTIFY raw_work")
            assert list(hearing.notifies(timeout=PATIENCE_SECONDS, stop_after=1))
            hearing.execute("select count(*) from raw_work").fetchone()
            return time.perf_counter() - stored

        yield run


def _engines() -> None:
    """Print how long Celery and Procrastinate take, each with two worker processes and nothing else to do."""
    with _engine_host() as (url, key, posts, receiver), TemporaryDirectory() as folder, running_redis() as redis:
        use_celery(receiver, Celery("bench", broker=redis.url))
        environment = {DATABASE_URL: url, KEY: key, BROKER_URL: redis.url}
        with Workers([*CELERY, "--queues", CELERY_QUEUE], environment, Path(folder) / "log"):
            _print("Celery with Redis", _until_effects(posts), "≤ 100 ms")
    with _engine_host() as (url, key, posts, receiver), TemporaryDirectory() as folder:
        plain = url.replace("+psycopg", "")
        with procrastinate.App(connector=procrastinate.SyncPsycopgConnector(conninfo=plain)).open() as app:
            app.schema_manager.apply_schema()
            use_procrastinate(receiver, app)
            environment = {DATABASE_URL: url, KEY: key, BROKER_URL: plain}
            with Workers(["engines.procrastinate_worker"], environment, Path(folder) / "log"):
                _print("Procrastinate", _until_effects(posts), "≤ 100 ms")


@contextmanager
def _engine_host() -> Iterator[tuple[str, str, Posts, Connectors]]:
    """Give a host on PostgreSQL whose workers are an engine's."""
    key = KeyRing.new_key().reveal()
    with running_postgresql() as url:
        with closing(Store(url)) as store:
            migrations.upgrade(store)
        with open_connectors(url, key) as receiver:
            yield url, key, Posts(receiver, key), receiver


def _until_effects(posts: Posts) -> list[float]:
    """Return the seconds from each acknowledgement until the effect is seen; the first two wait for the engine."""
    waits = []
    for _ in range(EVENTS + 2):
        time.sleep(PAUSE_SECONDS)
        subject = posts.post()
        acknowledged = time.perf_counter()
        while not posts.handled()[subject]:
            time.sleep(LOOK_SECONDS)
        waits.append(time.perf_counter() - acknowledged)
    return waits[2:]


def _print(name: str, waits: list[float], aim: str = "") -> None:
    p99 = statistics.quantiles(waits, n=100)[98]
    print(f"  {name}: p50 {statistics.median(waits) * 1000:.1f} ms, p99 {p99 * 1000:.1f} ms   {aim}".rstrip())


def main() -> None:
    """Run this benchmark alone."""
    measure(Report())


if __name__ == "__main__":
    main()
