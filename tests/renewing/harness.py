"""Processes that share grants, a provider that rotates them, and what must hold whatever happens."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from datetime import timedelta
from functools import partial
from pathlib import Path

from sqlalchemy import select

from renewing.provider import RotatingProvider, refresh_token
from renewing.roles import PAUSE_SECONDS, Assignment, access_tokens, registry
from speckitty_connectors.apps.service import Apps
from speckitty_connectors.credentials.keyring import KeyRing
from speckitty_connectors.credentials.secret import Secret
from speckitty_connectors.credentials.tables import grants as stored_grants
from speckitty_connectors.credentials.vault import Vault
from speckitty_connectors.errors import StoreUnavailableError
from speckitty_connectors.identifiers import utc_now
from speckitty_connectors.providers.api import ApiUnavailableError
from speckitty_connectors.store.engine import Store
from speckitty_connectors.tokens.access_tokens import AccessTokens, ReconnectRequiredError
from speckitty_connectors.tokens.grants import GRANT, find_grant, seal_grant
from speckitty_connectors.tokens.oauth import TokenAnswer

PATIENCE_SECONDS = 120.0
"""How long to wait for what must come; reached only by a failing test."""


def wait_until(comes: Callable[[], bool]) -> None:
    """Look again and again until something is so."""
    end = time.monotonic() + PATIENCE_SECONDS
    while not comes():
        assert time.monotonic() < end, "what has to come doesn't"
        time.sleep(0.05)


class Harness:
    """Grants in one database, and processes that speak with them."""

    def __init__(self, store: Store, vault: Vault, provider: RotatingProvider, assignment: Assignment) -> None:
        self.provider = provider
        self.assignment = assignment
        self._store, self._vault = store, vault
        self._nursery = subprocess.Popen(
            [sys.executable, "-m", "renewing.nursery", assignment.to_text()],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])},
            text=True,
            bufsize=1,
        )

    def close(self) -> None:
        """End every process."""
        assert self._nursery.stdin is not None
        assert self._nursery.stdout is not None
        self._nursery.stdin.close()
        self._nursery.wait()
        self._nursery.stdout.close()

    def start(self, role: str, *arguments: object) -> int:
        """Start a process; return its id."""
        assert self._nursery.stdin is not None
        assert self._nursery.stdout is not None
        self._nursery.stdin.write(json.dumps([role, *arguments]) + "\n")
        return int(self._nursery.stdout.readline())

    def told(self, word: str, count: int) -> list[list[str]]:
        """Wait until that many processes have told something, and return what."""
        log = Path(self.assignment.log)

        def found() -> list[list[str]]:
            lines = [json.loads(line) for line in log.read_text().splitlines()] if log.exists() else []
            return [line[word] for line in lines if word in line]

        wait_until(lambda: len(found()) >= count)
        return found()

    def torment(self, processes: Sequence[int], *, troubles: int, kills: bool, seed: int) -> None:
        """Pause processes past the lease, and kill some where told to; none is paused twice in a row."""
        chance, running = random.Random(seed), list(processes)
        for _ in range(troubles):
            victim = running.pop(0)
            if kills and chance.random() < 0.7:
                os.kill(victim, signal.SIGKILL)
                running.append(self.start("call_on", list(self.assignment.grants), "", ""))
                time.sleep(chance.uniform(0.05, 0.3))
                continue
            os.kill(victim, signal.SIGSTOP)
            time.sleep(PAUSE_SECONDS if chance.random() < 0.5 else 0.2)
            asking = self._turns()
            os.kill(victim, signal.SIGCONT)
            running.append(victim)
            if not kills:
                # Two pauses of one renewal would take longer than the holder of a strict answer is given.
                wait_until(partial(self._have_ended, asking))

    def _have_ended(self, turns: set[tuple[str, int]]) -> bool:
        return not turns & self._turns()

    def _turns(self) -> set[tuple[str, int]]:
        """Return who asks at this moment, by grant and the turn's mark."""
        with self._store.reading() as connection:
            rows = connection.execute(select(stored_grants.c.credential_id, stored_grants.c.intent_started_at))
            return {(row.credential_id, row.intent_started_at) for row in rows if row.intent_started_at}

    def lost(self) -> list[str]:
        """Return the grants for which a person is needed now, after waiting for the others to be usable."""
        with access_tokens(self.assignment) as tokens:
            return [grant for grant in self.assignment.grants if self._is_lost(tokens, grant)]

    def _is_lost(self, tokens: AccessTokens, grant: str) -> bool:
        answers: list[bool] = []

        def is_settled() -> bool:
            try:
                tokens.get(workspace="w1", credential_id=self.assignment.grants[grant])
            except ReconnectRequiredError:
                answers.append(True)
            except (ApiUnavailableError, StoreUnavailableError):
                return False
            else:
                answers.append(False)
            return True

        wait_until(is_settled)
        return answers[-1]

    def number(self, grant: str) -> int:
        """Return the number of the refresh token that is stored now."""
        with self._store.reading() as connection:
            opened = self._vault.open(connection, workspace="w1", credential_id=self.assignment.grants[grant])
        return int(opened.values["refresh_token"].reveal().split("/")[2])

    def condition(self, grant: str) -> str:
        """Return how a grant stands by the record, whatever it was when a process last looked."""
        with self._store.reading() as connection:
            found = find_grant(connection, workspace="w1", credential_id=self.assignment.grants[grant])
        assert found is not None
        return found.condition


@contextmanager
def harness(
    database_url: str,
    folder: Path,
    *,
    grants: Sequence[str],
    grace: bool,
    lifetime: int = 3600,
    locked: bool = True,
) -> Iterator[Harness]:
    """Seal grants whose access tokens have just ended, and run a provider for them."""
    key = KeyRing.new_key()
    vault = Vault(KeyRing.from_configuration({"renewing": key}))
    tried: list[Harness] = []

    def stored(grant: str) -> int:
        return tried[0].number(grant)

    provider = RotatingProvider(grace=grace, lifetime=lifetime, stored=stored)
    with ExitStack() as stack:
        store = stack.enter_context(closing(Store(database_url, wait_seconds=10)))
        stack.enter_context(provider.host.serving())
        sealed = _seal(store, vault, provider.host.url, provider.host.address, grants, grace=grace)
        assignment = Assignment(
            database_url=database_url,
            key=key.reveal(),
            address=provider.host.address,
            grants=sealed,
            log=str(folder / "processes.log"),
            grace=grace,
            locked=locked,
        )
        tried.append(Harness(store, vault, provider, assignment))
        stack.callback(tried[0].close)
        yield tried[0]


def _seal(
    store: Store, vault: Vault, url: str, address: str, grants: Sequence[str], *, grace: bool
) -> dict[str, str]:
    apps = Apps(store, vault, registry(grace=grace), allowed_hosts={address})
    app = apps.register(provider="fake", client_id="c", client_secret="s", base_url=url)
    with store.transaction() as connection:
        return {
            grant: seal_grant(
                connection,
                vault,
                workspace="w1",
                app=app,
                kind=GRANT,
                redirect_uri="",
                tokens=TokenAnswer(
                    values={
                        "access_token": Secret(f"access/{grant}/1"),
                        "refresh_token": Secret(refresh_token(grant, 1)),
                    },
                    scopes=(),
                    expires_at=utc_now() - timedelta(seconds=1),
                    details={},
                ),
            )
            for grant in grants
        }
