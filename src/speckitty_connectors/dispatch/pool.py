"""The worker threads of one process: started again when one ends, and replaced when a handler hangs."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack
from weakref import WeakSet

from attrs import frozen

from .leases import LeaseKeeper
from .waking import Waking
from .worker import Worker

logger = logging.getLogger(__name__)


@frozen(kw_only=True)
class WorkerThread:
    """A thread that runs a worker until it is told to stop."""

    thread: threading.Thread
    stop: threading.Event


class WorkerPool:
    """Runs workers in threads of this process.

    A thread that ends although nobody stopped it is started again. Where a handler runs past its limit, its thread
    can't be ended: another one takes its place, as often as there are threads, so that others' events go on.

    Attributes:
        restarts: how often a thread ended by itself and was started again.
        late: how many handlers ran past the limit.

    Args:
        worker: makes a worker.
        keeper: keeps the leases of this process.
        threads: how many run at once.
        grace_seconds: how long handlers may go on after `stop`.
        waking: wakes them while they are idle; where not given, they poll.
    """

    def __init__(
        self,
        worker: Callable[[], Worker],
        keeper: LeaseKeeper,
        *,
        threads: int,
        grace_seconds: float,
        waking: Waking | None = None,
    ) -> None:
        self.restarts = 0
        self.late = 0
        self._worker = worker
        self._keeper = keeper
        self._count = threads
        self._grace_seconds = grace_seconds
        self._waking = waking
        self._woken = ExitStack()
        self._members: list[WorkerThread] = []
        self._workers: WeakSet[Worker] = WeakSet()
        self._lock = threading.Lock()
        keeper.when_late = self._replace
        keeper.when_released = self.wake

    def start(self) -> None:
        """Start the threads."""
        with self._lock:
            for _ in range(self._count):
                self._add()
        if self._waking is not None and self._count:
            self._woken.enter_context(self._waking.waking(self.wake))

    def wake(self) -> None:
        """Have idle workers look for work at once."""
        for worker in tuple(self._workers):
            worker.wake()

    def stop(self) -> bool:
        """Start nothing new, and give what runs its grace; what isn't done by then is due for other processes.

        Returns:
            Whether every handler ended in time, apart from those that ran past their limit before: nobody waits for
            these. Those that didn't run on until the process ends.
        """
        end = time.monotonic() + self._grace_seconds
        with self._lock:
            members, self._count = list(self._members), 0
        self._woken.close()
        for member in members:
            member.stop.set()
        self.wake()
        for member in members:
            member.thread.join(max(0.0, end - time.monotonic()))
        if not any(member.thread.is_alive() for member in members):
            self._keeper.close()
            return True
        logger.error("handlers still run %g seconds after they were to end", self._grace_seconds)
        self._keeper.give_up()
        return False

    def _add(self) -> None:
        stop = threading.Event()
        thread = threading.Thread(target=self._run, args=(stop,), name="worker", daemon=True)
        self._members.append(WorkerThread(thread=thread, stop=stop))
        thread.start()

    def _run(self, stop: threading.Event) -> None:
        while not stop.is_set():
            try:
                worker = self._worker()
                self._workers.add(worker)
                worker.run(stop)
            except BaseException:
                self.restarts += 1
                logger.critical("a worker ended by itself and is started again", exc_info=True)
                stop.wait(1.0)

    def _replace(self, hung: threading.Thread) -> None:
        """Let another thread take the place of one whose handler runs past the limit."""
        with self._lock:
            self.late += 1
            for member in [each for each in self._members if each.thread is hung]:
                member.stop.set()
                self._members.remove(member)
            if self.late <= self._count:
                self._add()
