"""A way to PostgreSQL that cuts connections, and swallows the answers to some commits."""

from __future__ import annotations

import random
import socket
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress

from sqlalchemy.engine import make_url

from testbed.freezing_proxy import FreezingProxy, cut

COMMIT = b"COMMIT"


class CuttingProxy(FreezingProxy):
    """Passes bytes on to a server; a commit whose answer is swallowed happened, and its client never hears of it.

    Attributes:
        swallows: the share of commits whose answer is swallowed.
        swallowed: how many were.
    """

    def __init__(self, host: str, port: int, chance: random.Random) -> None:
        self.swallows = 0.0
        self.swallowed = 0
        self._chance = chance
        self._doomed: set[socket.socket] = set()
        super().__init__(host, port)

    def cut_all(self) -> None:
        """Cut every connection; new ones are taken."""
        for end in tuple(self._ends):
            cut(end)

    def _pass(self, source: socket.socket, sink: socket.socket) -> None:
        is_request = source.getsockname()[1] == self.port
        with suppress(OSError):
            while chunk := source.recv(65536):
                if source in self._doomed:
                    self.swallowed += 1
                    break
                if is_request and COMMIT in chunk and self._chance.random() < self.swallows:
                    self._doomed.add(sink)
                sink.sendall(chunk)
        cut(sink)
        cut(source)


@contextmanager
def cutting(url: str, chance: random.Random) -> Iterator[tuple[str, CuttingProxy]]:
    """Give a URL that leads to the same database through a proxy, and the proxy."""
    direct = make_url(url)
    with closing(CuttingProxy(direct.host or "127.0.0.1", direct.port or 5432, chance)) as proxy:
        through = direct.set(host="127.0.0.1", port=proxy.port)
        yield through.render_as_string(hide_password=False), proxy
