"""How long the work at hand may wait for the database, and who is told at once that it doesn't answer."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from contextvars import ContextVar, Token
from queue import Empty, SimpleQueue
from threading import RLock
from typing import Final

from attrs import define, frozen

from ..errors import StoreBusyError, StoreUnavailableError

WAIT_SECONDS: Final = 10.0
"""How long a person or a worker waits for a lock or a free connection."""

ANSWER_SECONDS = 0.6
"""How long a request may wait for the database, so that it is answered within a second however many there are."""

REST_SECONDS: Final = 0.5
"""For how long requests don't wait for a database that didn't answer one: a web server's queue is empty by then."""

BRIEF_SECONDS: Final = 0.02
"""How long requests wait for a lock while another one that waited for it in full gave up."""

SHARE_OF_LOCKS: Final = 0.8
"""How much of a deadline a lock may take: the database gives up before we do, and the connection can be kept."""

REMEDY: Final = "try again; if it lasts, look at the database and its URL"


@define
class _Budget:
    """Seconds that pass only while something is asked of the database.

    Attributes:
        left: what was left when the last transaction ended.
        outer: the budget of the block around.
        is_answer: whether a provider or a browser waits.
        began: when the transaction under way began.
    """

    left: float
    outer: _Budget | None
    is_answer: bool = False
    began: float = math.inf

    def seconds_left(self) -> float:
        """Return the seconds left here and in every block around."""
        own = max(0.0, self.left - max(0.0, time.monotonic() - self.began))
        return own if self.outer is None else min(own, self.outer.seconds_left())


_BUDGET: ContextVar[_Budget | None] = ContextVar("budget", default=None)


class within:  # noqa: N801 - read as a word of the statement that it begins
    """Give what the block asks of the database this many seconds altogether; None sets no limit of its own.

    A block inside another has at most what the outer one has left. What else the block does takes nothing away, so
    that a provider's slow answer doesn't cost what it gave.

    >>> with within(5), within(None), within(60):
    ...     seconds_left()
    5.0
    """

    def __init__(self, seconds: float | None, *, is_answer: bool = False) -> None:
        self._seconds = seconds
        self._is_answer = is_answer

    def __enter__(self) -> None:
        self._token: Token[_Budget | None] | None = None
        if self._seconds is not None:
            self._token = _BUDGET.set(_Budget(self._seconds, _BUDGET.get(), self._is_answer))

    def __exit__(self, *_: object) -> None:
        if self._token is not None:
            _BUDGET.reset(self._token)


def answering() -> within:
    """Give what a request asks of the database `ANSWER_SECONDS`; while it doesn't answer, fail at once.

    Raises:
        StoreUnavailableError: by transactions in the block: see `Gate`.
    """
    return within(ANSWER_SECONDS, is_answer=True)


class _Spending:
    """Lets the time of the block count."""

    def __enter__(self) -> None:
        self._started: list[_Budget] = []
        budget = _BUDGET.get()
        while budget is not None and math.isinf(budget.began):
            budget.began = time.monotonic()
            self._started.append(budget)
            budget = budget.outer

    def __exit__(self, *_: object) -> None:
        for each in self._started:
            each.left -= time.monotonic() - each.began
            each.began = math.inf


def seconds_left() -> float:
    """Return the seconds that are left, 0 when they are over, infinity where there is no limit.

    >>> seconds_left()
    inf
    """
    budget = _BUDGET.get()
    return math.inf if budget is None else budget.seconds_left()


def is_answering() -> bool:
    """Return whether a provider or a browser waits for what the work at hand comes to.

    >>> with answering():
    ...     is_answering()
    True
    """
    budget = _BUDGET.get()
    while budget is not None and not budget.is_answer:
        budget = budget.outer
    return budget is not None


@frozen(kw_only=True)
class Beginning:
    """How a transaction begins; each driver says it to its database in its own way.

    Attributes:
        lock_seconds: how long a lock may be waited for.
        reads_only: whether it refuses to write.
    """

    lock_seconds: float
    reads_only: bool = False


BEGINNING: ContextVar[Beginning] = ContextVar(
    "beginning",
    default=Beginning(lock_seconds=WAIT_SECONDS),  # noqa: B039 - it is frozen
)
"""How the next transaction begins; the default is for tools and tests that use the engine without a turn."""


class _Breaker:
    """Says how long one may wait, after others asked in vain.

    For `REST_SECONDS` nobody who is answering waits, so that those who queued meanwhile are answered at once. Then
    one at a time waits in full, until the database has answered one. Who reads may be answered although who writes
    waits for a lock, or the other way round; a database that doesn't answer at all is the same for both.
    """

    def __init__(self) -> None:
        self._trying = RLock()  # for a transaction inside another, too
        self._trouble: dict[bool, tuple[type[StoreUnavailableError], float]] = {}

    @contextmanager
    def attempt(self, patience: float, *, reads_only: bool) -> Iterator[float]:
        """Give the seconds that the block may wait, and remember whether it was in vain."""
        with self._patience(patience, reads_only=reads_only) if self._trouble else nullcontext(patience) as seconds:
            try:
                yield seconds
            except StoreUnavailableError as error:
                if seconds == patience:
                    self._open(type(error), reads_only=reads_only)
                raise
            except BaseException:
                self._close(reads_only=reads_only)  # the database answered
                raise
            self._close(reads_only=reads_only)

    @contextmanager
    def _patience(self, patience: float, *, reads_only: bool) -> Iterator[float]:
        trouble = self._trouble.get(reads_only)
        if trouble is None or not is_answering():
            yield patience
            return
        kind, since = trouble
        if time.monotonic() - since >= REST_SECONDS and self._trying.acquire(blocking=False):
            try:
                yield patience
            finally:
                self._trying.release()
        elif kind is StoreBusyError:
            yield min(patience, BRIEF_SECONDS)
        else:
            raise StoreUnavailableError("the database doesn't answer", remedy=REMEDY)

    def check(self, *, reads_only: bool) -> None:
        """Raise what an attempt now would come to without waiting."""
        kind, since = self._trouble.get(reads_only, (None, -math.inf))
        if kind is not None and is_answering() and time.monotonic() - since < REST_SECONDS:
            raise kind("the database didn't answer the last who asked", remedy=REMEDY)

    def _open(self, kind: type[StoreUnavailableError], *, reads_only: bool) -> None:
        trouble = kind, time.monotonic()
        for each in {reads_only, reads_only if kind is StoreBusyError else not reads_only}:
            self._trouble[each] = trouble

    def _close(self, *, reads_only: bool) -> None:
        if self._trouble:
            others = self._trouble.get(not reads_only)
            self._trouble = {not reads_only: others} if others and others[0] is StoreBusyError else {}


class Gate:
    """Lets as many transactions through as there are connections.

    A database that hangs would cost each request its whole deadline, and a web server with a few threads would
    answer its hundredth request after many. So after one request waited in vain the others don't: see `_Breaker`.
    Work that isn't `answering` anybody isn't held back.

    Args:
        connections: how many there are.
        one_writer: whether those who write queue here, because the database has no queue of its own: SQLite looks
            now and then whether its lock is free, and lets some wait for ever.
    """

    def __init__(self, connections: int, *, one_writer: bool) -> None:
        self._free: SimpleQueue[None] = SimpleQueue()  # a semaphore of Python's own takes ten times as long
        for _ in range(connections):
            self._free.put(None)
        self._one_writer = one_writer
        self._writer = RLock()  # for a transaction inside another, too
        self._breaker = _Breaker()

    def check_writing(self) -> None:
        """Raise at once where a transaction that writes would, for work that begins with much else.

        Raises:
            StoreUnavailableError: the database didn't answer the last who wanted to write.
        """
        self._breaker.check(reads_only=False)

    @contextmanager
    def turn(self, *, patience: float, within_seconds: float | None, reads_only: bool) -> Iterator[None]:
        """Wait for a connection to be free, and have the transaction in the block begin as it may.

        Args:
            patience: seconds to wait for a connection or a lock.
            within_seconds: seconds for all of the block.
            reads_only: whether the transaction refuses to write.

        Raises:
            StoreUnavailableError: none is free in time, or the database didn't answer the last who asked.
        """
        with (
            within(within_seconds),
            _Spending(),
            self._breaker.attempt(patience, reads_only=reads_only) as seconds,
            self._queue(seconds) if self._one_writer and not reads_only else nullcontext(),
            self._connection(seconds),
        ):
            lock_seconds = min(seconds, SHARE_OF_LOCKS * seconds_left())
            token = BEGINNING.set(Beginning(lock_seconds=lock_seconds, reads_only=reads_only))
            try:
                yield
            finally:
                BEGINNING.reset(token)

    @contextmanager
    def _queue(self, patience: float) -> Iterator[None]:
        if not self._writer.acquire(timeout=min(patience, SHARE_OF_LOCKS * seconds_left())):
            raise StoreBusyError("others write to the database", remedy=REMEDY)
        try:
            yield
        finally:
            self._writer.release()

    @contextmanager
    def _connection(self, patience: float) -> Iterator[None]:
        try:
            self._free.get(timeout=min(patience, seconds_left()))
        except Empty:
            raise StoreUnavailableError("all connections to the database are in use", remedy=REMEDY) from None
        try:
            yield
        finally:
            self._free.put(None)
