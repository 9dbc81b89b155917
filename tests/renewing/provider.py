"""A provider whose refresh tokens are good once, and which remembers whatever it was shown."""

from __future__ import annotations

import json
import threading
from collections import Counter
from collections.abc import Callable
from urllib.parse import parse_qsl

from testbed.hosts import ProviderHost, Received, Reply

REFUSED = Reply(status=400, body=b'{"error": "invalid_grant"}')


def refresh_token(grant: str, number: int) -> str:
    """Return a grant's refresh token of that number."""
    return f"refresh/{grant}/{number}"


class RotatingProvider:
    """Rotates the refresh token of each grant.

    A strict one takes a token that was used before for a theft and revokes the whole grant, as providers with
    reuse detection do. One with a grace answers it with the token that it gave before (Linear, "OAuth 2.0
    authentication").

    Args:
        grace: whether a used token may be presented again.
        lifetime: of access tokens, in seconds.
        stored: returns the number of the refresh token that is stored for a grant at this moment.
    """

    def __init__(self, *, grace: bool, lifetime: int, stored: Callable[[str], int]) -> None:
        self.host = ProviderHost(self._respond)
        self.renewals: Counter[str] = Counter()
        self.stale: list[str] = []
        self.revoked: set[str] = set()
        self._grace, self._lifetime, self._stored = grace, lifetime, stored
        self._current: Counter[str] = Counter()
        self._lock = threading.Lock()

    def _respond(self, received: Received) -> Reply:
        presented = dict(parse_qsl(received.body.decode()))["refresh_token"]
        _, grant, text = presented.split("/")
        number = int(text)
        with self._lock:
            if number < self._stored(grant):
                self.stale.append(presented)
            if grant in self.revoked:
                return REFUSED
            current = self._current[grant] + 1  # the first token has the number 1
            if number == current:
                self._current[grant] += 1
                self.renewals[grant] += 1
            elif not (self._grace and number == current - 1):
                self.revoked.add(grant)
                return REFUSED
            return self._tokens(grant, self._current[grant] + 1)

    def _tokens(self, grant: str, number: int) -> Reply:
        tokens = {
            "access_token": f"access/{grant}/{number}",
            "refresh_token": refresh_token(grant, number),
            "expires_in": self._lifetime,
            "token_type": "bearer",
        }
        return Reply(body=json.dumps(tokens).encode())
