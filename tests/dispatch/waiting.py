"""Dispatches that wait for workers, workers in threads, and a time that passes at once."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Event, Thread

from attrs import field, frozen
from sqlalchemy import case, select, update

from speckitty_connectors import Resource
from speckitty_connectors.configuration import WorkerSettings
from speckitty_connectors.dispatch.handlers import Handlers
from speckitty_connectors.dispatch.leases import LeaseKeeper
from speckitty_connectors.dispatch.worker import Worker, queue_of
from speckitty_connectors.identifiers import new_id
from speckitty_connectors.inbox.tables import inbox
from speckitty_connectors.routing.router import Router
from speckitty_connectors.routing.tables import dispatches
from speckitty_connectors.store.engine import Store
from testbed.inbound import Inbound, card
from testbed.layers import add_installation, add_resources

PATIENCE_SECONDS = 300.0
"""How long a test waits for what it expects, on a busy machine."""


@frozen(kw_only=True)
class Waiting:
    """A database in which dispatches wait, and one process that has handlers for them."""

    store: Store
    inbound: Inbound
    settings: WorkerSettings
    handlers: Handlers = field(factory=Handlers)

    @classmethod
    def on(cls, store: Store, settings: WorkerSettings | None = None) -> Waiting:
        """Return it without any dispatch."""
        return cls(store=store, inbound=Inbound.on(store), settings=settings or WorkerSettings())

    def hook(self, workspace: str = "w1") -> Callable[[], str]:
        """Connect and map what a workspace has; return what delivers an event of it, with the event's id."""
        account = f"{workspace}-{new_id()}"
        installation = add_installation(self.store, workspace, account_id=account)
        add_resources(self.store, installation, Resource(kind="board", id=account, key=account))
        self.inbound.map(installation, account, "apollo")
        endpoint = self.inbound.endpoint(workspace=workspace, installation_id=installation.id)
        return lambda: self.inbound.deliver(endpoint, card(account, account))

    def add(self, count: int, workspace: str = "w1") -> None:
        """Let so many events of a workspace be decided, each for one project."""
        deliver = self.hook(workspace)
        for _ in range(count):
            deliver()
        while self.inbound.router().route_due():
            pass

    def keeper(self) -> LeaseKeeper:
        """Return what keeps the leases of a process."""
        return LeaseKeeper(self.store, limit_seconds=self.settings.handler_limit_seconds)

    def worker(self, keeper: LeaseKeeper | None = None) -> Worker:
        """Return a worker of the process that the keeper is of, or of a new one."""
        router = Router(self.store, self.inbound.registry, queue=queue_of(inbox, self.settings))
        return Worker(self.store, router, self.handlers, keeper=keeper or self.keeper(), settings=self.settings)

    @contextmanager
    def working(self, threads: int = 1) -> Iterator[None]:
        """Run workers of one process while the block runs."""
        stop, keeper = Event(), self.keeper()
        running = [Thread(target=self.worker(keeper).run, args=(stop,)) for _ in range(threads)]
        for thread in running:
            thread.start()
        try:
            yield
        finally:
            stop.set()
            for thread in running:
                thread.join()
            keeper.close()

    def states(self) -> Counter[str]:
        """Return how many dispatches are in which state."""
        with self.store.reading() as connection:
            return Counter(connection.scalars(select(dispatches.c.state)))

    def attempts(self) -> list[int]:
        """Return the attempts that were counted of each dispatch."""
        with self.store.reading() as connection:
            return list(connection.scalars(select(dispatches.c.attempts).order_by(dispatches.c.id)))

    def crashes(self) -> list[int]:
        """Return how many workers in a row fell silent with each dispatch."""
        with self.store.reading() as connection:
            return list(connection.scalars(select(dispatches.c.crashes).order_by(dispatches.c.id)))

    def ids(self) -> list[str]:
        """Return the dispatches, the oldest first."""
        with self.store.reading() as connection:
            return list(connection.scalars(select(dispatches.c.id).order_by(dispatches.c.id)))

    def let_pass(self, seconds: float) -> None:
        """Move everything that is stored so far into the past."""
        ago = int(seconds * 1000)
        for table in (inbox, dispatches):
            columns = table.c
            earlier = {name: columns[name] - ago for name in ("not_before", "leased_until")}
            failing = case((columns.failing_since > 0, columns.failing_since - ago), else_=0)
            with self.store.transaction() as connection:
                connection.execute(update(table).values(failing_since=failing, **earlier))


def until(condition: Callable[[], bool], *, seconds: float = 0.0) -> None:
    """Wait until a condition holds, for which something has to happen that takes so many seconds by itself."""
    end = time.monotonic() + PATIENCE_SECONDS + seconds
    while not condition():
        assert time.monotonic() < end, "it didn't come about in time"
        time.sleep(0.01)
