"""Provider hosts on loopback: real sockets, real HTTP, and answers that a test decides."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from attrs import field, frozen


@frozen(kw_only=True)
class Received:
    """A request as it came."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes
    client: object


@frozen(kw_only=True)
class Reply:
    """What to answer."""

    status: int = 200
    headers: Mapping[str, str] = field(factory=dict)
    body: bytes = b"{}"


DROPPED = Reply(status=0)
"""What lets the host close the connection without an answer."""

Respond = Callable[[Received], Reply]


class ProviderHost:
    """A host that answers as told and remembers what it was asked."""

    def __init__(self, respond: Respond, *, tls: ssl.SSLContext | None = None) -> None:
        self.received: list[Received] = []
        self._respond = respond
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        if tls is not None:
            self._server.socket = tls.wrap_socket(self._server.socket, server_side=True)
        self.port = int(self._server.server_address[1])
        self.address = f"127.0.0.1:{self.port}"
        self.url = f"http://{self.address}"

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        host = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True  # else a body waits 40 ms for the other side to confirm the headers

            def answer(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
                request = Received(
                    method=self.command,
                    path=self.path,
                    headers=dict(self.headers),
                    body=body,
                    client=self.client_address,
                )
                host.received.append(request)
                reply = host._respond(request)
                if reply is DROPPED:
                    self.close_connection = True
                    return
                if "Date" in reply.headers:
                    self.send_response_only(reply.status)
                else:
                    self.send_response(reply.status)
                for name, value in reply.headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(reply.body)))
                self.end_headers()
                self.wfile.write(reply.body)

            do_GET = do_POST = do_PUT = do_DELETE = answer  # noqa: N815 - http.server looks for these names

            def log_message(self, *_: Any) -> None:
                """Say nothing on standard error."""

        return Handler

    @contextmanager
    def serving(self) -> Iterator[ProviderHost]:
        """Answer while the block runs."""
        thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        thread.start()
        try:
            yield self
        finally:
            self._server.shutdown()
            thread.join()
            self._server.server_close()


@contextmanager
def provider_host(respond: Respond, *, tls: ssl.SSLContext | None = None) -> Iterator[ProviderHost]:
    """Run a `ProviderHost` while the block runs."""
    with ProviderHost(respond, tls=tls).serving() as host:
        yield host


@contextmanager
def raw_host(speak: Callable[[socket.socket, threading.Event], None]) -> Iterator[str]:
    """Run a server whose every connection is handed to `speak` with an event that ends it; give its address."""
    ended = threading.Event()
    listener = socket.create_server(("127.0.0.1", 0))

    def accept() -> None:
        with suppress(OSError):
            while True:
                connection, _ = listener.accept()
                threading.Thread(target=converse, args=[connection], daemon=True).start()

    def converse(connection: socket.socket) -> None:
        with connection, suppress(OSError):
            connection.recv(65536)
            speak(connection, ended)

    thread = threading.Thread(target=accept, daemon=True)
    thread.start()
    try:
        yield f"127.0.0.1:{listener.getsockname()[1]}"
    finally:
        ended.set()
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join()
