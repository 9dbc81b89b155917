"""Runs what is due: routes deliveries, hands dispatches to the host, and outlives whatever goes wrong."""

from __future__ import annotations

import logging
import threading

from ..routing.router import Router
from ..routing.tables import dispatches
from ..store.claims import Claim, ClaimQueue
from ..store.engine import Store
from . import repository
from .handlers import AtLeastOnce, Dispatch, EffectHandler, Handlers, as_the_host

BATCH = 10
"""Dispatches that are claimed at a time; what isn't reached before its lease ends, another worker takes."""

POLL_SECONDS = 0.5
"""How long an idle worker sleeps unless it is woken."""

LONGEST_PAUSE_SECONDS = 5.0
"""How long a worker waits at most before it tries a failing database again."""

ERROR_LIMIT = 300
"""Longest text of a handler's error that is kept, in characters."""

logger = logging.getLogger(__name__)


class TransactionEndedError(Exception):
    """The handler committed or rolled back the transaction that it was to write in."""


class Worker:
    """Routes and dispatches until it is stopped; any number of them, in any number of processes.

    Args:
        store: where everything is.
        router: routes what has arrived.
        handlers: the host's; while there are none, dispatches wait.
        queue: the queue of dispatches; its default where not given.
    """

    def __init__(
        self, store: Store, router: Router, handlers: Handlers, *, queue: ClaimQueue | None = None
    ) -> None:
        self._store = store
        self._router = router
        self._handlers = handlers
        self._queue = queue or ClaimQueue(dispatches)
        self._woken = threading.Event()

    def run_once(self) -> int:
        """Route and dispatch what is due, one batch of each; return how many were started.

        Raises:
            StoreUnavailableError: the database can't be reached or is too busy; nothing is lost.
        """
        return self._router.route_due() + self.dispatch_due()

    def run(self, stop: threading.Event | None = None) -> None:
        """Route and dispatch until `stop` is set; an error is logged, and the work tried again after a pause."""
        stop = stop or threading.Event()
        logger.info("the worker has started")
        if not self._handlers:
            logger.warning("no handler is registered; dispatches wait for a worker that has one")
        pause = POLL_SECONDS
        while not stop.is_set():
            try:
                idle = self.run_once() == 0
                pause = POLL_SECONDS
            except Exception:
                logger.exception("the worker pauses for %.1f seconds", pause)
                idle = stop.wait(pause)
                pause = min(pause * 2, LONGEST_PAUSE_SECONDS)
            if idle and not stop.is_set():
                self._woken.wait(POLL_SECONDS)
                self._woken.clear()
        logger.info("the worker has stopped")

    def wake(self) -> None:
        """Have an idle worker look for work at once."""
        self._woken.set()

    def dispatch_due(self, limit: int = BATCH) -> int:
        """Hand over up to `limit` dispatches that are due; return how many were started.

        Raises:
            StoreUnavailableError: the database can't be reached or is too busy; nothing is lost.
        """
        if not self._handlers:
            return 0
        with self._store.transaction() as connection:
            claims = self._queue.claim(connection, limit=limit)
        for claim in claims:
            self._dispatch(claim)
        return len(claims)

    def _dispatch(self, claim: Claim) -> None:
        """Hand over one dispatch; what fails is put back for later, or parked when its attempts are spent."""
        try:
            effect = self._hand_over(claim)
            if effect is not None:
                handler, dispatch = effect
                handler(dispatch)
                self._finish(claim)
        except TransactionEndedError:
            with self._store.transaction() as connection:
                self._queue.park(connection, claim, error="the handler ended the transaction it was to write in")
        except Exception as error:
            logger.warning("dispatch %s failed at attempt %d", claim.id, claim.attempts, exc_info=error)
            with self._store.transaction() as connection:
                self._queue.retry(connection, claim, error=_one_line(error))

    def _hand_over(self, claim: Claim) -> tuple[EffectHandler, Dispatch] | None:
        """Run a transactional handler and mark the dispatch done with it; return what is to run outside."""
        with self._store.transaction() as connection:
            if not self._queue.hold(connection, claim):
                return None
            dispatch = repository.load(connection, claim, self._router.registry)
            reason = repository.revocation(connection, dispatch)
            if reason:
                repository.revoke(connection, claim, reason=reason, now=self._store.now())
                return None
            handler = self._handlers.find(dispatch.target.kind)
            if isinstance(handler, AtLeastOnce):
                return handler.call, dispatch
            with as_the_host(connection):
                handler.call(dispatch, connection)
            if not connection.in_transaction():
                raise TransactionEndedError
            self._queue.finish(connection, claim, finished_at=self._store.now())
        return None

    def _finish(self, claim: Claim) -> None:
        with self._store.transaction() as connection:
            self._queue.finish(connection, claim, finished_at=self._store.now())


def _one_line(error: Exception) -> str:
    """Return an error's name and the first line of its text."""
    text = str(error).partition("\n")[0]
    return f"{type(error).__name__}: {text}"[:ERROR_LIMIT]
