"""Everything that goes wrong at once: processes, connections, commits and the database itself, chosen by a seed."""

from __future__ import annotations

import random
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from typing import TypeVar

import psycopg
import requests
from attrs import evolve
from sqlalchemy import select

from chaos.proxy import CuttingProxy, cutting
from crash.harness import PATIENCE_SECONDS, SERVERS, TWIN, WORKERS, Harness, Nursery, prepare
from crash.roles import Assignment, effects
from speckitty_connectors.errors import StoreUnavailableError
from speckitty_connectors.store import migrations
from speckitty_connectors.store.engine import Store
from testbed.postgresql import CUT_OTHERS, KillablePostgresql, execute, fresh_database, killable_postgresql

SWALLOWED = 0.02
"""The share of commits whose answer is swallowed while that is the trouble."""

TROUBLED_SECONDS = 1.0
"""How long commits' answers are swallowed, and how long a snapshot is held."""

TWINS = 0.2
"""The share of deliveries that another endpoint sends with the same id."""

FORGERIES = 0.2
"""The share of deliveries that somebody forges before they are sent."""

REDELIVERIES = 0.2
"""The share of deliveries that are sent again although they were acknowledged, as providers do."""

SNAPSHOT = "BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT count(*) FROM inbox"


class Chaos(Harness):
    """The harness of the crash test, with troubles of the database and of strangers added to it.

    Attributes:
        troubles: how often each one happened.
    """

    def __init__(
        self, store: Store, assignment: Assignment, seed: int, server: KillablePostgresql, proxy: CuttingProxy
    ) -> None:
        super().__init__(store, assignment, seed)
        self.troubles: Counter[str] = Counter()
        self._server = server
        self._proxy = proxy
        self._twins: list[str] = []
        self._strange = random.Random(f"{seed}/strangers")
        self._pauses: dict[int, threading.Timer] = {}

    def _torment(self, nursery: Nursery, chance: random.Random, seconds: float, fewest: int) -> None:
        troubles: dict[str, Callable[[], object]] = {
            "a server is killed": lambda: nursery.kill(chance.randrange(SERVERS)),
            "a worker is killed": lambda: self._to_worker(nursery.kill, chance),
            "a worker is paused": lambda: self._to_worker(nursery.pause, chance),
            "connections are cut": self._proxy.cut_all,
            "answers to commits are swallowed": self._swallow,
            "backends are terminated": self.terminate,
            "a snapshot is held": self._hold_a_snapshot,
            "PostgreSQL is killed": self.kill_postgresql,
        }
        end = time.monotonic() + seconds
        last = end + PATIENCE_SECONDS
        while (time.monotonic() < end or len(self.acked) < fewest) and not self.violations:
            if time.monotonic() > last:
                break
            self._stop.wait(chance.uniform(0.1, 1.0))
            name = chance.choice(list(troubles))
            self.troubles[name] += 1
            troubles[name]()
            with suppress(StoreUnavailableError):
                self._look()
        for timer in self._pauses.values():
            timer.join()

    def _to_worker(self, does: Callable[[int], threading.Timer | None], chance: random.Random) -> None:
        index = SERVERS + chance.randrange(WORKERS)
        if index in self._pauses and self._pauses[index].is_alive():
            return
        timer = does(index)
        if timer is not None:
            self._pauses[index] = timer

    def _swallow(self) -> None:
        self._proxy.swallows = SWALLOWED
        self._stop.wait(TROUBLED_SECONDS)
        self._proxy.swallows = 0.0

    def terminate(self) -> None:
        """Have PostgreSQL end every connection to the database."""
        execute(self._direct(), CUT_OTHERS)

    def _hold_a_snapshot(self) -> None:
        with psycopg.connect(self._direct().replace("+psycopg", ""), autocommit=True) as connection:
            connection.execute(SNAPSHOT)
            self._stop.wait(TROUBLED_SECONDS)

    def kill_postgresql(self) -> None:
        """Kill PostgreSQL in the middle of whatever it does, and start it again."""
        self._server.kill()
        self._server.start()

    def _direct(self) -> str:
        return self.store.url.render_as_string(hide_password=False)

    def _post(self, session: requests.Session, url: str, subject: str, *, delivery_id: str = "") -> bool:
        if self._strange.random() < FORGERIES:
            headers = {"X-Fake-Delivery": subject, "X-Fake-Event": "card", "Content-Type": "application/json"}
            with suppress(requests.RequestException):
                session.post(url, data=b"{}", headers=headers, timeout=2)
        is_acknowledged = super()._post(session, url, subject, delivery_id=delivery_id)
        if is_acknowledged and self._strange.random() < REDELIVERIES:
            with requests.Session() as another:  # a connection of its own may lead to the other server
                super()._post(another, url, subject, delivery_id=delivery_id)
        if is_acknowledged and subject.startswith("b1") and self._strange.random() < TWINS:
            twin, other = subject + TWIN, url + self.assignment.other_endpoint_id
            if super()._post(session, other, twin, delivery_id=subject):
                self._twins.append(twin)
        return is_acknowledged

    def _check_everything(self) -> None:
        super()._check_everything()
        with self.store.reading() as connection:
            written = Counter(connection.scalars(select(effects.c.subject)))
        self.violations += [f"{written[twin]} effects of {twin}" for twin in self._twins if written[twin] != 1]


AnyChaos = TypeVar("AnyChaos", bound=Chaos)


@contextmanager
def chaos(kind: type[AnyChaos], *, seed: int, worker: str = "as it is", receiver: str = "") -> Iterator[AnyChaos]:
    """Give chaos of a kind on a PostgreSQL of its own, with processes that reach it through a proxy."""
    with ExitStack() as stack:
        server = stack.enter_context(killable_postgresql())
        url = stack.enter_context(fresh_database(server.url))
        through, proxy = stack.enter_context(cutting(url, random.Random(f"{seed}/proxy")))
        store = Store(url)
        stack.callback(store.close)
        migrations.upgrade(store)
        assignment = prepare(store, worker=worker)
        assignment = evolve(assignment, database_url=through, receiver=receiver)
        yield kind(store, assignment, seed, server=server, proxy=proxy)
