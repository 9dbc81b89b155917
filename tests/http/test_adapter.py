"""One call over real sockets: TLS by name, and an end to everything a hostile host may send."""

from __future__ import annotations

import gzip
import os
import socket
import threading
import traceback
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from speckitty_connectors.http.session import Transport, TransportSession
from speckitty_connectors.providers.api import ApiError, ApiUnavailableError, EgressRefusedError
from speckitty_connectors.providers.manifest import RateLimitDialect
from testbed.certificates import tls_for
from testbed.hosts import Received, Reply, provider_host, raw_host

CANARY = "canary-of-the-credential"
HEAD = b"HTTP/1.1 200 OK\r\n"
ENDLESS = 64_000_000
"""More bytes than fit into all buffers on the way."""


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as entered:
        yield entered


def session_to(stack: ExitStack, address: str, *, credential: str = CANARY, **limits: object) -> TransportSession:
    transport = Transport(allowed_hosts={address}, **limits)  # type: ignore[arg-type]  # tests name what they need
    stack.callback(transport.close)
    return TransportSession(
        transport,
        root=f"http://{address}",
        authorization=lambda: f"Bearer {credential}",
        dialect=RateLimitDialect(),
        headers={"Accept": "application/json"},
        subject="example",
        patience_seconds=0,
    )


@pytest.mark.parametrize("name", ["api.example", "other.example"])
def test_tls_is_verified_by_the_hosts_name(name: str, stack: ExitStack, tmp_path: Path) -> None:
    """The connection goes to the checked address, but the certificate must be of the host that was asked for."""
    tls, certificate = tls_for("api.example", tmp_path)
    host = stack.enter_context(provider_host(lambda request: Reply(body=b'{"ok": true}'), tls=tls))
    transport = Transport(
        allowed_hosts={f"{name}:{host.port}"}, resolve=lambda *_: ["127.0.0.1"], certificates=certificate
    )
    stack.callback(transport.close)
    session = TransportSession(
        transport,
        root=f"https://{name}:{host.port}",
        authorization=lambda: "Bearer t",
        dialect=RateLimitDialect(),
        headers={},
        subject="example",
        patience_seconds=0,
    )
    if name == "api.example":
        assert session.get("/").json() == {"ok": True}
        assert host.received[0].headers["Host"] == f"api.example:{host.port}"
    else:
        with pytest.raises(ApiUnavailableError, match="SSLError"):
            session.get("/")


def test_a_certificate_that_nobody_vouches_for_is_refused(stack: ExitStack, tmp_path: Path) -> None:
    """Without the operator's certificates, a self-made one doesn't pass."""
    tls, _ = tls_for("api.example", tmp_path)
    host = stack.enter_context(provider_host(lambda request: Reply(), tls=tls))
    transport = Transport(allowed_hosts={f"api.example:{host.port}"}, resolve=lambda *_: ["127.0.0.1"])
    stack.callback(transport.close)
    session = TransportSession(
        transport,
        root=f"https://api.example:{host.port}",
        authorization=lambda: "Bearer t",
        dialect=RateLimitDialect(),
        headers={},
        subject="example",
    )
    with pytest.raises(ApiUnavailableError, match="SSLError"):
        session.post("/")
    assert host.received == []


def test_a_connection_is_kept_for_the_next_call(stack: ExitStack) -> None:
    """Calls in a row share one connection, each with its own limits."""
    host = stack.enter_context(provider_host(lambda request: Reply(body=b"[]")))
    session = session_to(stack, host.address)
    for _ in range(3):
        assert session.get("/").json() == []
    assert len({request.client for request in host.received}) == 1


def test_a_forked_process_has_connections_of_its_own(stack: ExitStack, monkeypatch: pytest.MonkeyPatch) -> None:
    """A worker never speaks on a connection that its parent left open."""
    host = stack.enter_context(provider_host(lambda request: Reply(body=b"[]")))
    session = session_to(stack, host.address)
    session.get("/")
    monkeypatch.setattr(os, "getpid", lambda: -1)
    session.get("/")
    session.get("/")
    parents, first, second = (request.client for request in host.received)
    assert parents != first
    assert first == second


def test_nothing_of_the_environment_is_sent_or_obeyed(
    stack: ExitStack, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Neither a proxy nor a .netrc of the machine changes where a call goes or who it is for."""
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login someone password something\n")
    monkeypatch.setenv("NETRC", str(netrc))
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    host = stack.enter_context(provider_host(lambda request: Reply(headers={"Set-Cookie": "session=1"})))
    session = session_to(stack, host.address)
    session.get("/")
    session.get("/")
    assert [request.headers["Authorization"] for request in host.received] == [f"Bearer {CANARY}"] * 2
    assert not any("Cookie" in request.headers for request in host.received)


@pytest.mark.parametrize(
    ("head", "piece"),
    [
        pytest.param(HEAD + b"Content-Length: 99999999999\r\n\r\n", b"x" * 65536, id="announced"),
        pytest.param(HEAD + b"\r\n", b"x" * 65536, id="unannounced"),
        pytest.param(
            HEAD + b"Transfer-Encoding: chunked\r\n\r\n", b"1000\r\n" + b"x" * 4096 + b"\r\n", id="chunked"
        ),
    ],
)
def test_an_endless_body_ends_at_the_limit(head: bytes, piece: bytes, stack: ExitStack) -> None:
    """However a body without end is sent, reading stops at the limit."""

    def speak(connection: socket.socket, ended: threading.Event) -> None:
        connection.sendall(head)
        while not ended.is_set():
            connection.sendall(piece)

    address = stack.enter_context(raw_host(speak))
    with pytest.raises(ApiError, match="larger than 1000000 bytes"):
        session_to(stack, address, body_limit=1_000_000).get("/")


@pytest.mark.parametrize(
    "head",
    [
        pytest.param(b"", id="status"),
        pytest.param(HEAD + b"X: ", id="header"),
        pytest.param(HEAD + b"Transfer-Encoding: chunked\r\n\r\n", id="size of a chunk"),
        pytest.param(HEAD + b"Transfer-Encoding: chunked\r\n\r\n1;", id="extension of a chunk"),
        pytest.param(HEAD + b"Transfer-Encoding: chunked\r\n\r\n0\r\nX: ", id="trailer"),
    ],
)
def test_a_line_without_an_end_is_not_collected(head: bytes, stack: ExitStack) -> None:
    """What HTTP has beside the body is held to a limit too: a line that never ends is given up, not kept."""
    sent: list[int] = []

    def speak(connection: socket.socket, ended: threading.Event) -> None:
        connection.sendall(head)
        while not ended.is_set() and sum(sent) < ENDLESS:
            sent.append(connection.send(b"1" * 65536))

    address = stack.enter_context(raw_host(speak))
    with pytest.raises(ApiUnavailableError):
        session_to(stack, address, body_limit=1_000_000).post("/")
    assert sum(sent) < ENDLESS


@pytest.mark.parametrize(
    "first",
    [
        pytest.param(b"", id="headers"),
        pytest.param(HEAD + b"Content-Length: 1000000\r\n\r\n", id="announced body"),
        pytest.param(HEAD + b"\r\n", id="unannounced body"),
        pytest.param(HEAD + b"Transfer-Encoding: chunked\r\n\r\n", id="chunk size"),
    ],
)
def test_a_host_that_drips_is_cut_off(first: bytes, stack: ExitStack) -> None:
    """A host that sends a little before each read's time is over can't hold a call longer than a call may take."""

    def speak(connection: socket.socket, ended: threading.Event) -> None:
        connection.sendall(first)
        while not ended.wait(0.01):
            connection.sendall(b"1")

    address = stack.enter_context(raw_host(speak))
    with pytest.raises(ApiUnavailableError):
        session_to(stack, address, call_seconds=0.3, timeout_seconds=5).post("/")


def _say_nothing(_: socket.socket, ended: threading.Event) -> None:
    ended.wait()


def test_a_silent_host_meets_the_timeout(stack: ExitStack) -> None:
    """A host that accepts and says nothing is given up on."""
    address = stack.enter_context(raw_host(_say_nothing))
    with pytest.raises(ApiUnavailableError, match="no response"):
        session_to(stack, address, timeout_seconds=0.1).post("/")


@pytest.mark.parametrize(
    "said",
    [
        b"",
        b"nonsense\r\n\r\n",
        b"HTTP/1.1 abc\r\n\r\n",
        HEAD + b"Content-Length: 10\r\n\r\nshort",
        HEAD + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n",
        HEAD + b"X: " + b"x" * 70_000 + b"\r\n\r\n",
        HEAD + b"X: x\r\n" * 200 + b"\r\n",
    ],
)
def test_broken_http_is_a_typed_error(said: bytes, stack: ExitStack) -> None:
    """Whatever a host says instead of HTTP becomes an error of ours, never another exception or half an answer."""

    def speak(connection: socket.socket, ended: threading.Event) -> None:
        connection.sendall(said)

    address = stack.enter_context(raw_host(speak))
    with pytest.raises(ApiUnavailableError):
        session_to(stack, address).post("/")


def test_a_packed_answer_is_not_unpacked(stack: ExitStack) -> None:
    """A few bytes can't become gigabytes: packed answers aren't asked for, and refused where they come."""
    bomb = gzip.compress(b"0" * 10_000_000)
    host = stack.enter_context(
        provider_host(lambda request: Reply(headers={"Content-Encoding": "gzip"}, body=bomb))
    )
    with pytest.raises(ApiError, match="compressed"):
        session_to(stack, host.address).get("/")
    assert host.received[0].headers["Accept-Encoding"] == "identity"


def refused_inside(stack: ExitStack) -> TransportSession:
    transport = Transport(resolve=lambda *_: ["10.0.0.1"])
    return TransportSession(
        transport,
        root="https://inside.example",
        authorization=lambda: f"Bearer {CANARY}",
        dialect=RateLimitDialect(),
        headers={},
        subject="example",
    )


@pytest.mark.parametrize("case", ["refused", "broken", "status", "not a header"])
def test_no_error_shows_the_credential(case: str, stack: ExitStack) -> None:
    """Neither the text nor a traceback with local variables shows the Authorization header."""
    if case == "refused":
        session = refused_inside(stack)
    elif case == "broken":
        address = stack.enter_context(raw_host(lambda connection, ended: None))
        session = session_to(stack, address)
    else:
        host = stack.enter_context(provider_host(lambda request: Reply(status=403, body=CANARY.encode())))
        session = session_to(
            stack, host.address, credential=CANARY + ("\r\nX: ☃" if case == "not a header" else "")
        )
    with pytest.raises(ApiError) as caught:
        session.get("/")
    frames = traceback.TracebackException.from_exception(caught.value, capture_locals=True).format()
    own = [line for line in frames if "test_adapter" not in line]
    assert CANARY not in "".join(own)
    assert CANARY not in repr(caught.value)
    assert caught.value.__context__ is None
    assert isinstance(caught.value, EgressRefusedError) == (case == "refused")


def test_the_request_is_what_was_asked_for(stack: ExitStack) -> None:
    """Parameters, JSON documents and the manifest's headers arrive as they were given."""
    seen: list[Received] = []

    def answer(request: Received) -> Reply:
        seen.append(request)
        return Reply(status=201)

    host = stack.enter_context(provider_host(answer))
    session = session_to(stack, host.address)
    session.get("/boards", parameters={"page": "2", "q": "a b"})
    session.post("/boards", document={"name": "menu"})
    session.put("/boards/1", document=[1])
    session.delete("/boards/1")
    assert [(request.method, request.path, request.body) for request in seen] == [
        ("GET", "/boards?page=2&q=a+b", b""),
        ("POST", "/boards", b'{"name":"menu"}'),
        ("PUT", "/boards/1", b"[1]"),
        ("DELETE", "/boards/1", b""),
    ]
    assert {request.headers["Accept"] for request in seen} == {"application/json"}
    assert {request.headers["User-Agent"] for request in seen} == {"speckitty-connectors"}
    assert seen[1].headers["Content-Type"] == "application/json"
