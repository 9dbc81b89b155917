"""B: what happens once happens once, however many ask at the same moment."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Final, TypeVar

from sqlalchemy import select

from ...conversations.attempts import Attempt, Purpose, digest
from ...conversations.states import Taken, keep, take
from ...credentials.keyring import KeyRing
from ...credentials.secret import Secret
from ...credentials.vault import Vault
from ...inbox.tables import inbox
from ...loading.registry import Registry
from ...store import migrations
from ...store.claims import Claim, ClaimQueue
from ...store.engine import Store
from ..fake import MANIFEST, FakeProvider
from ..groups.base import Judged
from ..receiver import NOW, SECRET, Receiver, proven
from ..recordings import Recording
from ..rules import Over, RuleBrokenError, require, rule
from .promises import write_deliveries

THREADS: Final = 6
"""How many ask at once."""

PATIENCE_SECONDS: Final = 30
"""How long a rule waits for its turn, or for a lease to end, on a busy machine."""

LEASE_SECONDS: Final = 0.05

Result = TypeVar("Result")


class ConcurrencyRules(Judged):
    """What several connections see at once."""

    @rule("B20", over=Over.DATABASE, waivable=False)
    def test_b20_upgrades_at_once(self, empty_store: Store) -> None:
        """Processes that upgrade at once all succeed.

        Several threads upgrade an empty database.
        Why: every process of a new release starts with it.
        Fix: let definitions of tables take part in transactions, and advisory locks hold until those end.
        """
        at_once(lambda: migrations.upgrade(empty_store))
        require(migrations.current(empty_store) == migrations.latest(), "is not at the latest revision")

    @rule("B21", over=Over.DATABASE, waivable=False)
    def test_b21_a_state_is_used_once(self, store: Store) -> None:
        """Of all who bring the same state at once, one gets what it belongs to.

        Several threads take one state with a sealed verifier.
        Why: a state that is good twice lets a stranger finish what somebody else began.
        Fix: evaluate the condition of an update again after waiting for another one.
        """
        vault = Vault(KeyRing.from_configuration({"contract": KeyRing.new_key()}), lambda: NOW)
        attempt = Attempt(
            workspace="ours",
            member="mona",
            session_digest=digest("session"),
            purpose=Purpose.INSTALL,
            provider="fake",
            host="fake.example",
            app_id="app",
            redirect_uri="https://saas.example/callback",
            expires_at=NOW + timedelta(minutes=10),
        )
        with store.transaction() as connection:
            keep(connection, vault, attempt, state="state", sealed={"verifier": Secret("v")}, now=NOW)

        def bring() -> Taken | None:
            with store.transaction(within_seconds=PATIENCE_SECONDS) as connection:
                return take(connection, vault, state_digest=digest("state"), code_digest="", now=NOW)

        taken = [each for each in at_once(bring) if each is not None and each.objection is None]
        require(len(taken) == 1, f"let a state be used {len(taken)} times")

    @rule("B22", over=Over.DATABASE, waivable=False)
    def test_b22_a_delivery_is_stored_once(self, store: Store) -> None:
        """A delivery that arrives several times at once is stored once, and a repetition is acknowledged.

        Several threads post the same signed delivery to a real inbox; then it is posted once more.
        Why: providers repeat what took too long, and would be answered with errors, or heard twice.
        Fix: enforce unique constraints, and let an insert leave out what is there.
        """
        registry = Registry(entry_points=())
        registry.register(FakeProvider())
        receiver = Receiver(MANIFEST, registry, store)
        endpoint = receiver.endpoint(("secret", SECRET))
        recording = Recording(name="card.json", body=b'{"event": "card", "board": {"id": "b1"}}')
        delivery = proven(MANIFEST, recording, MANIFEST.webhooks.schemes["secret"], SECRET)
        at_once(lambda: receiver.post(endpoint, delivery.headers, delivery.body))
        repeated = receiver.post(endpoint, delivery.headers, delivery.body).status
        require(200 <= repeated < 300, f"answered {repeated} to a repeated delivery")
        with store.reading() as connection:
            stored = len(connection.execute(select(inbox.c.id)).all())
        require(stored == 1, f"stored one delivery {stored} times")

    @rule("B23", over=Over.DATABASE, waivable=False)
    def test_b23_a_row_has_one_worker(self, store: Store) -> None:
        """Each row of work goes to one worker while its lease lasts.

        Several threads claim rows until there are none left.
        Why: handlers would run twice at the same time.
        Fix: lock rows that are being claimed, and honour SKIP LOCKED where it is asked for.
        """
        written, queue = write_deliveries(store, 5 * THREADS), ClaimQueue(inbox)

        def claim_all() -> list[str]:
            claimed: list[str] = []
            while claims := _claim(store, queue, limit=2):
                claimed += [claim.id for claim in claims]
            return claimed

        claimed = [name for names in at_once(claim_all) for name in names]
        claimed += [claim.id for claim in _claim(store, queue, limit=len(written))]
        require(sorted(claimed) == sorted(written), f"handed out {len(written)} rows {len(claimed)} times")

    @rule("B24", over=Over.DATABASE, waivable=False)
    def test_b24_a_generation_shuts_out_the_one_before(self, store: Store) -> None:
        """When a lease is over the next worker gets the row, and the one before can't finish it.

        A row is claimed with a short lease, claimed again, and finished by both.
        Why: a worker that was paused would end what another one is doing.
        Fix: let the database's own clock go on within a session, and compare generations in the update.
        """
        write_deliveries(store, 1)
        queue = ClaimQueue(inbox, lease_seconds=LEASE_SECONDS)
        first, second = _wait_for_claim(store, queue), _wait_for_claim(store, queue)
        require(second.generation > first.generation, "gave the next worker no new generation")
        with store.transaction() as connection:
            late = queue.hold(connection, first) or queue.finish(connection, first)
        require(not late, "let a worker finish what another one has taken over")
        with store.transaction() as connection:
            require(queue.finish(connection, second), "didn't let the present worker finish")


def at_once(call: Callable[[], Result]) -> list[Result]:
    """Call from several threads at the same moment, and return what each got."""
    start = threading.Barrier(THREADS)

    def begin() -> Result:
        start.wait()
        return call()

    with ThreadPoolExecutor(THREADS) as pool:
        return [future.result() for future in [pool.submit(begin) for _ in range(THREADS)]]


def _claim(store: Store, queue: ClaimQueue, *, limit: int) -> list[Claim]:
    with store.transaction(within_seconds=PATIENCE_SECONDS) as connection:
        return queue.claim(connection, limit=limit)


def _wait_for_claim(store: Store, queue: ClaimQueue) -> Claim:
    """Claim the only row as soon as it is due."""
    for _ in range(int(PATIENCE_SECONDS / LEASE_SECONDS)):
        claims = _claim(store, queue, limit=1)
        if claims:
            return claims[0]
        time.sleep(LEASE_SECONDS)
    raise RuleBrokenError("never handed out a row that was due")
