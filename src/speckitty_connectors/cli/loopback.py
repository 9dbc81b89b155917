"""A WSGI application behind a real server on a free loopback port, for the demo."""

from __future__ import annotations

import socket
import threading
from types import TracebackType
from typing import Any
from wsgiref.types import WSGIApplication

from .operator import load_extra

POLL_SECONDS = 0.05
"""How often the server checks whether it has been closed."""


class Loopback:
    """A port that is known before the application is, so that two of them can know each other's address.

    >>> with Loopback() as loopback:
    ...     loopback.url.startswith("http://127.0.0.1:")
    True
    """

    def __init__(self) -> None:
        self._socket = socket.create_server(("127.0.0.1", 0))
        self._server: Any = None
        self._closing = False
        self._thread = threading.Thread(target=self._run, name="loopback", daemon=True)
        self.address = f"127.0.0.1:{self._socket.getsockname()[1]}"
        self.url = f"http://{self.address}"

    def serve(self, application: WSGIApplication) -> None:
        """Serve the application until the block ends."""
        self._server = load_extra("waitress").create_server(application, sockets=[self._socket], threads=4)
        self._server.adj.asyncore_loop_timeout = POLL_SECONDS  # as an option it would take whole seconds only
        self._thread.start()

    def _run(self) -> None:
        try:
            self._server.run()
        except OSError:
            if not self._closing:  # else it used a socket in the moment in which that was closed
                raise

    def __enter__(self) -> Loopback:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._closing = True
        if self._server:
            self._server.close()
            self._thread.join(timeout=5)
        self._socket.close()
