"""The server of `serve`: waitress, in which strangers can hold neither connections nor memory for long.

Waitress reads whole requests before a thread sees them, so that slow senders cost no thread. What it doesn't limit
is how long a request may take to arrive, and how much all of them together may have sent: that is done here.
"""

# Waitress has no types; those that pyright brings know neither its paths nor its maps.
# pyright: reportAttributeAccessIssue=false, reportIncompatibleVariableOverride=false

from __future__ import annotations

import copy
import logging
import time
from collections.abc import Callable
from threading import Lock
from typing import TYPE_CHECKING, Any, Final

from waitress.adjustments import Adjustments
from waitress.channel import HTTPChannel
from waitress.parser import HTTPRequestParser
from waitress.server import TcpWSGIServer

from ..inbox.request import BODY_SECONDS

if TYPE_CHECKING:
    from .application import Application

CONNECTIONS: Final = 900
"""How many may be open at once; with the database's and the files of a process fewer than the usual 1024."""

LET_GO: Final = CONNECTIONS // 10
"""How many of them are closed when there are too many: those that have kept us waiting longest."""

ACCEPTED_AT_ONCE: Final = 50
"""How many connections are accepted before the others are looked at again."""

SILENT_SECONDS: Final = 30
"""How long a connection may stay open without a request, or without taking its response."""

REQUEST_SECONDS: Final = BODY_SECONDS
"""How long a request may take to arrive, from its first byte to its last."""

RECEIVED_BYTES: Final = 128 * 1024 * 1024
"""How much of all requests is in memory at once; beyond it, the largest that aren't complete are dropped."""

HEADER_BYTES: Final = 64 * 1024
"""How much the headers of a request may have."""

CHUNK_OVERHEAD: Final = 1.25
"""How much more a body may have while its chunks have their sizes before them (RFC 9112, section 7.1)."""

LOOK_SECONDS: Final = 1.0
"""How often the clock is looked at."""

IN_MEMORY: Final = 1 << 40
"""More than any body has: none is written to a file."""

BodyLimit = Callable[[str], int]
"""Returns how many bytes a body may have that is sent to a path."""

logger = logging.getLogger(__name__)


class Received:
    """Counts what is in memory of all requests."""

    def __init__(self) -> None:
        self.bytes = 0
        self._lock = Lock()  # requests end in the threads that answer them

    def add(self, count: int) -> None:
        """Count more bytes, or fewer."""
        with self._lock:
            self.bytes += count


class BoundedRequest(HTTPRequestParser):
    """A request on its way in; a body that says it is over the limit of its path is refused before it is read."""

    def __init__(self, adj: Adjustments, received: Received, limit_of: BodyLimit) -> None:
        super().__init__(adj)
        self.adj = adj
        self.began = time.monotonic()
        self.size = 0
        self._received = received
        self._limit_of = limit_of

    def received(self, data: bytes) -> int:
        """Take bytes; return how many of them belong to this request."""
        consumed: int = super().received(data)
        if self.error:
            self.expect_continue = False  # waitress would ask for the body that was just refused
        self.size += consumed
        self._received.add(consumed)
        return consumed

    def parse_header(self, header_plus: bytes) -> None:
        """Read the headers, and set the limit of the body."""
        super().parse_header(header_plus)
        limit = self._limit_of(str(self.path)) + 1  # waitress refuses what is as large as its limit
        adjusted: Adjustments = copy.copy(self.adj)
        adjusted.max_request_body_size = int(limit * CHUNK_OVERHEAD) if self.chunked else limit
        self.adj = adjusted

    def close(self) -> None:
        """Forget what was received."""
        super().close()
        self._received.add(-self.size)
        self.size = 0


class BoundedChannel(HTTPChannel):
    """A connection."""

    server: BoundedServer
    request: BoundedRequest | None

    def __init__(self, server: BoundedServer, *arguments: Any, **options: Any) -> None:
        super().__init__(server, *arguments, **options)
        self.parser_class: Any = server.new_request

    @property
    def waits(self) -> bool:
        """Whether it is the client that something is awaited from."""
        return not self.requests

    @property
    def since(self) -> float:
        """When the request under way began, or else when there was a sign of life last."""
        return self.request.began if self.request else self.last_activity - time.time() + time.monotonic()

    @property
    def is_late(self) -> bool:
        """Whether it has waited for longer than anybody may."""
        return time.monotonic() - self.since > (REQUEST_SECONDS if self.request else SILENT_SECONDS)

    def handle_close(self) -> None:
        """Close it, and forget what was received of a request."""
        super().handle_close()
        if self.request is not None:
            self.request.close()
            self.request = None


class BoundedServer(TcpWSGIServer):
    """Serves an application until it is stopped or interrupted.

    Args:
        application: what it serves.
        host: the address to listen on.
        port: the port, or 0 for any free one.
        threads: how many requests are answered at once.
    """

    channel_class = BoundedChannel
    active_channels: dict[int, BoundedChannel]
    effective_port: str

    def __init__(self, application: Application, *, host: str, port: int, threads: int) -> None:
        self.received = Received()
        self._limit_of = application.body_limit
        self._stopped = False
        self._looked = 0.0
        super().__init__(
            application,
            host=host,
            port=port,
            threads=threads,
            inbuf_overflow=IN_MEMORY,
            max_request_header_size=HEADER_BYTES,
            connection_limit=2 * CONNECTIONS,  # never reached: `_make_room` is faster
            cleanup_interval=2**31,
            ident=None,
        )

    def new_request(self, adj: Adjustments) -> BoundedRequest:
        """Return a request of which nothing has come yet."""
        return BoundedRequest(adj, self.received, self._limit_of)

    def handle_accept(self) -> None:
        """Accept those who wait to be."""
        for _ in range(ACCEPTED_AT_ONCE):
            open_before = len(self.active_channels)
            super().handle_accept()
            if len(self.active_channels) == open_before:
                return

    def run(self) -> None:
        """Serve."""
        try:
            while not self._stopped:
                self._make_room()
                self.asyncore.loop(
                    timeout=LOOK_SECONDS, use_poll=True, map=self._map, count=1
                )  # no select(): it ends at 1024
        except (SystemExit, KeyboardInterrupt):
            pass
        finally:
            self.task_dispatcher.shutdown()
            self.asyncore.close_all(self._map)

    def stop(self) -> None:
        """Have `run` return; may be called from any thread."""
        self.trigger.pull_trigger(self._end)

    def _end(self) -> None:
        self._stopped = True

    def _make_room(self) -> None:
        """Close the connections that take too long, and, where there are too many, those that took longest."""
        now, crowded = time.monotonic(), len(self.active_channels) > CONNECTIONS
        if now - self._looked > LOOK_SECONDS or crowded:
            self._looked = now
            waiting = sorted(
                (each for each in self.active_channels.values() if each.waits), key=lambda each: each.since
            )
            first = LET_GO if crowded else 0
            self._drop([*waiting[:first], *(each for each in waiting[first:] if each.is_late)])
        if self.received.bytes > RECEIVED_BYTES:
            self._drop_largest()

    def _drop_largest(self) -> None:
        """Drop incomplete requests, the largest first, until the others have room."""
        incomplete = [
            (each.request.size, each) for each in self.active_channels.values() if each.waits and each.request
        ]
        for _, each in sorted(incomplete, key=lambda found: found[0], reverse=True):
            self._drop([each])
            if self.received.bytes <= RECEIVED_BYTES:
                return

    def _drop(self, channels: list[BoundedChannel]) -> None:
        for channel in channels:
            channel.handle_close()
        if channels:
            logger.info("closed %d connections that waited too long, were too many or held too much", len(channels))
