"""Servers that somebody forgot inside: real ones on loopback, and every way to make us speak to them."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress

import pytest
from urllib3.util.connection import create_connection

from speckitty_connectors.http import egress
from speckitty_connectors.http.egress import origin_of
from speckitty_connectors.http.session import Transport, TransportSession
from speckitty_connectors.providers.api import ApiError, EgressRefusedError
from speckitty_connectors.providers.manifest import RateLimitDialect
from testbed.hosts import Received, Reply, provider_host

SPELLINGS = [
    "127.0.0.1", "127.1", "127.0.1", "127.0.0.1.", "127.000.000.001", "127.127.127.127", "0", "0.0.0.0",
    "2130706433", "017700000001", "0177.0.0.1", "0x7f000001", "0x7f.1", "0x7F.0.0.0x1", "0x7f.0.0.1",
    "localhost", "LOCALHOST", "localhost.", "x.localhost", "inside.example", "[::1]", "[::]", "[0:0:0:0:0:0:0:1]",
    "[::127.0.0.1]",
    "[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "[::ffff:0:127.0.0.1]", "[64:ff9b::7f00:1]", "[64:ff9b:1::7f00:1]",
    "[2002:7f00:1::]", "[2606:50c0::5efe:7f00:1]", "[fe80::1%25lo]", "\uff11\uff12\uff17.0.0.1",
    "127\u30020\u30020\u30021", "\u24dbocalhost", "127%2e0%2e0%2e1", "good.example@127.0.0.1",
    "good.example:443@127.0.0.1", "good.example\\@127.0.0.1", "good.example#@127.0.0.1", "good.example\t@127.0.0.1",
]  # fmt: skip
"""Ways of writing this machine, each of which some parser or resolver takes for it."""


class Inside:
    """A server that answers nothing and counts who connects."""

    def __init__(self) -> None:
        self.connected = 0
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        self._thread = threading.Thread(target=self._accept)
        self._thread.start()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                connection, _ = self._listener.accept()
                self.connected += 1
                connection.close()

    def close(self) -> int:
        """Take who is on the way, then end; return how many connected."""
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._thread.join()
        self._listener.close()
        return self.connected


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as entered:
        yield entered


@pytest.fixture
def inside(stack: ExitStack) -> Inside:
    """Such a server; it is closed with the test."""
    server = Inside()
    stack.callback(server.close)
    return server


def session_to(transport: Transport, root: str) -> TransportSession:
    return TransportSession(
        transport,
        root=root,
        authorization=lambda: "Bearer t",
        dialect=RateLimitDialect(),
        headers={},
        subject="example",
        patience_seconds=0,
    )


def everything_is_here(host: str, port: int) -> list[str]:
    """Resolve every name to this machine, and numbers as the system does."""
    with suppress(socket.gaierror):
        found = socket.getaddrinfo(host.strip("[]"), port, type=socket.SOCK_STREAM, flags=socket.AI_NUMERICHOST)
        return [str(each[4][0]) for each in found]
    return ["127.0.0.1"]


@pytest.fixture
def on_standard_port(inside: Inside, monkeypatch: pytest.MonkeyPatch) -> Inside:
    """The server, as if https stood on its port: what is refused now is refused for the address alone."""
    monkeypatch.setitem(egress.DEFAULT_PORTS, "https", inside.port)
    return inside


@pytest.mark.parametrize("host", SPELLINGS)
def test_no_spelling_of_this_machine_reaches_a_server_on_it(host: str, on_standard_port: Inside) -> None:
    """A real server on loopback sees no connection, whatever its address is written like."""
    url = f"https://{host}:{on_standard_port.port}/"
    with pytest.raises(EgressRefusedError):
        session_to(Transport(resolve=everything_is_here), url).get(url)
    assert on_standard_port.close() == 0


def test_the_server_would_notice_a_connection(on_standard_port: Inside) -> None:
    """The same server is reached where the operator allows it."""
    root = f"https://localhost:{on_standard_port.port}"
    allowed = Transport(allowed_hosts={f"localhost:{on_standard_port.port}"}, resolve=everything_is_here)
    with pytest.raises(ApiError, match="no response"):
        session_to(allowed, root).post("/")
    assert on_standard_port.close() == 1


def test_a_name_that_turns_to_this_machine_reaches_nothing(
    on_standard_port: Inside, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However often and whenever a resolver changes its mind, what was checked is what is connected to."""
    tried: list[str] = []

    def connect_here_only(address: tuple[str, int], *rest: object, **options: object) -> socket.socket:
        tried.append(address[0])
        if address[0] != "127.0.0.1":
            raise ConnectionRefusedError
        return create_connection(address)

    monkeypatch.setattr(egress, "create_connection", connect_here_only)
    answers = [["140.82.121.4"], ["127.0.0.1"], ["140.82.121.4", "127.0.0.1"], ["127.0.0.1", "140.82.121.4"]] * 10
    turning = iter(answers)
    transport = Transport(resolve=lambda *_: next(turning))
    session = session_to(transport, f"https://turning.example:{on_standard_port.port}")
    for _ in answers:
        with pytest.raises(ApiError):
            session.post("/")
    assert (tried, on_standard_port.close()) == (["140.82.121.4"] * 10, 0)


WAYS = [
    "http://{inside}/", "//{inside}/", "http://{good}@{inside}/", "http://{inside}\\@{good}/", "http:\\\\{inside}/",
    "http://localhost:{port}/", "http://[::ffff:127.0.0.1]:{port}/", "http://2130706433:{port}/", "HTTP://{inside}",
    "http://{good}:{port}/", "https://{good}/", "http://[{inside}/", "http:/\t/{inside}/", "\\\\{inside}/",
]  # fmt: skip
"""Ways for a host to send us to another one, or to another port or scheme of its own."""


@pytest.fixture
def send(stack: ExitStack, inside: Inside) -> Callable[[str, int], TransportSession]:
    """Make a host that redirects inside its own origin so many times and then another way; and a session to it."""

    def make(way: str, hops: int) -> TransportSession:
        def answer(request: Received) -> Reply:
            away = way.format(inside=f"127.0.0.1:{inside.port}", port=inside.port, good=host.address)
            if request.path == "/page":
                return Reply(headers={"Link": f'<{away}>; rel="next"'})
            hop = int(request.path.strip("/") or 0)
            return Reply(status=307, headers={"Location": f"/{hop + 1}" if hop < hops else away})

        host = stack.enter_context(provider_host(answer))
        # Both may be reached: what is tested is that one of them can't send us, with its credential, to the other.
        allowed = {host.address, f"127.0.0.1:{inside.port}", f"localhost:{inside.port}"}
        transport = Transport(allowed_hosts=allowed)
        stack.callback(transport.close)
        return session_to(transport, host.url)

    return make


@pytest.mark.parametrize("hops", [0, 1, 2])
@pytest.mark.parametrize("way", WAYS)
def test_a_chain_of_redirects_leads_nowhere_else(
    way: str, hops: int, inside: Inside, send: Callable[[str, int], TransportSession]
) -> None:
    """After any number of redirects of its own a host can't hand us on, even to one that we may speak to."""
    with pytest.raises(EgressRefusedError):
        send(way, hops).get("/")
    assert inside.close() == 0


@pytest.mark.parametrize("way", WAYS)
def test_a_next_page_lies_nowhere_else(
    way: str, inside: Inside, send: Callable[[str, int], TransportSession]
) -> None:
    """The link to the next page leads to the host that gave it, whatever it names, so nothing is sent inside."""
    page = send(way, 0).get("/page")
    with suppress(EgressRefusedError):  # what isn't a URL is refused at once
        assert origin_of(page.next_link) == origin_of(page.url)
    assert inside.close() == 0
