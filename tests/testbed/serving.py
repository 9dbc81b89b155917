"""WSGI applications behind real servers on loopback that start and stop in no time."""

from __future__ import annotations

import io
import threading
from socketserver import ThreadingMixIn
from typing import Any
from urllib.parse import urlsplit
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server


class _Server(ThreadingMixIn, WSGIServer):
    daemon_threads = True


class _Quiet(WSGIRequestHandler):
    disable_nagle_algorithm = True  # else a body waits 40 ms for the other side to confirm the headers

    def log_message(self, format: str, *_: object) -> None:  # noqa: A002 - the base class's name
        """Say nothing."""


class Served:
    """A port that is known before the application is, so that two of them can know each other's address."""

    def __init__(self) -> None:
        self._server = make_server("127.0.0.1", 0, self._answer, server_class=_Server, handler_class=_Quiet)
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01})
        self._application: Any = None
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self.address = urlsplit(self.url).netloc

    def _answer(self, environ: Any, start_response: Any) -> Any:
        # The standard library's server leaves the end of the body to the application.
        body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        environ["wsgi.input"] = io.BytesIO(body)
        return self._application(environ, start_response)

    def serve(self, application: Any) -> None:
        """Serve the application until the block ends."""
        self._application = application
        self._thread.start()

    def __enter__(self) -> Served:
        return self

    def __exit__(self, *_: object) -> None:
        if self._thread.is_alive():
            self._server.shutdown()
            self._thread.join()
        self._server.server_close()
