"""A way to a server that a test can freeze: connections stay open, and nothing passes any more."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from threading import Event, Thread

from sqlalchemy.engine import make_url


class FreezingProxy:
    """Passes bytes on to a server, unless frozen."""

    def __init__(self, host: str, port: int) -> None:
        self._upstream = (host, port)
        self._flowing = Event()
        self._flowing.set()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._ends: list[socket.socket] = []
        self._passing: list[Thread] = []
        self._accepting = Thread(target=self._accept, daemon=True)
        self._accepting.start()

    def freeze(self) -> None:
        """Keep back everything from now on."""
        self._flowing.clear()

    def thaw(self) -> None:
        """Pass everything on again, also what was kept back."""
        self._flowing.set()

    def close(self) -> None:
        """Cut every connection and take no further one."""
        self.thaw()
        cut(self._listener)
        self._accepting.join()
        for end in self._ends:
            cut(end)
        for thread in self._passing:
            thread.join()
        for end in (self._listener, *self._ends):
            end.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                near, _ = self._listener.accept()
                try:
                    far = socket.create_connection(self._upstream)
                except ConnectionError:  # the server is down; it may come back
                    near.close()
                    continue
                self._ends += [near, far]
                for source, sink in ((near, far), (far, near)):
                    self._passing.append(Thread(target=self._pass, args=(source, sink), daemon=True))
                    self._passing[-1].start()

    def _pass(self, source: socket.socket, sink: socket.socket) -> None:
        with suppress(OSError):
            while chunk := source.recv(65536):
                self._flowing.wait()
                sink.sendall(chunk)
        cut(sink)


def cut(end: socket.socket) -> None:
    """End a connection, or the listening for one, also where another thread waits for it."""
    with suppress(OSError):
        end.shutdown(socket.SHUT_RDWR)


@contextmanager
def freezable(url: str) -> Iterator[tuple[str, FreezingProxy]]:
    """Give a URL that leads to the same database through a proxy, and the proxy."""
    direct = make_url(url)
    proxy = FreezingProxy(direct.host or "127.0.0.1", direct.port or 5432)
    try:
        through = direct.set(host="127.0.0.1", port=proxy.port)
        yield through.render_as_string(hide_password=False), proxy
    finally:
        proxy.close()
