"""Where outbound calls may go: https to public addresses, and hosts that the operator allows."""

from __future__ import annotations

import re
import socket
from collections.abc import Callable, Iterable, Sequence
from ipaddress import AddressValueError, IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from typing import Final

from attrs import field, frozen
from urllib3.util.connection import create_connection

from ..errors import ConfigurationError
from ..providers.api import EgressRefusedError

NOT_PUBLIC_IPV4: Final = tuple(
    IPv4Network(network)
    for network in (
        "0.0.0.0/8",
        "10.0.0.0/8",
        "100.64.0.0/10",
        "127.0.0.0/8",
        "169.254.0.0/16",
        "172.16.0.0/12",
        "192.0.0.0/24",
        "192.0.2.0/24",
        "192.31.196.0/24",
        "192.52.193.0/24",
        "192.88.99.0/24",
        "192.168.0.0/16",
        "192.175.48.0/24",
        "198.18.0.0/15",
        "198.51.100.0/24",
        "203.0.113.0/24",
        "224.0.0.0/3",
    )
)
"""IANA's "IPv4 Special-Purpose Address Registry", all of it, and multicast."""

GLOBAL_UNICAST: Final = IPv6Network("2000::/3")
"""The one block that IANA assigns public IPv6 addresses from ("IPv6 Address Space")."""

NOT_PUBLIC_IPV6: Final = tuple(
    IPv6Network(network)
    for network in ("2001::/23", "2001:db8::/32", "2002::/16", "2620:4f:8000::/48", "3fff::/20")
)
"""Special ranges within it: Teredo and other protocols, documentation, 6to4 and AS112 (IANA's registry)."""

NAT64: Final = IPv6Network("64:ff9b::/96")
"""An IPv4 address in its last 32 bits, for networks without IPv4 (RFC 6052)."""

ISATAP: Final = 0x0000_5EFE
"""Precedes an IPv4 address that packets are tunnelled to; one bit of it may differ (RFC 5214, section 6.1)."""

ISATAP_MASK: Final = 0xFDFF_FFFF


def is_public(address: str) -> bool:
    """Return whether a text is an address of the public internet.

    `ipaddress.is_global` isn't enough: it calls 6to4 and NAT64 forms of private addresses global, and its answers
    differ between Python versions.

    >>> is_public("140.82.121.4"), is_public("127.0.0.1"), is_public("64:ff9b::7f00:1"), is_public("2002:7f00:1::")
    (True, False, False, False)
    """
    try:
        parsed = ip_address(address)
    except ValueError:
        return False
    if isinstance(parsed, IPv4Address):
        return not any(parsed in network for network in NOT_PUBLIC_IPV4)
    return _is_public_ipv6(parsed)


def _is_public_ipv6(address: IPv6Address) -> bool:
    embedded = IPv4Address(int(address) & 0xFFFF_FFFF)
    if address in NAT64:
        return is_public(str(embedded))
    if int(address) >> 32 & ISATAP_MASK == ISATAP and not is_public(str(embedded)):
        return False
    return address in GLOBAL_UNICAST and not any(address in network for network in NOT_PUBLIC_IPV6)


DEFAULT_PORTS: Final = {"https": 443, "http": 80}

URL: Final = re.compile(
    r"(?P<scheme>https?)://(?P<host>[a-z0-9_](?:[a-z0-9._-]*[a-z0-9_])?|\[[0-9a-f:.]+\])(?::(?P<port>[0-9]{1,5}))?"
    r"(?:[/?][^\\\x00-\x20\x7f]*)?",
    re.ASCII | re.IGNORECASE,
)
"""The URLs that every parser reads alike: no user, backslash, blank, escape or non-ASCII letter before the path."""

NUMBER: Final = re.compile(r"[0-9]+|0x[0-9a-f]*")
"""A last label that makes a host an IPv4 address in some spelling ("URL Standard", section "ends in a number")."""

ADDRESSES_TRIED: Final = 4
"""How many addresses of one host are tried; the host's owner could publish any number."""

Resolve = Callable[[str, int], Sequence[str]]
"""Returns the addresses of a host, best first; raises `OSError` if it has none."""


@frozen(kw_only=True)
class Origin:
    """Scheme, host and port of a URL: what a credential is meant for.

    >>> origin_of("HTTPS://API.Example:443/v3?page=2") == origin_of("https://api.example")
    True
    >>> origin_of("https://api.example:8443/").host_name
    'api.example:8443'
    """

    scheme: str
    host: str
    port: int

    @property
    def host_and_port(self) -> str:
        """The form in which an operator writes it into `allowed_hosts`."""
        return f"{self.host}:{self.port}"

    @property
    def host_name(self) -> str:
        """The host, with its port unless that is the scheme's default."""
        return self.host if self.port == DEFAULT_PORTS[self.scheme] else self.host_and_port


def origin_of(url: str) -> Origin:
    """Return the origin of an absolute http or https URL.

    Raises:
        EgressRefusedError: parsers could read it differently.
    """
    match = URL.fullmatch(url)
    if match is None:
        raise _refused("the URL isn't a plain http or https one", "an outbound call")
    scheme, host = match["scheme"].lower(), match["host"].lower()
    port = int(match["port"] or DEFAULT_PORTS[scheme])
    if not 0 < port < 65536 or not _is_plain_host(host):
        raise _refused("the URL's host or port is written in an odd way", "an outbound call")
    return Origin(scheme=scheme, host=host, port=port)


def resolve_host(host: str, port: int) -> Sequence[str]:
    """Return the addresses of a host, in the order in which the system gives them."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return [str(entry[4][0]) for entry in found]


def _allowed_hosts(entries: Iterable[str]) -> frozenset[str]:
    hosts = frozenset(entry.lower() for entry in entries)
    for host in sorted(hosts):
        try:
            is_exact = origin_of(f"http://{host}/").host_and_port == host
        except EgressRefusedError:
            is_exact = False
        if not is_exact:
            raise ConfigurationError(
                f"{host!r} isn't of the form host:port",
                subject="setting allowed_hosts",
                remedy="write it like 'gitlab.internal:443'",
            )
    return hosts


@frozen(kw_only=True)
class Egress:
    """Decides which outbound connections are allowed.

    Attributes:
        allowed_hosts: ``host:port`` that may be reached although they aren't public, not https or not port 443;
            set by the operator, never by a workspace.
        resolve: finds the addresses of a host.

    >>> egress = Egress(allowed_hosts={"127.0.0.1:8000"})
    >>> egress.check("http://127.0.0.1:8000/api").host_and_port
    '127.0.0.1:8000'

    Raises:
        ConfigurationError: an allowed host isn't of the form ``host:port``.
    """

    allowed_hosts: frozenset[str] = field(default=frozenset(), converter=_allowed_hosts)
    resolve: Resolve = resolve_host

    def check(self, url: str) -> Origin:
        """Return the origin of a URL that may be requested; its addresses are checked by `connect`.

        Raises:
            EgressRefusedError: it may not be requested.
        """
        origin = origin_of(url)
        is_standard = origin.scheme == "https" and origin.port == DEFAULT_PORTS["https"]
        if not is_standard and origin.host_and_port not in self.allowed_hosts:
            raise _refused("the URL isn't https on port 443", origin.host_and_port)
        return origin

    def connect(
        self,
        host: str,
        port: int,
        *,
        timeout: float | None,
        options: list[tuple[int, int, int | bytes]] | None,
    ) -> socket.socket:
        """Resolve once, check all addresses, and connect to one of the addresses that were checked.

        Raises:
            EgressRefusedError: one of the addresses isn't public.
            OSError: none of them can be reached.
        """
        failure = OSError("the host has no address")
        for address in self._addresses(host, port)[:ADDRESSES_TRIED]:
            try:
                return create_connection((address, port), timeout, socket_options=options)
            except OSError as error:
                failure = error
        raise failure

    def _addresses(self, host: str, port: int) -> Sequence[str]:
        addresses = self.resolve(host, port)
        name = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        if name.lower() not in self.allowed_hosts and not all(map(is_public, addresses)):
            raise _refused("the host has an address that isn't public", name)
        return addresses


def _is_plain_host(host: str) -> bool:
    """Return whether a host is a name, or an address in its canonical form."""
    try:
        if host.startswith("["):
            return str(IPv6Address(host[1:-1])) == host[1:-1]
        if NUMBER.fullmatch(host.rpartition(".")[2]):
            return str(IPv4Address(host)) == host
    except AddressValueError:
        return False
    return len(host) <= 253 and all(0 < len(label) <= 63 for label in host.split("."))


def _refused(what: str, subject: str) -> EgressRefusedError:
    return EgressRefusedError(
        what,
        subject=subject,
        remedy="use a public https address, or have the operator add host:port to allowed_hosts",
    )
