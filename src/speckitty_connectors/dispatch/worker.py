"""Runs what is due: routes deliveries, hands dispatches to the host, and outlives whatever goes wrong."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from typing import Final

from sqlalchemy import Table

from ..configuration import WorkerSettings
from ..routing.router import BATCH as DELIVERIES
from ..routing.router import Router
from ..routing.tables import dispatches
from ..store.claims import Claim, ClaimQueue, Named, Round
from ..store.engine import Store
from . import repository
from .handing_over import HandingOver
from .handlers import Handlers
from .leases import Batch, LeaseKeeper, do_nothing

BATCH: Final = 10
"""Dispatches that are claimed at a time; what isn't started soon goes back."""

LONGEST_PAUSE_SECONDS: Final = 5.0
"""How long a worker waits at most before it tries a failing database again."""

logger = logging.getLogger(__name__)


class Worker:
    """Routes and dispatches until it is stopped; any number of them, in any number of processes.

    Args:
        store: where everything is.
        router: routes what has arrived.
        handlers: the host's; while there are none, dispatches wait.
        queue: the queue of dispatches; its default where not given.
        keeper: keeps the leases of this process; one of its own where not given.
        settings: what the host configured of workers.
        after_seconds: how long something must have been due before this worker takes it, beside a task engine.
        when_routed: is called when more was routed than this worker hands over at once, so that others help.
    """

    def __init__(
        self,
        store: Store,
        router: Router,
        handlers: Handlers,
        *,
        queue: ClaimQueue | None = None,
        keeper: LeaseKeeper | None = None,
        settings: WorkerSettings | None = None,
        after_seconds: float = 0.0,
        when_routed: Callable[[], None] = do_nothing,
    ) -> None:
        settings = settings or WorkerSettings()
        self._store = store
        self._router = router
        self._handlers = handlers
        self._queue = queue or queue_of(dispatches, settings)
        self._keeper = keeper or LeaseKeeper(store, limit_seconds=settings.handler_limit_seconds)
        self._poll_seconds = settings.poll_seconds
        self._deliveries = Round(router.queue, self._keeper.worker, after_seconds)
        self._dispatches = Round(self._queue, self._keeper.worker, after_seconds)
        self._handing_over = HandingOver(store, router.registry, handlers, self._queue)
        self._batch = BATCH
        self._when_routed = when_routed
        self._woken = threading.Event()
        self._stopped = threading.Event()

    def run_once(self) -> int:
        """Route and dispatch what is due, one batch of each; return how many were started.

        Raises:
            StoreUnavailableError: the database can't be reached or is too busy; nothing is lost.
        """
        return self.route_due() + self.dispatch_due()

    def run(self, stop: threading.Event | None = None) -> None:
        """Route and dispatch until `stop` is set; an error is logged, and the work tried again after a pause."""
        self._stopped = stop = stop or threading.Event()
        logger.info("the worker has started")
        if not self._handlers.registered:
            logger.warning("no handler is registered; dispatches wait for a worker that has one")
        pause = self._poll_seconds
        while not stop.is_set():
            try:
                idle = self.run_once() == 0
                pause = self._poll_seconds
            except Exception:
                logger.exception("the worker pauses for %.1f seconds", pause)
                idle = stop.wait(pause)
                pause = min(pause * 2, LONGEST_PAUSE_SECONDS)
            if idle and not stop.is_set():
                self._woken.wait(self._poll_seconds)
                self._woken.clear()
        logger.info("the worker has stopped")

    def wake(self) -> None:
        """Have an idle worker look for work at once."""
        self._woken.set()

    def route_due(self, limit: int = DELIVERIES) -> int:
        """Decide up to `limit` deliveries that are due; return how many were started.

        Raises:
            StoreUnavailableError: the database can't be reached or is too busy; nothing is lost.
        """
        with self._keeper.claimed(self._deliveries, limit=limit, start=True) as batch:
            if batch.size:
                self._router.route(batch.running)
        if batch.size > 1:
            self._when_routed()
        return batch.size

    def dispatch_due(self, limit: int = BATCH) -> int:
        """Hand over up to `limit` dispatches that are due; return how many were started.

        Raises:
            StoreUnavailableError: the database can't be reached or is too busy; nothing is lost.
        """
        if not self._handlers.registered:
            return 0
        batch, started = self._dispatch(self._dispatches, limit=min(limit, self._batch))
        if batch.size:  # what a slow handler kept waiting went back; the next batch has as many as this one came to
            self._batch = min(BATCH, 2 * self._batch) if started == batch.size else max(1, started)
        return started

    def run_named(self, workspace: str, inbox_id: str) -> bool:
        """Route one delivery and hand over what it leads to, as far as that is due and nobody else has it.

        It is safe at any time: return False where there was nothing to do, and where there is no such delivery.

        Raises:
            StoreUnavailableError: the database can't be reached or is too busy; nothing is lost.
        """
        named = Named(self._router.queue, self._keeper.worker, [(workspace, inbox_id)])
        with self._keeper.claimed(named, limit=1, start=True) as batch:
            if batch.size:
                self._router.route(batch.running)
        with self._store.reading() as connection:
            waiting = repository.find_waiting(connection, workspace, inbox_id) if self._handlers.registered else []
        if not waiting:
            return batch.size > 0
        _, started = self._dispatch(Named(self._queue, self._keeper.worker, waiting), limit=len(waiting))
        return batch.size > 0 or started > 0

    def _dispatch(self, turns: Round | Named, *, limit: int) -> tuple[Batch, int]:
        """Claim dispatches and hand them over; return them with how many were started."""
        started = 0
        with self._keeper.claimed(turns, limit=limit) as batch:
            for claim in self._keeper.start_each(batch, self._stopped):
                started += 1
                self._hand_over(claim)
        return batch, started

    def _hand_over(self, claim: Claim) -> None:
        self._handing_over.run(claim)


def queue_of(table: Table, settings: WorkerSettings) -> ClaimQueue:
    """Return the queue of a table, as the host wants it."""
    return ClaimQueue(
        table,
        lease_seconds=settings.lease_seconds,
        max_crashes=settings.crashes,
        first_delay_seconds=settings.first_pause_seconds,
        longest_delay_seconds=settings.longest_pause_seconds,
        retry_seconds=settings.retry_hours * 3600,
    )
