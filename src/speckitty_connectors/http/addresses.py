"""Which addresses are the public internet; everything else is somebody's inside."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from typing import Final

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
"""What is special inside of it: Teredo and other protocols, documentation, 6to4 and AS112 (IANA's registry)."""

NAT64: Final = IPv6Network("64:ff9b::/96")
"""An IPv4 address in its last 32 bits, for networks without IPv4 (RFC 6052)."""

ISATAP: Final = 0x0000_5EFE
"""Stands before an IPv4 address that packets are tunnelled to; one bit of it may differ (RFC 5214, section 6.1)."""

ISATAP_MASK: Final = 0xFDFF_FFFF


def is_public(address: str) -> bool:
    """Return whether an address belongs to the public internet; what isn't an address does not.

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
