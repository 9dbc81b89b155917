"""The worker as it is, and workers and receivers that are known to be wrong: a test must catch each of these."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

from attrs import evolve
from sqlalchemy import Connection, Select, bindparam, select, update
from sqlalchemy.engine import make_url

from speckitty_connectors.apps.endpoints import Endpoint
from speckitty_connectors.dispatch import repository
from speckitty_connectors.dispatch.handlers import Handlers, InTransaction
from speckitty_connectors.dispatch.worker import Worker
from speckitty_connectors.identifiers import new_id
from speckitty_connectors.inbox.accept import Inbox
from speckitty_connectors.inbox.repository import Arrival
from speckitty_connectors.inbox.request import Request
from speckitty_connectors.inbox.responses import DUPLICATE, Answer
from speckitty_connectors.routing.router import Router
from speckitty_connectors.routing.tables import dispatches
from speckitty_connectors.store import postgresql
from speckitty_connectors.store.claims import Claim, ClaimQueue
from speckitty_connectors.store.engine import Store

OURS = "~"
"""Between a delivery id and what a variant adds to it."""

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


def at_full_speed(store: Store, router: Router, handlers: Handlers, **patience: Any) -> Worker:
    return Worker(store, router, handlers, queue=ClaimQueue(dispatches, **patience))


WORKERS: Mapping[str, Callable[..., Worker]] = {
    "as it is": as_it_is,
    "at full speed": at_full_speed,
    "no generation check": unfenced,
    "marked done before the effect": mark_first,
}
"""The variants by name."""


class ForgettingInbox(Inbox):
    """Remembers in its process what it has seen, and has the database compare nothing."""

    def __init__(self, *given: Any) -> None:
        super().__init__(*given)
        self._seen: dict[str, str] = {}

    def _arrival(self, *given: Any, **named: Any) -> Arrival:
        arrival = super()._arrival(*given, **named)
        known = self._seen.setdefault(arrival.delivery_id, f"{arrival.delivery_id}{OURS}{new_id()}")
        return evolve(arrival, delivery_id=known)


class CredulousInbox(Inbox):
    """Takes a delivery for a duplicate before it knows who sent the first."""

    def __init__(self, *given: Any) -> None:
        super().__init__(*given)
        self._seen: set[str] = set()

    def accept(self, request: Request) -> Answer:
        stated = next(value for name, value in request.headers if name.lower() == "x-fake-delivery")
        if stated in self._seen:
            return DUPLICATE
        self._seen.add(stated)
        return super().accept(request)


class UndividedInbox(Inbox):
    """Compares delivery ids over all endpoints, as if no two of them could have the same."""

    def __init__(self, *given: Any) -> None:
        super().__init__(*given)
        self._first: dict[str, Endpoint] = {}

    def _arrival(self, *given: Any, **named: Any) -> Arrival:
        arrival = super()._arrival(*given, **named)
        return evolve(arrival, endpoint=self._first.setdefault(arrival.delivery_id, arrival.endpoint))


class ForgetfulStore(Store):
    """Acknowledges a commit before it is on the disk; what refuses such a server looks away."""

    def __init__(self, url: str) -> None:
        postgresql.DURABILITY = ()  # type: ignore[assignment, misc]  # wrong on purpose
        super().__init__(make_url(url).update_query_dict({"options": "-csynchronous_commit=off"}))


INBOXES: Mapping[str, type[Inbox]] = {
    "de-duplication in memory": ForgettingInbox,
    "de-duplication before verification": CredulousInbox,
    "one global de-duplication key": UndividedInbox,
}
"""Receivers that are wrong, by name."""

STORES: Mapping[str, type[Store]] = {"asynchronous commit": ForgetfulStore}
"""Databases that are wrong, by name."""
