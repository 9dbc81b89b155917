"""What the processes of these tests do: ask for tokens, and die or stop at the point that they are told."""

from __future__ import annotations

import functools
import json
import os
import random
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from attrs import asdict, evolve, frozen

from speckitty_connectors.apps.service import Apps
from speckitty_connectors.contract.fake import MANIFEST, FakeProvider
from speckitty_connectors.credentials.keyring import KeyRing
from speckitty_connectors.credentials.vault import OpenCredential, Vault
from speckitty_connectors.errors import ConnectorsError
from speckitty_connectors.http.egress import Egress
from speckitty_connectors.http.session import Transport
from speckitty_connectors.links.grants import update_holders
from speckitty_connectors.loading.registry import Registry
from speckitty_connectors.plugin import RefreshRules
from speckitty_connectors.store.engine import Store
from speckitty_connectors.tokens import renewal as asking
from speckitty_connectors.tokens.access_tokens import AccessTokens
from speckitty_connectors.tokens.grants import StoredGrant
from speckitty_connectors.tokens.oauth import OAuthFlow
from speckitty_connectors.tokens.renewal import Asking, RenewalTimes, _Turn

TIMES = RenewalTimes(send=1.5, slack=2.5, retry=0.2, longest_retry=0.5, wait=20.0)
"""Short, so that a dead holder's turn ends within the test; long enough for a request on a busy machine."""

PAUSE_SECONDS = 1.1 * TIMES.lease
"""Past the lease, and far from the end of the time that the holder of a strict provider's answer is given."""

BREATH_SECONDS = 0.02


@frozen(kw_only=True)
class Assignment:
    """What every process is told.

    Attributes:
        database_url: the database.
        key: the key of the ring.
        address: where the provider listens.
        grants: name → credential id.
        log: the file that processes write lines to.
        grace: whether the provider lets used tokens be presented again.
        locked: whether processes take turns; without it the harness has to see grants lost.
    """

    database_url: str
    key: str
    address: str
    grants: dict[str, str]
    log: str
    grace: bool
    locked: bool = True

    @classmethod
    def from_text(cls, text: str) -> Assignment:
        return cls(**json.loads(text))

    def to_text(self) -> str:
        return json.dumps(asdict(self))

    def tell(self, **line: object) -> None:
        """Write a line to the log; whole, because it is one short write at the end of the file."""
        with open(self.log, "ab", buffering=0) as log:  # noqa: PTH123 - unbuffered
            log.write(json.dumps(line).encode() + b"\n")


def registry(*, grace: bool) -> Registry:
    """Return a registry of the provider ``fake``, with the rules of the provider under test."""
    assert MANIFEST.install_oauth is not None
    rules = evolve(MANIFEST.install_oauth, refresh=RefreshRules(grace_seconds=60 if grace else 0))
    plugin = FakeProvider()
    plugin.manifest = evolve(MANIFEST, install_oauth=rules)
    found = Registry(entry_points=())
    found.register(plugin)
    return found


@contextmanager
def access_tokens(assignment: Assignment) -> Iterator[AccessTokens]:
    """Give what a process of a host has, put together as `Sessions` does it."""
    store = Store(assignment.database_url, wait_seconds=10)
    vault = Vault(KeyRing.from_configuration({"renewing": assignment.key}))
    providers = registry(grace=assignment.grace)
    transport, apps = Transport(allowed_hosts={assignment.address}), Apps(store, vault, providers)
    kind = Asking if assignment.locked else UnlockedAsking
    asks = kind(store, vault, transport, providers, apps, times=TIMES, on_grant_change=update_holders)
    try:
        yield AccessTokens(store, vault, asks, TIMES)
    finally:
        transport.close()
        store.close()


class UnlockedAsking(Asking):
    """Asks whenever it is due, whoever else does."""

    def _begin(self, credential: OpenCredential, grant: StoredGrant, seconds: float) -> _Turn | None:
        return _Turn(mark=1, credential=credential, grant=grant)

    def _may_leave(self, turn: _Turn, end: float) -> bool:
        return True


def call_once(assignment: Assignment, threads: int, at: float) -> None:
    """Ask for the token of each grant in so many threads, all at one moment, and tell what each was given."""
    given: list[str] = []

    def call(tokens: AccessTokens) -> None:
        time.sleep(max(0.0, at - time.time()))
        given.extend(_asked(tokens, credential_id) for credential_id in assignment.grants.values())

    with access_tokens(assignment) as tokens:
        running = [threading.Thread(target=call, args=[tokens]) for _ in range(threads)]
        for thread in running:
            thread.start()
        for thread in running:
            thread.join()
    assignment.tell(given=given)


def call_on(assignment: Assignment, grants: list[str], failpoint: str, action: str) -> None:
    """Ask for tokens without end; at the failpoint, if there is one, stop or die once."""
    if failpoint:
        FAILPOINTS[failpoint](functools.partial(_trouble, assignment, grants, action))
    with access_tokens(assignment) as tokens:
        while True:
            _asked(tokens, assignment.grants[random.choice(grants)])
            time.sleep(BREATH_SECONDS)


def _asked(tokens: AccessTokens, credential_id: str) -> str:
    try:
        return tokens.get(workspace="w1", credential_id=credential_id).secret.reveal()
    except ConnectorsError as error:
        return error.code


def _trouble(assignment: Assignment, grants: list[str], action: str) -> None:
    """Die, or stop for so long that the turn is over."""
    assignment.tell(hit=grants)
    if action == "pause":
        # Who wakes us counts from now, however long the other processes of the test take to be hit.
        subprocess.Popen(["sh", "-c", f"sleep {PAUSE_SECONDS}; kill -CONT {os.getpid()}"])
        os.kill(os.getpid(), signal.SIGSTOP)
        assignment.tell(resumed=grants)
    else:
        os.kill(os.getpid(), signal.SIGKILL)


def _once(before: Callable[[], None] | None, wrapped: Callable[..., Any], after: Callable[[], None] | None) -> Any:
    """Return the function with trouble before or after its first call."""
    calls: list[None] = []

    @functools.wraps(wrapped)
    def call(*given: Any, **named: Any) -> Any:
        is_first = not calls
        calls.append(None)
        if before is not None and is_first:
            before()
        answer = wrapped(*given, **named)
        if after is not None and is_first:
            after()
        return answer

    return call


def _patch(owner: Any, name: str, *, before: Any = None, after: Any = None) -> None:
    setattr(owner, name, _once(before, getattr(owner, name), after))


FAILPOINTS: dict[str, Callable[[Callable[[], None]], None]] = {
    "after the turn is taken": lambda trouble: _patch(OAuthFlow, "renew", before=trouble),
    "after connecting, before the request leaves": lambda trouble: _patch(Egress, "connect", after=trouble),
    "after the answer, before its write": lambda trouble: _patch(OAuthFlow, "renew", after=trouble),
    "after the write, before its commit": lambda trouble: _patch(asking, "end_renewal", after=trouble),
    "after the commit": lambda trouble: _patch(Asking, "_bring_home", after=trouble),
}
"""Where a renewal can be cut off, by name."""
