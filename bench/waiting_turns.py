"""How long another workspace's events wait while one has thousands waiting, beside how long they wait alone."""

from __future__ import annotations

import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from rounds import Report

from speckitty_connectors.store import migrations
from speckitty_connectors.store.engine import Store

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))
from dispatch.waiting import Waiting
from testbed.postgresql import fresh_database, running_postgresql

QUIET, BUSY = "w-quiet", "w-busy"

EVENTS = 100
"""How many events of the quiet workspace are measured."""


def measure(report: Report, *, waiting: int) -> None:
    """Print the 99th percentile of the quiet workspace's waits, alone and beside the busy one."""
    report.title(f"{EVENTS} events of a workspace, alone and beside {waiting} of another; one worker")
    for name, database in (("SQLite", _sqlite), ("PostgreSQL", _postgresql)):
        with database() as url, closing(Store(url)) as store:
            migrations.upgrade(store)
            alone = _waits(Waiting.on(store), busy=0)
            beside = _waits(Waiting.on(store), busy=waiting)
        took = f"alone {alone * 1000:.0f} ms, beside {beside * 1000:.0f} ms"
        print(f"  {name}: p99 {took}, at most {(2 * alone + 0.1) * 1000:.0f} ms")


def _waits(made: Waiting, *, busy: int) -> float:
    """Return the 99th percentile of the seconds from stored to handled."""
    handled = threading.Event()
    made.handlers.at_least_once(lambda dispatch: handled.set() if dispatch.workspace == QUIET else None)
    if busy:
        made.add(busy, BUSY)
    deliver = made.hook(QUIET)
    waits = []
    with made.working():
        for _ in range(EVENTS):
            handled.clear()
            began = time.monotonic()
            deliver()
            handled.wait()
            waits.append(time.monotonic() - began)
    return statistics.quantiles(waits, n=100)[98]


@contextmanager
def _sqlite() -> Iterator[str]:
    with tempfile.TemporaryDirectory() as folder:
        yield f"sqlite:///{folder}/turns.db"


@contextmanager
def _postgresql() -> Iterator[str]:
    with running_postgresql() as server, fresh_database(server) as url:
        yield url
