"""Hands a dispatch to the host's handler, and writes down how that ended."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

from ..errors import ConfigurationError
from ..loading.registry import Registry
from ..store.claims import PARKED, Claim, ClaimQueue
from ..store.contention import is_passing
from ..store.engine import Store
from ..store.host_transactions import SUBJECT, HostTransactions, check_in_transaction, is_in_transaction
from . import repository
from .handlers import (
    AtLeastOnce,
    Dispatch,
    Handler,
    HandlerError,
    Handlers,
    InHostTransaction,
    InTransaction,
    as_the_host,
    call,
)

ERROR_LIMIT: Final = 300
"""Longest text of a handler's error that is kept, in characters."""

logger = logging.getLogger(__name__)


class TransactionEndedError(Exception):
    """The handler committed or rolled back the transaction that it was to write in."""


class ClaimLostError(Exception):
    """A dispatch was taken by another worker while its handler ran."""


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
        self._host = HostTransactions(store.engine)

    def run(self, claim: Claim) -> None:
        """Hand over one dispatch; what fails is put back for later, or parked.

        Raises:
            StoreUnavailableError: the database can't be reached, so that not even that can be written.
        """
        try:
            self._run(claim)
        except TransactionEndedError:
            ended = "the handler ended the transaction it was to write in"
            self._report(lambda connection: self._queue.park(connection, claim, error=ended))
        except Exception as error:  # noqa: BLE001 - it is logged with what becomes of the dispatch
            self._failed(claim, error)

    def _run(self, claim: Claim) -> None:
        with self._store.transaction() as connection:
            ready = self._prepare(connection, claim)
            if ready is None:
                return
            handler, dispatch = ready
            if isinstance(handler, InTransaction):
                with as_the_host(connection):
                    call(handler.call, dispatch, connection)
                if not connection.in_transaction():
                    raise TransactionEndedError
                self._queue.finish(connection, claim, finished_at=self._store.now())
        if isinstance(handler, InHostTransaction):
            self._run_in_host_transaction(handler, claim)
        elif isinstance(handler, AtLeastOnce):
            call(handler.call, dispatch)
            self._report(lambda connection: self._queue.finish(connection, claim, finished_at=self._store.now()))

    def _prepare(self, connection: Connection, claim: Claim) -> tuple[Handler, Dispatch] | None:
        """Hold a dispatch and return it with its handler; None where it isn't ours, or is revoked by this."""
        held = repository.hold(connection, self._queue, claim, self._registry)
        if held is None:
            return None
        if held.revocation:
            repository.revoke(connection, claim, reason=held.revocation, now=self._store.now())
            return None
        return self._handlers.find(held.dispatch.target.kind), held.dispatch

    def _run_in_host_transaction(self, handler: InHostTransaction, claim: Claim) -> None:
        """Run a handler in a transaction of the host's that marks the dispatch done; look at all anew in there."""
        with handler.transaction() as cursor, self._host.joined(cursor) as connection:
            with _naming_the_database():
                ready = self._prepare(connection, claim)
            if ready is not None:
                check_in_transaction(cursor)
                call(handler.call, ready[1], cursor)
                if not is_in_transaction(cursor):
                    raise TransactionEndedError
                if not self._queue.finish(connection, claim, finished_at=self._store.now()):
                    raise ClaimLostError("another worker has taken it; what the handler wrote is rolled back")
        if ready is None:
            self._refuse_other_database(claim)

    def _refuse_other_database(self, claim: Claim) -> None:
        """Raise where what the host's transaction didn't find is ours nevertheless."""
        with self._store.transaction() as connection:
            if self._queue.hold(connection, claim):
                raise _other_database()

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


def _one_line(error: BaseException) -> str:
    """Return an error's name and the first line of its text."""
    text = str(error).partition("\n")[0]
    return f"{type(error).__name__}: {text}"[:ERROR_LIMIT]


@contextmanager
def _naming_the_database() -> Iterator[None]:
    """Say what is wrong where the host's database hasn't our tables."""
    try:
        yield
    except DBAPIError as error:
        if is_passing(error):
            raise
        raise _other_database() from error


def _other_database() -> ConfigurationError:
    return ConfigurationError(
        "the dispatch isn't in the database of the host's transaction",
        subject=SUBJECT,
        remedy="yield a cursor of the database, and the schema, that the settings database_url and schema name",
    )
