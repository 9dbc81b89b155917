"""A real Redis for tests, wherever the program is installed; it can be killed and started again."""

from __future__ import annotations

import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from .postgresql import START_SECONDS, free_port


class RedisMissingError(Exception):
    """The program isn't installed."""


class Redis:
    """One server on a port of its own, which forgets everything when it ends."""

    def __init__(self, program: str) -> None:
        self._port = free_port()
        self._command = [
            program,
            "--port",
            str(self._port),
            "--bind",
            "127.0.0.1",
            "--save",
            "",
            "--appendonly",
            "no",
        ]
        self._server = self._start()

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"redis://127.0.0.1:{self._port}/0"

    def kill(self) -> None:
        """End it at once."""
        self._server.kill()
        self._server.wait(timeout=START_SECONDS)

    def restart(self) -> None:
        """Kill it, and start it again with nothing in it."""
        self.kill()
        self._server = self._start()

    def _start(self) -> subprocess.Popen[bytes]:
        server = subprocess.Popen(self._command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            with suppress(OSError), socket.create_connection(("127.0.0.1", self._port), timeout=1):
                return server
            time.sleep(0.02)
        raise RedisMissingError("Redis was started and doesn't listen")


@contextmanager
def running_redis() -> Iterator[Redis]:
    """Give a Redis that ends with the block.

    Raises:
        RedisMissingError: there is no such program.
    """
    program = shutil.which("redis-server")
    if program is None:
        raise RedisMissingError("Redis isn't installed (Debian: redis-server)")
    server = Redis(program)
    try:
        yield server
    finally:
        server.kill()
