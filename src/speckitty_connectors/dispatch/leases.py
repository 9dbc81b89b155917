"""Keeps the leases of all that this process has claimed, however long a handler takes."""

from __future__ import annotations

import logging
import threading
import time
from collections import defaultdict, deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from math import inf
from typing import Final

from attrs import define, field
from sqlalchemy import Connection

from ..errors import StoreUnavailableError
from ..identifiers import new_id
from ..store.claims import Claim, ClaimQueue, Named, Round
from ..store.engine import Store

SHARE_SECONDS: Final = 1.0
"""How long a claimed row waits for its start before it goes back, so that somebody idle can take it."""

TICK_SECONDS: Final = 1.0
"""How often the keeper looks; short beside any lease that isn't a test's."""

CLOSE_SECONDS: Final = 5.0
"""How long a database that is away may hold up the end."""

logger = logging.getLogger(__name__)


Held = tuple[ClaimQueue, Claim]


def do_nothing(*_: object) -> None:
    """Take no notice."""


@define(eq=False, kw_only=True)
class Batch:
    """What one thread has claimed at once; its rows are started one after the other, or all together.

    Attributes:
        queue: what it was claimed from.
        waiting: what isn't started.
        running: what is.
        claimed: when, by the monotonic clock; no later than the leases began.
        started: when the latest start was.
        size: how many rows there were.
        thread: who has them.
        is_late: whether a row runs for longer than it may; its lease is then left to end.
    """

    queue: ClaimQueue
    waiting: deque[Claim]
    running: list[Claim] = field(factory=list)
    claimed: float
    started: float = field(factory=time.monotonic)
    size: int
    thread: threading.Thread = field(factory=threading.current_thread)
    is_late: bool = False

    def kept(self) -> Iterator[Claim]:
        """Yield the rows whose leases are to go on."""
        yield from self.waiting
        if not self.is_late:
            yield from self.running


class LeaseKeeper:
    """Extends the leases of what this process has claimed, from one thread that ends when nothing is left.

    At a third of a lease all rows of a queue are extended in one statement. What a thread has claimed and doesn't
    come to goes back after a second, and at once when its batch ends early. A row that runs for longer than the
    limit isn't kept any more: another worker takes it when its lease ends, and this process had better end.

    Attributes:
        worker: id of this process in the rows that it has.

    Args:
        store: where the rows are.
        limit_seconds: how long a handler may take.
        worker: id of this process; a new one where not given.
    """

    def __init__(self, store: Store, *, limit_seconds: float, worker: str = "") -> None:
        self.worker = worker or new_id()
        self.when_released: Callable[[], None] = do_nothing
        self.when_late: Callable[[threading.Thread], None] = do_nothing
        self._store = store
        self._limit = limit_seconds
        self._lock = threading.Lock()
        self._batches: set[Batch] = set()
        self._left: dict[Held, float] = {}  # with when the lease of each ends
        self._extended = 0.0
        self._thread: threading.Thread | None = None
        self._closing = threading.Event()

    @contextmanager
    def claimed(self, turns: Round | Named, *, limit: int, start: bool = False) -> Iterator[Batch]:
        """Claim rows and keep them while the block runs; at its end, what isn't reported goes back.

        Args:
            turns: what is claimed from.
            limit: how many rows at most.
            start: whether all of them are running from now on, until the block ends well.
        """
        batch = self._claim(turns, limit, start=start)
        try:
            yield batch
            if start:
                batch.running.clear()
        finally:
            with self._lock:
                self._batches.discard(batch)
                self._leave(batch, (*batch.waiting, *batch.running))
            if self._left:
                self._release()

    def give_up(self) -> None:
        """Give back what runs, too, because this process ends; not what ran past the limit, which is suspect."""
        with self._lock:
            for batch in self._batches:
                self._leave(batch, batch.kept())
                batch.waiting.clear()
        self._release()

    def close(self) -> None:
        """Let the thread end before the database is closed, unless something is still held."""
        with self._lock:
            thread = None if self._batches else self._thread
        if thread is not None and thread is not threading.current_thread():
            self._closing.set()
            thread.join(CLOSE_SECONDS)

    def start_each(self, batch: Batch, stop: threading.Event) -> Iterator[Claim]:
        """Yield a batch's rows, each of them running until the next is asked for, until `stop` is set."""
        while not stop.is_set():
            with self._lock:
                batch.running.clear()
                if not batch.waiting:
                    return
                batch.running.append(batch.waiting.popleft())
                batch.started = time.monotonic()
            yield batch.running[0]
        batch.running.clear()

    def _claim(self, turns: Round | Named, limit: int, *, start: bool) -> Batch:
        """Claim and commit; nothing while leases of our own may have ended, because we live."""
        with self._store.transaction() as connection:  # SQLite may wait here for as long as a handler writes
            claimed = time.monotonic()  # before the database's clock says from when the leases count
            claims = turns.claim(connection, limit=limit) if claimed < self._next_lapse() else []
        running, waiting = (claims, []) if start else ([], claims)
        batch = Batch(queue=turns.queue, waiting=deque(waiting), running=running, size=len(claims), claimed=claimed)
        if claims:
            with self._lock:
                self._batches.add(batch)
                self._start()
        return batch

    def _next_lapse(self) -> float:
        """Return when the first lease of this process ends, which had better take none over then."""
        with self._lock:
            kept = [self._lapse(batch) for batch in self._batches if not batch.is_late]  # late ones are for others
            return min((*kept, *self._left.values()), default=inf)

    def _lapse(self, batch: Batch) -> float:
        return max(batch.claimed, self._extended) + batch.queue.lease_seconds

    def _leave(self, batch: Batch, claims: Iterable[Claim]) -> None:
        """Note what is to go back; until the database has heard of it, its leases run on."""
        lapse = self._lapse(batch)
        self._left.update(((batch.queue, claim), lapse) for claim in claims)

    def _start(self) -> None:
        if self._thread is None or not self._thread.is_alive():  # a forked process has none
            self._thread = threading.Thread(target=self._keep, name="connectors-leases", daemon=True)
            self._thread.start()

    def _keep(self) -> None:
        while True:
            with self._lock:
                leases = [batch.queue.lease_seconds for batch in self._batches]
                if not leases and not self._left:
                    self._thread = None
                    return
            self._closing.wait(min([TICK_SECONDS, *(lease / 6 for lease in leases)]))
            self._closing.clear()
            self._look()

    def _look(self) -> None:
        """Do what is due: give back what waits for too long, notice what runs for too long, extend the rest."""
        now = time.monotonic()
        with self._lock:
            for batch in self._batches:
                if batch.waiting and now > batch.claimed + SHARE_SECONDS:
                    self._leave(batch, batch.waiting)
                    batch.waiting.clear()
            late = [batch for batch in self._batches if self._is_newly_late(batch, now)]
        for batch in late:
            batch.is_late = True
            logger.error("%s runs for longer than %g seconds", _named(batch.running), self._limit)
            self.when_late(batch.thread)
        self._release()
        self._extend(now)

    def _is_newly_late(self, batch: Batch, now: float) -> bool:
        return bool(batch.running) and not batch.is_late and now > batch.started + self._limit

    def _extend(self, now: float) -> None:
        with self._lock:
            kept = [(batch.queue, claim) for batch in self._batches for claim in batch.kept()]
        shortest = min((queue.lease_seconds for queue, _ in kept), default=0.0)
        if kept and now > self._extended + shortest / 3 and self._change(kept, ClaimQueue.extend):
            self._extended = now

    def _release(self) -> None:
        """Give back what was left; while the database is away, the keeper's thread tries again."""
        with self._lock:
            left = list(self._left)
        if not left:
            return
        is_released = self._change(left, ClaimQueue.release)
        with self._lock:
            if is_released:
                for held in left:
                    self._left.pop(held, None)  # another thread may have released them, too
            else:
                self._start()
        if is_released:
            self.when_released()

    def _change(
        self, held: Iterable[Held], change: Callable[[ClaimQueue, Connection, Iterable[Claim]], None]
    ) -> bool:
        """Change rows of each queue in one statement; return whether that was possible."""
        by_queue = defaultdict(list)
        for queue, claim in held:
            by_queue[queue].append(claim)
        try:
            with self._store.transaction() as connection:
                for queue, claims in by_queue.items():
                    change(queue, connection, claims)
        except StoreUnavailableError as error:
            logger.warning("leases wait: %s", error)
            return False
        return True


def _named(claims: Iterable[Claim]) -> str:
    return ", ".join(f"{claim.id} of workspace {claim.workspace!r}" for claim in claims)
