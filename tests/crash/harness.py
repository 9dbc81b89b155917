"""Producers, a nemesis and a checker around real servers and workers.

Producers post signed deliveries over loopback HTTP until each is acknowledged, and remember that outside the
database. The nemesis kills servers and workers at random, and pauses workers past their lease. The checker then
asks the database for what must hold: nothing acknowledged is lost, nothing is done twice.
"""

from __future__ import annotations

import json
import os
import random
import signal
import socket
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import requests
from sqlalchemy import func, select

from crash.roles import LEASE_SECONDS, Assignment, effects, host_tables, registry
from crash.variants import OURS
from speckitty_connectors import Resource
from speckitty_connectors.apps.endpoints import add_endpoint, add_secret
from speckitty_connectors.contract.fake import MANIFEST
from speckitty_connectors.credentials.keyring import KeyRing
from speckitty_connectors.credentials.secret import Secret
from speckitty_connectors.credentials.vault import Vault
from speckitty_connectors.identifiers import utc_now
from speckitty_connectors.inbox.signing import sign
from speckitty_connectors.inbox.tables import inbox
from speckitty_connectors.routing.tables import dispatches
from speckitty_connectors.store.engine import Store
from speckitty_connectors.store.metadata import OPERATOR
from testbed.inbound import Inbound
from testbed.layers import add_installation, add_resources

TARGETS = {"b1": ("apollo",), "b2": ("apollo", "gemini"), "b3": ()}
"""Board → the projects that it is mapped to; what happens on the last one goes to the review queue."""

SERVERS = 2
WORKERS = 3
PRODUCERS = 4
BURST = 10
BURST_PAUSE_SECONDS = 1.2
"""Deliveries come in bursts. While one lasts, workers claim several rows at once, and a paused one falls behind
with all of them; between bursts nothing stands in line before a row whose lease has ended."""

RETRY_SECONDS = 0.03
PAUSES = 0.6
"""The share of a worker's troubles that are pauses past its lease; the others are kills."""

PAUSE_SECONDS = 3 * LEASE_SECONDS
DRAIN_SECONDS = 180.0
PATIENCE_SECONDS = 300.0
"""How long a busy machine may take until enough was acknowledged."""

TWIN = "/twin"
"""The end of a subject whose delivery has the id of another endpoint's."""

LOST_AFTER_SECONDS = 3.0
"""How long something may look done without an effect before it counts as lost."""

SCHEME = MANIFEST.webhooks.schemes["secret"]
SECRET = Secret("a secret of the crash test alone")


class Nursery:
    """Starts servers and workers, and kills or pauses them."""

    def __init__(self, assignment: Assignment, listening: socket.socket, log: Path) -> None:
        with log.open("ab") as errors:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "crash.nursery", assignment.to_text(), str(listening.fileno())],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                pass_fds=[listening.fileno()],
                env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])},
                text=True,
                bufsize=1,
            )
        self._lock = threading.Lock()
        self.running = [("serve", self._ask("serve")) for _ in range(SERVERS)]
        self.running += [("work", self._ask("work")) for _ in range(WORKERS)]

    def close(self) -> None:
        """End every process."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.wait()
        self._process.stdout.close()

    def kill(self, index: int) -> None:
        """Kill a process in the middle of whatever it does, and start another in its place."""
        role, child = self.running[index]
        os.kill(int(child), signal.SIGKILL)
        self.running[index] = (role, self._ask(role))

    def pause(self, index: int) -> threading.Timer:
        """Stop a process for longer than its lease; it goes on where it was, and knows nothing of the time."""
        child = int(self.running[index][1])
        os.kill(child, signal.SIGSTOP)
        timer = threading.Timer(PAUSE_SECONDS, _resume, [child])
        timer.start()
        return timer

    def dead(self) -> list[str]:
        """Return the processes that ended although nobody killed them."""
        return [f"{role} {child}" for role, child in self.running if self._ask(f"alive {child}") != "True"]

    def _ask(self, command: str) -> str:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        with self._lock:
            self._process.stdin.write(command + "\n")
            return self._process.stdout.readline().strip()


class Harness:
    """One database under load while its servers and workers die."""

    def __init__(self, store: Store, assignment: Assignment, seed: int) -> None:
        self.store = store
        self.assignment = assignment
        self.seed = seed
        self.burst_pause_seconds = BURST_PAUSE_SECONDS
        self.acked: list[str] = []
        self.violations: list[str] = []
        self._stop = threading.Event()
        self._suspects: dict[str, float] = {}

    def run(self, folder: Path, *, seconds: float, fewest: int = 0) -> None:
        """Let it run for that long, or until the checker sees a violation; then drain and check everything.

        On a busy machine it goes on until so many deliveries were acknowledged, up to `PATIENCE_SECONDS`.
        """
        chance = random.Random(self.seed)
        with ExitStack() as stack:
            listening = stack.enter_context(socket.create_server(("127.0.0.1", 0), backlog=128))
            nursery = Nursery(self.assignment, listening, folder / "processes.log")
            stack.callback(nursery.close)
            url = f"http://127.0.0.1:{listening.getsockname()[1]}/"
            producers = [threading.Thread(target=self._produce, args=(n, url)) for n in range(PRODUCERS)]
            for producer in producers:
                producer.start()
            try:
                self._torment(nursery, chance, seconds, fewest)
            finally:
                self._stop.set()
                for producer in producers:
                    producer.join()
            if not self.violations:
                self._drain()
                self._check_everything()
                self.violations += [f"{process} ended by itself" for process in nursery.dead()]

    def _produce(self, number: int, url: str) -> None:
        """Post one delivery after the other, each until it is acknowledged."""
        chance = random.Random(f"{self.seed}/{number}")
        count = 0
        with requests.Session() as session:
            while not self._stop.is_set():
                count += 1
                subject = f"{chance.choice(list(TARGETS))}/{number}/{count}"
                if self._post(session, url, subject):
                    self.acked.append(subject)
                if count % BURST == 0:
                    self._stop.wait(self.burst_pause_seconds)

    def _post(self, session: requests.Session, url: str, subject: str, *, delivery_id: str = "") -> bool:
        document = {"event": "card", "account": {"id": "7"}, "board": {"id": subject[:2]}, "subject": subject}
        body = json.dumps(document).encode()
        headers = {
            **sign(SCHEME, SECRET, body, now=utc_now()),
            "X-Fake-Event": "card",
            "X-Fake-Delivery": delivery_id or subject,
            "Content-Type": "application/json",
        }
        while not self._stop.is_set():
            try:
                if session.post(url, data=body, headers=headers, timeout=2).ok:
                    return True
            except requests.RequestException:
                self._stop.wait(RETRY_SECONDS)
        return False

    def _torment(self, nursery: Nursery, chance: random.Random, seconds: float, fewest: int) -> None:
        pauses: dict[int, threading.Timer] = {}
        began = time.monotonic()
        while (lasted := time.monotonic() - began) < PATIENCE_SECONDS and not self.violations:
            if lasted >= seconds and len(self.acked) >= fewest:
                break
            self._stop.wait(chance.uniform(0.1, 0.5))
            pauses = {index: timer for index, timer in pauses.items() if timer.is_alive()}
            index = chance.randrange(SERVERS + WORKERS)
            if index in pauses:
                continue
            if index >= SERVERS and chance.random() < PAUSES:
                pauses[index] = nursery.pause(index)
            else:
                nursery.kill(index)
            self._look()
        for timer in pauses.values():
            timer.join()

    def _look(self) -> None:
        """Look for what no correct system shows at any moment."""
        with self.store.reading() as connection:
            self.violations += [f"done twice: {key}" for key in connection.scalars(_TWICE)]
            now = time.monotonic()
            self._suspects = {key: self._suspects.get(key, now) for key in connection.scalars(_DONE_WITHOUT_EFFECT)}
        self.violations += [
            f"done, but without an effect: {key}"
            for key, since in self._suspects.items()
            if now - since > LOST_AFTER_SECONDS
        ]

    def _drain(self) -> None:
        """Wait until nothing waits any more."""
        end = time.monotonic() + DRAIN_SECONDS
        waiting: list[int] = []
        while time.monotonic() < end:
            with self.store.reading() as connection:
                waiting = [
                    connection.execute(
                        select(func.count()).select_from(table).where(table.c.state.in_(["pending", "running"]))
                    ).scalar_one()
                    for table in (inbox, dispatches)
                ]
            if not any(waiting):
                return
            time.sleep(0.2)
        self.violations.append(f"not drained: {waiting[0]} deliveries, {waiting[1]} dispatches")

    def _check_everything(self) -> None:
        with self.store.reading() as connection:
            stored = {name.partition(OURS)[0] for name in connection.scalars(select(inbox.c.delivery_id))}
            subjects = select(effects.c.subject).where(effects.c.subject.not_like(f"%{TWIN}"))
            written = Counter(connection.scalars(subjects))
            states = set(connection.scalars(select(dispatches.c.state)))
        self.violations += [f"acknowledged, but not stored: {subject}" for subject in set(self.acked) - stored]
        self.violations += [
            f"{written[subject]} effects of {subject}"
            for subject in stored
            if written[subject] != len(TARGETS[subject[:2]])
        ]
        self.violations += [f"an effect of nothing that was stored: {subject}" for subject in set(written) - stored]
        self.violations += [f"a dispatch is {state}" for state in states - {"done"}]
        unmapped = sum(1 for subject in stored if not TARGETS[subject[:2]])
        counted = sum(item.count for item in Inbound(store=self.store, registry=registry()).review_items())
        if counted != unmapped:
            self.violations.append(f"{counted} events counted in the review queue instead of {unmapped}")


@contextmanager
def harness(database_url: str, *, worker: str, seed: int) -> Iterator[Harness]:
    """Prepare a database with an installation, its mappings and an end point, and clean up afterwards."""
    store = Store(database_url)
    assignment = prepare(store, worker=worker)
    try:
        yield Harness(store, assignment, seed)
    finally:
        with store.transaction() as connection:
            host_tables.drop_all(connection)
        store.close()


def prepare(store: Store, *, worker: str) -> Assignment:
    """Prepare a database with an installation, its mappings and its end points; return what processes are told."""
    key = KeyRing.new_key()
    vault = Vault(KeyRing.from_configuration({"crash": key}))
    with store.transaction() as connection:
        host_tables.create_all(connection)
        endpoint = add_endpoint(
            connection, workspace=OPERATOR, provider="fake", host="fake.example", now=utc_now(), app_id="app"
        )
    installation = add_installation(store)
    add_resources(store, installation, *(Resource(kind="board", id=board, key=board) for board in TARGETS))
    inbound = Inbound(store=store, registry=registry())
    other = inbound.endpoint(workspace=installation.workspace, installation_id=installation.id)
    with store.transaction() as connection:
        for each in (endpoint, other):
            add_secret(connection, vault, each, scheme="secret", secret=SECRET, now=utc_now())
    for board, projects in TARGETS.items():
        for project in projects:
            inbound.map(installation, board, project)
    return Assignment(
        database_url=store.url.render_as_string(hide_password=False),
        key=key.reveal(),
        endpoint_id=endpoint.id,
        other_endpoint_id=other.id,
        worker=worker,
    )


def _resume(child: int) -> None:
    os.kill(child, signal.SIGCONT)


_TWICE = select(effects.c.effect_key).group_by(effects.c.effect_key).having(func.count() > 1)

_DONE_WITHOUT_EFFECT = (
    select(dispatches.c.effect_key)
    .outerjoin(effects, effects.c.effect_key == dispatches.c.effect_key)
    .where(dispatches.c.state == "done", effects.c.effect_key.is_(None))
)
