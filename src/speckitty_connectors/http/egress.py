"""Where outbound calls may go: https to public addresses, and what the operator allows beside."""

from __future__ import annotations

import re
import socket
from collections.abc import Callable, Iterable, Sequence
from ipaddress import AddressValueError, IPv4Address, IPv6Address
from typing import Final

from attrs import field, frozen
from urllib3.util.connection import create_connection

from ..errors import ConfigurationError
from ..providers.api import EgressRefusedError
from .addresses import is_public

DEFAULT_PORTS: Final = {"https": 443, "http": 80}

URL: Final = re.compile(
    r"(?P<scheme>https?)://(?P<host>[a-z0-9_](?:[a-z0-9._-]*[a-z0-9_])?|\[[0-9a-f:.]+\])(?::(?P<port>[0-9]{1,5}))?"
    r"(?:[/?][^\\\x00-\x20\x7f]*)?",
    re.ASCII | re.IGNORECASE,
)
"""The URLs that every parser reads alike: no user, backslash, blank, escape or non-ASCII letter before the path."""

NUMBER: Final = re.compile(r"[0-9]+|0x[0-9a-f]*")
"""A last label that makes a host an IPv4 address, however odd ("URL Standard", section "ends in a number")."""

ADDRESSES_TRIED: Final = 4
"""How many addresses of one host are tried; its owner decides how many there are."""

Resolve = Callable[[str, int], Sequence[str]]
"""Returns the addresses of a host, best first; raises `OSError` where it has none."""


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
        """The form in which the operator allows a host."""
        return f"{self.host}:{self.port}"

    @property
    def host_name(self) -> str:
        """The host, with its port where that isn't the scheme's own."""
        return self.host if self.port == DEFAULT_PORTS[self.scheme] else self.host_and_port


def origin_of(url: str) -> Origin:
    """Return the origin of an absolute http or https URL.

    Raises:
        EgressRefusedError: it isn't one that every parser reads alike.
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
    """Ask the system for the addresses of a host, in its order."""
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
    """Decides about every outbound connection.

    Attributes:
        allowed_hosts: ``host:port`` that may be reached although they aren't public, not https or not port 443;
            the operator's to say, never a workspace's.
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
        """Return the origin of a URL that may be asked; its addresses are checked when it is connected to.

        Raises:
            EgressRefusedError: it may not.
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
        """Resolve once, check all addresses, and connect to one of the very addresses that were checked.

        Raises:
            EgressRefusedError: one of the addresses isn't public.
            OSError: none of them could be reached.
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
    """Tell hosts that are a name, or an address in its one canonical form."""
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
