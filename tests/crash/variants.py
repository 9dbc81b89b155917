"""The worker as it is, and two that are known to be wrong: a crash test that passes them is worth nothing."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

from sqlalchemy import Connection, Select, bindparam, select, update

from speckitty_connectors.dispatch import repository
from speckitty_connectors.dispatch.handlers import Handlers, InTransaction
from speckitty_connectors.dispatch.worker import Worker
from speckitty_connectors.routing.router import Router
from speckitty_connectors.routing.tables import dispatches
from speckitty_connectors.store.claims import Claim, ClaimQueue
from speckitty_connectors.store.engine import Store

CLAIMED_SECONDS = 0.02
"""How long a worker sits on a claim before it begins the transaction that holds it: the window that pauses are to
hit. SQLite has no other, because who is paused inside a transaction keeps everybody out."""


class UnhurriedWorker(Worker):
    """The worker as it is, slower: a pause finds it with a claim in hand."""

    def _hand_over(self, claim: Claim) -> None:
        time.sleep(CLAIMED_SECONDS)
        super()._hand_over(claim)


class UnfencedQueue(ClaimQueue):
    """Finishes whatever it once claimed, also what another worker has claimed since."""

    def holding(self) -> Select[Any]:
        columns = self.table.c
        mine = (columns.workspace_id == bindparam("of_workspace"), columns.id == bindparam("of_id"))
        return select(self.table).where(*mine).with_for_update()

    def finish(self, connection: Connection, claim: Claim, **values: Any) -> bool:
        done = update(self.table).where(self.table.c.id == claim.id).values(state="done", **values)
        return connection.execute(done).rowcount == 1


class MarkFirstWorker(Worker):
    """Marks a dispatch done, commits, and only then lets the handler write."""

    def _hand_over(self, claim: Claim) -> None:
        with self._store.transaction() as connection:
            held = repository.hold(connection, self._queue, claim, self._router.registry)
            if held is None:
                return
            dispatch = held.dispatch
            self._queue.finish(connection, claim)
        handler = self._handlers.find(dispatch.target.kind)
        assert isinstance(handler, InTransaction)
        with self._store.transaction() as connection:
            handler.call(dispatch, connection)


def as_it_is(store: Store, router: Router, handlers: Handlers, **patience: Any) -> Worker:
    return UnhurriedWorker(store, router, handlers, queue=ClaimQueue(dispatches, **patience))


def unfenced(store: Store, router: Router, handlers: Handlers, **patience: Any) -> Worker:
    return UnhurriedWorker(store, router, handlers, queue=UnfencedQueue(dispatches, **patience))


def mark_first(store: Store, router: Router, handlers: Handlers, **patience: Any) -> Worker:
    return MarkFirstWorker(store, router, handlers, queue=ClaimQueue(dispatches, **patience))


WORKERS: Mapping[str, Callable[..., Worker]] = {
    "as it is": as_it_is,
    "no generation check": unfenced,
    "marked done before the effect": mark_first,
}
"""The variants by name."""
