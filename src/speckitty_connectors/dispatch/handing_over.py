"""Hands one dispatch to the host's handler, and reports what came of it."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from typing import Final

from sqlalchemy import Connection

from ..loading.registry import Registry
from ..store.claims import PARKED, Claim, ClaimQueue
from ..store.contention import is_passing
from ..store.engine import Store
from . import repository
from .handlers import AtLeastOnce, Dispatch, EffectHandler, Handlers, as_the_host

ERROR_LIMIT: Final = 300
"""Longest text of a handler's error that is kept, in characters."""

logger = logging.getLogger(__name__)


class HandlerError(Exception):
    """The handler raised what is this error's cause."""


class TransactionEndedError(Exception):
    """The handler committed or rolled back the transaction that it was to write in."""


class HandingOver:
    """Runs the host's handler of a dispatch, in the transaction that marks it done or outside of any.

    Whatever a handler raises is its failure and the dispatch's, never the worker's. Where the database was busy or
    away, ours or the handler's own, the dispatch is tried again after a moment, and nothing is counted.

    Args:
        store: where everything is.
        registry: the plugins, which say what policies there are.
        handlers: the host's.
        queue: the queue of dispatches.
    """

    def __init__(self, store: Store, registry: Registry, handlers: Handlers, queue: ClaimQueue) -> None:
        self._store = store
        self._registry = registry
        self._handlers = handlers
        self._queue = queue

    def run(self, claim: Claim) -> None:
        """Hand over one dispatch; what fails is put back for later, or parked.

        Raises:
            StoreUnavailableError: the database can't be reached, so that not even that can be written.
        """
        try:
            effect = self._in_transaction(claim)
            if effect is not None:
                handler, dispatch = effect
                _call(lambda: handler(dispatch))
                self._report(
                    lambda connection: self._queue.finish(connection, claim, finished_at=self._store.now())
                )
        except TransactionEndedError:
            ended = "the handler ended the transaction it was to write in"
            self._report(lambda connection: self._queue.park(connection, claim, error=ended))
        except Exception as error:  # noqa: BLE001 - it is logged with what becomes of the dispatch
            self._failed(claim, error)

    def _in_transaction(self, claim: Claim) -> tuple[EffectHandler, Dispatch] | None:
        """Run a transactional handler and mark the dispatch done with it; return what is to run outside."""
        with self._store.transaction() as connection:
            if not self._queue.hold(connection, claim):
                return None
            dispatch = repository.load(connection, claim, self._registry)
            reason = repository.revocation(connection, dispatch)
            if reason:
                repository.revoke(connection, claim, reason=reason, now=self._store.now())
                return None
            handler = self._handlers.find(dispatch.target.kind)
            if isinstance(handler, AtLeastOnce):
                return handler.call, dispatch
            call = handler.call
            with as_the_host(connection):
                _call(lambda: call(dispatch, connection))
            if not connection.in_transaction():
                raise TransactionEndedError
            self._queue.finish(connection, claim, finished_at=self._store.now())
        return None

    def _failed(self, claim: Claim, error: Exception) -> None:
        """Put a dispatch back: for a moment where the database was the reason, else as its failures say."""
        cause = error.__cause__ if isinstance(error, HandlerError) and error.__cause__ else error
        text = _one_line(cause)
        if is_passing(cause):
            logger.info("dispatch %s waits for the database: %s", claim.id, text)
            self._report(lambda connection: self._queue.postpone(connection, claim, error=text))
            return
        state = self._report(lambda connection: self._queue.retry(connection, claim, error=text))
        level = logging.ERROR if state == PARKED else logging.WARNING
        logger.log(level, "dispatch %s failed at attempt %d", claim.id, claim.attempts, exc_info=cause)

    def _report(self, write: Callable[[Connection], object]) -> object:
        with self._store.transaction() as connection:
            return write(connection)


def _call(handler: Callable[[], None]) -> None:
    """Call the host's code; whatever it raises is its failure, but what a person does at the main thread isn't.

    Raises:
        HandlerError: it raised, whatever that was.
    """
    try:
        handler()
    except BaseException as error:
        if isinstance(error, KeyboardInterrupt) and threading.current_thread() is threading.main_thread():
            raise
        raise HandlerError from error


def _one_line(error: BaseException) -> str:
    """Return an error's name and the first line of its text."""
    text = str(error).partition("\n")[0]
    return f"{type(error).__name__}: {text}"[:ERROR_LIMIT]
