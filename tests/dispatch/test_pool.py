"""Worker threads of one process: they are started again when they end, and replaced when a handler hangs."""

from __future__ import annotations

import time
from threading import Event, Lock
from threading import enumerate as enumerate_threads

import pytest

from speckitty_connectors import Dispatch, Worker
from speckitty_connectors.configuration import WorkerSettings
from speckitty_connectors.dispatch.leases import LeaseKeeper
from speckitty_connectors.dispatch.pool import WorkerPool
from speckitty_connectors.store.engine import Store

from .waiting import Waiting, until

SETTINGS = WorkerSettings(lease_seconds=0.3, poll_seconds=0.02, handler_limit_seconds=2.0)


def pool_of(waiting: Waiting, keeper: LeaseKeeper, *, threads: int = 1, grace_seconds: float = 60.0) -> WorkerPool:
    """Return a pool of workers for what waits."""
    return WorkerPool(lambda: waiting.worker(keeper), keeper, threads=threads, grace_seconds=grace_seconds)


def all_threads_ended() -> bool:
    """Return whether no worker's thread runs any more, and no keeper's."""
    return not {"worker", "connectors-leases"} & {thread.name for thread in enumerate_threads()}


def test_a_thread_that_ends_is_started_again(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever ends a worker, another one takes over in its thread, and it is counted."""
    waiting, fails = Waiting.on(store, SETTINGS), [SystemExit("by itself")]
    waiting.handlers.at_least_once(lambda _: None)
    waiting.add(1)
    run_once = Worker.run_once

    def end(worker: Worker) -> int:
        if fails:
            raise fails.pop()
        return run_once(worker)

    monkeypatch.setattr(Worker, "run_once", end)
    pool = pool_of(waiting, waiting.keeper())
    pool.start()
    until(lambda: waiting.states() == {"done": 1})
    assert pool.stop()
    assert pool.restarts == 1


def test_a_hanging_handler_is_given_another_thread(store: Store) -> None:
    """Where a handler runs past its limit, another thread goes on with all other events."""
    waiting, hung, first = Waiting.on(store, SETTINGS), Event(), Lock()

    def handle(_: Dispatch) -> None:
        if first.acquire(blocking=False):
            hung.wait()

    waiting.handlers.at_least_once(handle)
    waiting.add(5)
    pool = pool_of(waiting, waiting.keeper())
    pool.start()
    until(lambda: waiting.states() == {"done": 5})
    assert pool.late == 1
    assert pool.stop()  # although one still hangs
    hung.set()
    until(all_threads_ended)


def test_a_handler_that_goes_on_after_the_grace_gives_its_row_back(store: Store) -> None:
    """Who stops a pool waits for no longer than the grace; what still runs is due for other processes at once."""
    settings = WorkerSettings(poll_seconds=0.02)
    waiting, hung, began = Waiting.on(store, settings), Event(), Event()

    def handle(_: Dispatch) -> None:
        began.set()
        hung.wait()

    waiting.handlers.at_least_once(handle)
    waiting.add(2)
    pool = pool_of(waiting, waiting.keeper(), grace_seconds=0.1)
    pool.start()
    assert began.wait(60)
    start = time.monotonic()
    assert not pool.stop()
    assert time.monotonic() - start < 30
    assert (waiting.states(), waiting.crashes()) == ({"pending": 2}, [0, 0])
    hung.set()
    until(all_threads_ended)
