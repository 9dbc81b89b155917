"""How the remotes of a host's repositories are spelled, and that signals of them are found by it."""

from __future__ import annotations

import pytest
from attrs import evolve
from sqlalchemy import insert

from speckitty_connectors import Signal
from speckitty_connectors.contract.fake import MANIFEST
from speckitty_connectors.credentials.tables import apps
from speckitty_connectors.signals.observations import Observation, observe
from speckitty_connectors.store.engine import Store
from speckitty_connectors.suggestions.repository_names import Addresses
from testbed.layers import MOMENT, add_installation

OWN = Addresses(web="https://fake.example", hosts=("fake.example", "ssh.fake.example", "www.fake.example"))
PORT = Addresses(web="https://git.example:8443", hosts=("git.example",))
ROOT = Addresses(web="https://example.org/boards", hosts=("example.org",))
PLAIN = Addresses(web="http://10.0.0.7", hosts=("10.0.0.7",))
IPV6 = Addresses(web="https://[2001:db8::7]", hosts=("2001:db8::7",))


def is_found(addresses: Addresses, remote: str) -> bool:
    """Return whether a signal with a remote is found as one of the repository ``Kitchen/Menu``."""
    (part,) = observe(Signal(project_id="apollo", remote_url=remote))
    return isinstance(part, Observation) and part.value in addresses.of("Kitchen/Menu")


@pytest.mark.parametrize(
    ("addresses", "remote"),
    [
        (OWN, "git@fake.example:kitchen/menu.git"),
        (OWN, "https://mona:hunter2@FAKE.example/Kitchen/Menu.GIT"),
        (OWN, "ssh://git@ssh.fake.example:443/kitchen/menu"),
        (OWN, "https://www.fake.example/kitchen/menu/"),
        (PORT, "https://git.example:8443/kitchen/menu.git"),
        (PORT, "ssh://git@git.example:2222/kitchen/menu.git"),
        (ROOT, "https://example.org/boards/kitchen/menu"),
        (ROOT, "git@example.org:kitchen/menu.git"),
        (PLAIN, "http://10.0.0.7:80/kitchen/menu"),
        (IPV6, "https://[2001:db8::7]/kitchen/menu"),
        (IPV6, "ssh://git@[2001:db8::7]:22/kitchen/menu"),
    ],
)
def test_a_repository_is_found_by_each_of_its_remotes(addresses: Addresses, remote: str) -> None:
    """Scheme, port, alias, relative root and letters' case are as the host has them."""
    assert is_found(addresses, remote)


@pytest.mark.parametrize(
    ("addresses", "remote"),
    [
        (OWN, "git@other.example:kitchen/menu.git"),
        (OWN, "https://fake.example.evil.example/kitchen/menu"),
        (OWN, "https://fake.example:8443/kitchen/menu"),
        (OWN, "https://fake.example/deeper/kitchen/menu"),
        (OWN, "https://fake.example/kitchen/menus"),
        (PORT, "https://git.example/kitchen/menu.git"),
        (ROOT, "https://example.org/kitchen/menu"),
        (ROOT, "https://example.org/boards2/kitchen/menu"),
    ],
)
def test_a_repository_is_not_found_by_anothers(addresses: Addresses, remote: str) -> None:
    """Another host, port or root has other repositories, even of the same name."""
    assert not is_found(addresses, remote)


@pytest.mark.parametrize(
    ("host", "base_url", "expected"),
    [
        ("fake.example", "https://fake.example", OWN),
        ("git.example:8443", "https://git.example:8443", PORT),
        ("example.org", "https://example.org/boards", ROOT),
    ],
)
def test_a_host_is_where_its_app_says(store: Store, host: str, base_url: str, expected: Addresses) -> None:
    """The app of an installation knows the base URL; aliases are of the default host only."""
    installation = add_installation(store, host=host, app_id="app")
    hosts = evolve(MANIFEST.hosts, aliases=("ssh.fake.example", "www.fake.example"))
    row = dict.fromkeys(("workspace_id", "client_id", "client_secret_id", "private_key_id"), "")
    place = {"id": "app", "provider": "fake", "host": host, "base_url": base_url}
    with store.transaction() as connection:
        connection.execute(insert(apps).values(**row, **place, settings={}, created_at=MOMENT))
    with store.reading() as connection:
        assert Addresses.at(connection, installation, evolve(MANIFEST, hosts=hosts)) == expected
