"""Where outbound calls may go: the guard under every call."""

from __future__ import annotations

import socket
from collections.abc import Sequence

import pytest

from speckitty_connectors.errors import ConfigurationError
from speckitty_connectors.http.egress import is_public
from speckitty_connectors.http.session import Transport, TransportSession
from speckitty_connectors.providers.api import ApiUnavailableError, EgressRefusedError
from speckitty_connectors.providers.manifest import RateLimitDialect

HOSTILE_URLS = [
    # loopback, in every way that some parser takes for it
    "https://127.0.0.1/", "https://127.0.0.2/", "https://127.1/", "https://127.0.1/", "https://0/", "https://0.0.0.0/",
    "https://2130706433/", "https://0x7f000001/", "https://0x7f.1/", "https://0x7f.0.0.1/", "https://017700000001/",
    "https://0177.0.0.1/", "https://127.0.0.1./", "https://127.000.000.001/", "https://1.0x/", "https://[::1]/",
    "https://[0:0:0:0:0:0:0:1]/", "https://[::]/", "https://[::127.0.0.1]/", "https://localhost/",
    "https://LOCALHOST/", "https://localhost./",
    # private, link-local, shared, reserved
    "https://10.0.0.1/", "https://172.16.0.1/", "https://172.31.255.255/", "https://192.168.0.1/",
    "https://169.254.169.254/latest/meta-data/", "https://100.64.0.1/", "https://100.100.100.200/",
    "https://192.0.0.192/", "https://192.0.2.1/", "https://198.18.0.1/", "https://198.51.100.1/",
    "https://203.0.113.1/", "https://224.0.0.1/", "https://240.0.0.1/", "https://255.255.255.255/",
    "https://[fe80::1]/", "https://[fe80::1%25eth0]/", "https://[fc00::1]/", "https://[fd00:ec2::254]/",
    "https://[fec0::1]/", "https://[ff02::1]/", "https://[2001:db8::1]/", "https://[100::1]/",
    # IPv4 inside of IPv6
    "https://[::ffff:127.0.0.1]/", "https://[::ffff:7f00:1]/", "https://[::ffff:a9fe:a9fe]/",
    "https://[::ffff:0:127.0.0.1]/", "https://[64:ff9b::7f00:1]/", "https://[64:ff9b::a9fe:a9fe]/",
    "https://[64:ff9b:1::7f00:1]/", "https://[2002:7f00:1::]/", "https://[2002:a9fe:a9fe::1]/",
    "https://[2001:0:4136:e378:8000:63bf:3fff:fdd2]/", "https://[2606:50c0::5efe:7f00:1]/",
    "https://[2606:50c0::200:5efe:a9fe:a9fe]/", "https://[2606:50c0:1:2:0:5efe:a00:1]/",
    # letters that are normalised into others
    "https://\uff11\uff12\uff17.0.0.1/", "https://\u2460\u2461\u2466.\u24ea.\u24ea.\u2460/",
    "https://127\u30020\u30020\u30021/", "https://\u24dbocalhost/", "https://\u212aube.example/",
    "https://127%2e0%2e0%2e1/", "http\u017f://good.example/", "https://good.example\u3002evil/",
    # another host than it seems
    "https://good.example@127.0.0.1/", "https://good.example:443@127.0.0.1/", "https://good.example\\@127.0.0.1/",
    "https:\\\\127.0.0.1/", "https://127.0.0.1\\.good.example/", "https://good.example#@127.0.0.1/",
    "https:///127.0.0.1/", "https:127.0.0.1", "//127.0.0.1/", "https://good.example\t@127.0.0.1/",
    "https://127.0.0.1%00.good.example/", "https://127.0.0.1\n/", " https://good.example/",
    "https://good.example\r\nHost: evil/", "https://[::1", "https://::1/", "https://.good.example/",
    "https://good..example/", f"https://{'a' * 64}.example/",
    # other schemes and ports
    "http://good.example/", "HTTP://good.example/", "ftp://good.example/", "file:///etc/passwd", "gopher://x/",
    "https://good.example:22/", "https://good.example:0/", "https://good.example:65979/", "https://good.example:/",
    "https://good.example:443x/", "",
]  # fmt: skip

ADDRESSES = {"localhost": ["127.0.0.1"], "good.example": ["140.82.121.4"]}


def resolve_without_network(host: str, port: int) -> Sequence[str]:
    """Know a few names, and read numbers as the system's resolver does."""
    if host.lower() in ADDRESSES:
        return ADDRESSES[host.lower()]
    found = socket.getaddrinfo(host.strip("[]"), port, type=socket.SOCK_STREAM, flags=socket.AI_NUMERICHOST)
    return [str(entry[4][0]) for entry in found]


def session_on(transport: Transport, root: str) -> TransportSession:
    return TransportSession(
        transport,
        root=root,
        authorization=lambda: "Bearer t",
        dialect=RateLimitDialect(),
        headers={},
        subject="example",
        patience_seconds=0,
    )


@pytest.fixture
def connections(monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """The addresses that sockets tried to connect to; none of them gets through."""
    tried: list[object] = []

    def connect(_: socket.socket, address: object) -> None:
        tried.append(address)
        raise ConnectionRefusedError

    monkeypatch.setattr(socket.socket, "connect", connect)
    return tried


@pytest.mark.parametrize("url", HOSTILE_URLS)
def test_a_hostile_url_is_refused_before_any_connection(url: str, connections: list[object]) -> None:
    """No way of writing an inside address, another scheme or another port leads to a connection."""
    transport = Transport(resolve=resolve_without_network)
    with pytest.raises(EgressRefusedError):
        session_on(transport, url).get(url)
    assert connections == []


@pytest.mark.parametrize("url", HOSTILE_URLS)
def test_what_is_published_there_is_not_fetched_either(url: str, connections: list[object]) -> None:
    """The way out that carries no credential has the same guard."""
    with pytest.raises(EgressRefusedError):
        Transport(resolve=resolve_without_network).fetch(url)
    assert connections == []


def test_the_table_of_hostile_urls_is_as_long_as_promised() -> None:
    """The table above has at least sixty different addresses."""
    assert len(set(HOSTILE_URLS)) >= 60


def test_a_public_host_is_connected_to_at_the_address_that_was_checked(connections: list[object]) -> None:
    """The address that the guard looked at is the one that the socket gets."""
    transport = Transport(resolve=resolve_without_network)
    with pytest.raises(ApiUnavailableError):
        session_on(transport, "https://good.example").get("/")
    assert connections == [("140.82.121.4", 443)]


def test_a_name_that_changes_its_address_is_resolved_once(connections: list[object]) -> None:
    """A resolver that answers a public address first and loopback afterwards gains nothing."""
    answers = iter([["140.82.121.4"], ["127.0.0.1"], ["127.0.0.1"]])
    transport = Transport(resolve=lambda *_: next(answers))
    with pytest.raises(ApiUnavailableError):
        session_on(transport, "https://rebinding.example").post("/")
    assert connections == [("140.82.121.4", 443)]


@pytest.mark.parametrize("addresses", [["140.82.121.4", "10.0.0.1"], ["2606:50c0:8000::153", "::1"], ["not one"]])
def test_one_inside_address_among_others_refuses_the_host(addresses: list[str], connections: list[object]) -> None:
    """All addresses of a host must be public, not only the first."""
    with pytest.raises(EgressRefusedError):
        session_on(Transport(resolve=lambda *_: addresses), "https://mixed.example").get("/")
    assert connections == []


def test_the_next_address_is_tried_where_the_first_is_out_of_reach(connections: list[object]) -> None:
    """A host whose first address doesn't answer is reached at its second."""
    transport = Transport(resolve=lambda *_: ["2606:50c0:8000::153", "140.82.121.4"])
    with pytest.raises(ApiUnavailableError):
        session_on(transport, "https://two.example").post("/")
    assert [address[0] for address in connections if isinstance(address, tuple)] == [
        "2606:50c0:8000::153",
        "140.82.121.4",
    ]


def test_a_host_without_an_address_is_unavailable() -> None:
    """A name that the resolver doesn't know is a retryable error, not a crash."""

    def unknown(host: str, port: int) -> Sequence[str]:
        raise socket.gaierror(socket.EAI_NONAME, "unknown")

    with pytest.raises(ApiUnavailableError):
        session_on(Transport(resolve=unknown), "https://nowhere.example").post("/")


@pytest.mark.parametrize(
    "url",
    ["http://localhost:9/", "https://localhost:8443/", "https://[::1]:8443/", "https://LocalHost:8443/"],
)
def test_the_operator_may_allow_a_host_and_port(url: str, connections: list[object]) -> None:
    """An allowed host and port may be inside, without TLS, and on another port."""
    transport = Transport(
        allowed_hosts={"localhost:9", "LOCALHOST:8443", "[::1]:8443"}, resolve=resolve_without_network
    )
    with pytest.raises(ApiUnavailableError):
        session_on(transport, url).post("/")
    assert len(connections) == 1


@pytest.mark.parametrize("url", ["http://localhost:10/", "https://localhost/", "http://127.0.0.1:9/"])
def test_an_allowed_host_allows_nothing_beside(url: str, connections: list[object]) -> None:
    """Another port, or another name of the same address, stays refused."""
    transport = Transport(allowed_hosts={"localhost:9"}, resolve=resolve_without_network)
    with pytest.raises(EgressRefusedError):
        session_on(transport, url).get("/")
    assert connections == []


@pytest.mark.parametrize("entry", ["gitlab.internal", "https://gitlab.internal:443", "*.internal:443", "", ":443"])
def test_an_allowed_host_without_a_port_is_a_mistake_in_the_settings(entry: str) -> None:
    """What isn't exactly host:port is refused at the start, not silently ignored."""
    with pytest.raises(ConfigurationError, match="host:port"):
        Transport(allowed_hosts={entry})


@pytest.mark.parametrize("address", ["140.82.121.4", "8.8.8.8", "2606:50c0:8000::153", "64:ff9b::8c52:7904"])
def test_public_addresses_are_public(address: str) -> None:
    """Addresses of the public internet pass, also through NAT64."""
    assert is_public(address)
