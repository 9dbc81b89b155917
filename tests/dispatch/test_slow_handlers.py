"""Handlers that take longer than a lease: nobody is called twice, and nothing waits behind them."""

from __future__ import annotations

import time
from collections import Counter
from threading import Barrier, Event, Lock

import pytest
from sqlalchemy import Connection, select

from speckitty_connectors import Dispatch
from speckitty_connectors.configuration import WorkerSettings
from speckitty_connectors.routing.tables import dispatches
from speckitty_connectors.store.engine import Store

from .waiting import Waiting, until

SHORT = WorkerSettings(lease_seconds=1.0, poll_seconds=0.02)


@pytest.mark.parametrize(
    ("settings", "seconds"),
    [
        pytest.param(SHORT, 1.3, id="scaled"),
        pytest.param(WorkerSettings(), 40.0, id="by default", marks=pytest.mark.soak),
    ],
)
@pytest.mark.parametrize("in_transaction", [False, True])
def test_a_slow_handler_is_called_once(
    store: Store, settings: WorkerSettings, seconds: float, *, in_transaction: bool
) -> None:
    """With handlers that outlast the lease, on two threads, each event is handled once and none is parked."""
    waiting, called = Waiting.on(store, settings), Counter[str]()
    lock = Lock()

    def handle(dispatch: Dispatch, *_: Connection) -> None:
        with lock:
            called[dispatch.id] += 1
        time.sleep(seconds)

    if in_transaction:
        waiting.handlers.in_transaction(handle)
    else:
        waiting.handlers.at_least_once(handle)
    waiting.add(6)
    with waiting.working(threads=2):
        until(lambda: waiting.states() == {"done": 6}, seconds=6 * seconds)
    assert called.total() == len(called) == 6
    assert waiting.attempts() == [1] * 6


def test_what_waits_behind_a_slow_handler_goes_to_who_is_free(store: Store) -> None:
    """Rows that one thread has claimed and can't come to are handled by the other one meanwhile."""
    waiting, slow = Waiting.on(store, SHORT), Event()
    first = Lock()

    def handle(_: Dispatch) -> None:
        if first.acquire(blocking=False):
            slow.wait()

    waiting.handlers.at_least_once(handle)
    waiting.add(6)
    with waiting.working(threads=2):
        until(lambda: waiting.states() == {"done": 5, "running": 1})
        slow.set()
        until(lambda: waiting.states() == {"done": 6})


def test_two_threads_run_handlers_at_once(store: Store) -> None:
    """Handlers for outside effects of two threads run at the same time, on SQLite, too."""
    waiting, both = Waiting.on(store, SHORT), Barrier(2)

    def handle(_: Dispatch) -> None:
        both.wait(60)

    waiting.handlers.at_least_once(handle)
    waiting.add(2)
    with waiting.working(threads=2):
        until(lambda: waiting.states() == {"done": 2})


def test_a_worker_that_is_stopped_gives_back_what_it_did_not_start(store: Store) -> None:
    """What was claimed and not started when a worker is stopped is due at once, and no suspect."""
    waiting, stop = Waiting.on(store), Event()
    waiting.handlers.at_least_once(lambda _: stop.set())
    waiting.add(3)
    waiting.worker().run(stop)
    assert waiting.states() == {"done": 1, "pending": 2}
    with store.reading() as connection:
        waits = select(dispatches.c.crashes, dispatches.c.worker).where(dispatches.c.state == "pending")
        rest = connection.execute(waits).all()
    assert [(each.crashes, each.worker) for each in rest] == [(0, "")] * 2


def test_a_row_past_the_limit_is_left_to_others(store: Store) -> None:
    """A handler that runs for too long keeps its row no longer; another process takes it, and is told which try."""
    settings = WorkerSettings(lease_seconds=0.2, handler_limit_seconds=0.3, poll_seconds=0.02)
    waiting, hung, tries = Waiting.on(store, settings), Event(), list[int]()

    def handle(dispatch: Dispatch) -> None:
        tries.append(dispatch.attempt)
        if dispatch.attempt == 1:
            hung.wait()

    waiting.handlers.at_least_once(handle)
    waiting.add(1)
    with waiting.working(), waiting.working():
        until(lambda: waiting.states() == {"done": 1})
        hung.set()
    assert tries == [1, 2]
    assert waiting.states() == {"done": 1}
