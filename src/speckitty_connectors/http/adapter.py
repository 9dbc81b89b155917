"""The adapter under every outbound request: guarded connections, and a time limit for each call."""

from __future__ import annotations

import io
import os
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from typing import Any, Final

import requests
from requests.adapters import DEFAULT_POOLSIZE, HTTPAdapter
from urllib3 import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import HTTPError

from ..providers.api import ApiError, ApiUnavailableError
from .egress import Egress, Origin, origin_of

CHUNK: Final = 64 * 1024
"""How much of a body is read at a time, in bytes."""


class _Call:
    """A call in progress: where it may connect, and the connections to cut when its time is up."""

    def __init__(self, egress: Egress) -> None:
        self.egress = egress
        self.is_over = False
        self._lock = threading.Lock()
        self._twins: list[socket.socket] = []

    def watch(self, connected: socket.socket) -> None:
        # A second descriptor of the same connection, because TLS takes over the first one.
        with self._lock:
            self._twins.append(socket.socket(fileno=os.dup(connected.fileno())))
        if self.is_over:
            self.cut()

    def cut(self) -> None:
        with self._lock:
            self.is_over = True
            for twin in self._twins:
                with suppress(OSError):
                    twin.shutdown(socket.SHUT_RDWR)

    def release(self) -> None:
        with self._lock:
            for twin in self._twins:
                twin.close()
            self._twins.clear()


_CALL: ContextVar[_Call] = ContextVar("call")
_MAY_LEAVE: ContextVar[Callable[[], bool]] = ContextVar("may_leave", default=lambda: True)


@contextmanager
def leaving_only_if(may_leave: Callable[[], bool]) -> Iterator[None]:
    """Ask before each piece of a request of this block leaves; connecting is over by then, which may take seconds.

    A request that may leave no longer raises `ApiUnavailableError`.
    """
    token = _MAY_LEAVE.set(may_leave)
    try:
        yield
    finally:
        _MAY_LEAVE.reset(token)


@contextmanager
def _calling(egress: Egress, seconds: float) -> Iterator[_Call]:
    """Cut the call's connections after so many seconds: a server that sends slowly never meets a read timeout."""
    call = _Call(egress)
    timer = threading.Timer(seconds, call.cut)
    timer.daemon = True
    timer.start()
    token = _CALL.set(call)
    try:
        yield call
    finally:
        _CALL.reset(token)
        timer.cancel()
        call.release()


class GuardedConnection(HTTPConnection):
    """Connects only through the guard of the call in progress; TLS and the Host header keep the host's name."""

    def _new_conn(self) -> socket.socket:
        call = _CALL.get()
        timeout = self.timeout if isinstance(self.timeout, int | float) else None
        options = self.socket_options
        connected = call.egress.connect(self.host, self.port or 0, timeout=timeout, options=options)
        call.watch(connected)
        return connected

    def putrequest(self, *args: Any, **options: Any) -> None:
        """Start a request; a connection that is used again belongs to the new call."""
        if self.sock is not None:
            _CALL.get().watch(self.sock)
        super().putrequest(*args, **options)

    def send(self, data: Any) -> None:
        """Send a piece of a request, if it may still leave."""
        if self.sock is None:
            self.connect()
        if not _MAY_LEAVE.get()():
            raise ApiUnavailableError(
                "the time for this request was over, or another process had made it, before it was sent",
                subject=self.host,
                remedy="try again",
            )
        super().send(data)


class GuardedSecureConnection(GuardedConnection, HTTPSConnection):
    """The same, with TLS."""


class _Pool(HTTPConnectionPool):
    ConnectionCls = GuardedConnection  # pyright: ignore[reportAssignmentType]  # as urllib3's own classes are


class _SecurePool(HTTPSConnectionPool):
    ConnectionCls = GuardedSecureConnection  # pyright: ignore[reportAssignmentType]  # the same


class GuardedAdapter(HTTPAdapter):
    """Sends one request and reads the whole response, or raises one of our errors, without the request in it.

    It follows no redirects and uses no proxy. Mount it on a `requests.Session` for both schemes, or use it alone.
    `Transport` says what its limits are.
    """

    def __init__(
        self,
        egress: Egress,
        *,
        timeout_seconds: float,
        call_seconds: float,
        body_limit: int,
        certificates: str = "",
    ) -> None:
        self.egress = egress
        self._timeout_seconds = timeout_seconds
        self._call_seconds = call_seconds
        self._body_limit = body_limit
        self._certificates = certificates
        self._process = os.getpid()
        super().__init__(max_retries=0)

    def init_poolmanager(self, *args: Any, **options: Any) -> None:
        """Make all connections with the guarded classes."""
        super().init_poolmanager(*args, **options)
        self.poolmanager.pool_classes_by_scheme = {"http": _Pool, "https": _SecurePool}

    def send(self, request: requests.PreparedRequest, *_: Any, **__: Any) -> requests.Response:
        """Send a request; further options of requests are ignored, because the same limits apply to every call.

        Raises:
            EgressRefusedError: the guard refuses the URL, or an address of its host.
            ApiUnavailableError: no connection, or no complete response in time.
            ApiError: the response is too large, or compressed although that wasn't asked for.
        """
        origin = self.egress.check(request.url or "")
        self._leave_parents_connections()
        # A small compressed response could grow without limit.
        request.headers["Accept-Encoding"] = "identity"
        failure: ApiError
        try:
            with _calling(self.egress, self._call_seconds) as call:
                answer = self._exchange(request)
            if not call.is_over:
                return answer
            failure = _no_answer("TimeLimit", origin)
        except (requests.RequestException, HTTPError) as error:
            failure = _no_answer(type(error).__name__, origin)
        except ApiError as error:
            failure = error.with_traceback(None)
        # Raised here, so that no frame and no cause of the error holds the request and its secrets.
        raise failure

    def _leave_parents_connections(self) -> None:
        """Start without connections in a forked process: the open ones are still used by its parent."""
        if self._process != os.getpid():
            self.init_poolmanager(DEFAULT_POOLSIZE, DEFAULT_POOLSIZE)
            self._process = os.getpid()

    def _exchange(self, request: requests.PreparedRequest) -> requests.Response:
        answer = super().send(
            request,
            stream=True,
            timeout=(self._timeout_seconds, self._timeout_seconds),
            verify=self._certificates or True,
        )
        connected = answer.raw
        try:
            answer.raw = io.BytesIO(self._read(answer, origin_of(request.url or "")))
        except BaseException:
            connected.close()
            raise
        return answer

    def _read(self, answer: requests.Response, origin: Origin) -> bytes:
        if answer.headers.get("Content-Encoding", "identity").lower() != "identity":
            raise _unusable("the response is compressed, which wasn't asked for", origin, answer.status_code)
        body = bytearray()
        # Not `stream`: older releases of urllib3 read the line with a chunk's size to its end, however long it is.
        while piece := answer.raw.read(CHUNK, decode_content=False):
            body += piece
            if len(body) > self._body_limit:
                raise _unusable(f"the response is larger than {self._body_limit} bytes", origin, answer.status_code)
        return bytes(body)


def _no_answer(reason: str, origin: Origin) -> ApiUnavailableError:
    return ApiUnavailableError(
        f"no response ({reason})",
        subject=origin.host_and_port,
        remedy="try again; if it keeps failing, check that the host can be reached",
    )


def _unusable(what: str, origin: Origin, status: int) -> ApiError:
    return ApiError(what, subject=origin.host_and_port, remedy="tell the operator of that host", status=status)
