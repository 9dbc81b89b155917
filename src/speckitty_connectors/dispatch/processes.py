"""A parent and its worker processes: started again when they die, ended when they hang, stopped within a grace."""

from __future__ import annotations

import logging
import multiprocessing
import threading
import time
from collections.abc import Callable
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess
from typing import Any, Final

from attrs import define, field

SHORTEST_PAUSE_SECONDS: Final = 1.0
LONGEST_PAUSE_SECONDS: Final = 30.0
"""How long the parent waits before it starts another child: twice as long each time, until one lives for longer."""

BEAT_SECONDS: Final = 1.0
"""How often a child says that it lives."""

REPLACE_ME: Final = 3
"""The exit code of a child that ended because a handler hung: another one starts without a pause."""

START_SECONDS: Final = 60.0
"""How long a child may take until it says so first: it imports the host's code."""

LEAST_SILENT_SECONDS: Final = 10.0
"""How long a child may be silent at least, so that a busy machine doesn't kill it."""

MARGIN_SECONDS: Final = 5.0
"""How much longer than the grace a child has to end before it is killed."""

logger = logging.getLogger(__name__)


@define(eq=False, kw_only=True)
class Child:
    """A worker process.

    Attributes:
        process: the process.
        pipe: where it says that it lives: first with the id that it has in the rows that it claims.
        worker: that id; empty until it has said so.
        started: when it was started, by the monotonic clock.
        heard: when it said so last.
    """

    process: SpawnProcess
    pipe: Connection
    worker: str = ""
    started: float = field(factory=time.monotonic)
    heard: float = field(factory=time.monotonic)

    def listen(self) -> None:
        """Take in what it has said."""
        try:
            while self.pipe.poll():
                self.worker, self.heard = self.pipe.recv(), time.monotonic()
        except (EOFError, OSError):  # it ends
            return


class Processes:
    """Keeps so many children running until it is stopped.

    Args:
        target: what a child runs, with the writing end of a pipe as its last argument: `beating` writes to it.
        given: the arguments before.
        count: how many children.
        silent_seconds: how long a child may say nothing before it is killed: then its leases are over, too.
        grace_seconds: how long children may take to end.
        release: gives back the rows of a child that was stopped and has ended, by its id.
    """

    def __init__(
        self,
        target: Callable[..., None],
        given: tuple[Any, ...],
        *,
        count: int,
        silent_seconds: float,
        grace_seconds: float,
        release: Callable[[str], object],
    ) -> None:
        self._target = target
        self._given = given
        self._count = count
        self._silent_seconds = max(silent_seconds, LEAST_SILENT_SECONDS)
        self._grace_seconds = grace_seconds
        self._release = release
        self._children: list[Child] = []
        self._pause, self._next_start = SHORTEST_PAUSE_SECONDS, 0.0
        self._stops = 0
        self._deadline = float("inf")

    def stop(self) -> None:
        """Tell all children to end in their grace; the second time, end them at once. Safe in a signal handler."""
        self._stops += 1

    def run(self, when_all_work: Callable[[], object]) -> None:
        """Supervise until everything has ended after `stop`."""
        is_told = False
        while self._children or not self._stops:
            self._start_missing()
            wait(
                [end for child in self._children for end in (child.pipe, child.process.sentinel)], BEAT_SECONDS / 2
            )
            for child in list(self._children):
                child.listen()
                if not child.process.is_alive():
                    self._ended(child)
            if not is_told and len(self._children) == self._count and all(each.worker for each in self._children):
                is_told = True
                when_all_work()
            self._end_those_that_must()

    def _start_missing(self) -> None:
        while not self._stops and len(self._children) < self._count and time.monotonic() >= self._next_start:
            context = multiprocessing.get_context("spawn")
            reading, writing = context.Pipe(duplex=False)
            process = context.Process(target=self._target, args=(*self._given, writing), name="worker")
            process.start()
            writing.close()
            self._children.append(Child(process=process, pipe=reading))

    def _ended(self, child: Child) -> None:
        """Take leave of a child; what it had is due at once if it was told to end, else it is suspect."""
        child.process.join()
        child.pipe.close()
        self._children.remove(child)
        if self._stops:
            if child.worker:
                self._release(child.worker)
            return
        now, code = time.monotonic(), child.process.exitcode
        if code == REPLACE_ME:
            logger.error("worker process %s is replaced, because a handler hung", child.worker)
            return
        self._pause = min(2 * self._pause, LONGEST_PAUSE_SECONDS)
        if now - child.started > 2 * LONGEST_PAUSE_SECONDS:
            self._pause = SHORTEST_PAUSE_SECONDS
        self._next_start = now + self._pause
        logger.error("worker process %s ended with %s; another starts in %g s", child.worker, code, self._pause)

    def _end_those_that_must(self) -> None:
        now = time.monotonic()
        if self._stops and self._deadline == float("inf"):
            self._deadline = now + self._grace_seconds + MARGIN_SECONDS
            for child in self._children:
                child.process.terminate()
        for child in self._children:
            is_silent = now - child.heard > (self._silent_seconds if child.worker else START_SECONDS)
            if self._stops > 1 or now > self._deadline or (is_silent and not self._stops):
                logger.error("worker process %s is killed", child.worker)
                child.process.kill()


def beating(pipe: Connection, worker: str, stopped: threading.Event) -> threading.Thread:
    """Start saying that this process lives; when nobody listens, the parent is gone, and `stopped` is set."""

    def beat() -> None:
        while True:
            try:
                pipe.send(worker)
            except OSError:
                stopped.set()
                return
            time.sleep(BEAT_SECONDS)

    thread = threading.Thread(target=beat, name="connectors-beat", daemon=True)
    thread.start()
    return thread
