"""The manifest: what core does in GitHub's name, and that the installed plugin is the one tested here."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from speckitty_connectors import Registry, Secret
from speckitty_connectors.contract import verify
from speckitty_connectors.plugin import Capability, ConnectorsError, Delivery, Ignored
from speckitty_connectors_github import plugin

SECRET = {"current": Secret("It's a Secret to Everybody")}
BODY = b"Hello, World!"
SIGNATURE = "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"
NOW = datetime(2026, 1, 2, tzinfo=UTC)


def test_the_installed_plugin_is_active() -> None:
    """The registry finds the plugin by its entry point, accepts its hooks and names what it can do."""
    provider = Registry().provider("github")
    assert provider.manifest is plugin.manifest
    assert {capability: support.level for capability, support in provider.manifest.capabilities.items()} == {
        Capability.INSTALL: "full",
        Capability.LINK_USER: "full",
        Capability.LIST_RESOURCES: "full",
        Capability.SUGGEST_MAPPINGS: "full",
        Capability.ROUTE_EVENT: "partial",
        Capability.SUBSCRIBE: "unsupported",
    }


def test_githubs_own_example_of_a_signature_is_accepted() -> None:
    """The secret, body and signature that GitHub publishes ("Validating webhook deliveries") verify."""
    (scheme,) = plugin.manifest.webhooks.schemes.values()
    assert verify(scheme, SECRET, {"x-hub-signature-256": SIGNATURE}, BODY, NOW) == "current"


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"x-hub-signature": "sha1=" + "0" * 40},
        {"x-hub-signature-256": SIGNATURE.removeprefix("sha256=")},
        {"x-hub-signature-256": SIGNATURE[:-1] + "8"},
    ],
)
def test_what_github_would_not_have_signed_is_refused(headers: dict[str, str]) -> None:
    """No signature, the old SHA-1 one, another spelling or another value: none of them proves anything."""
    (scheme,) = plugin.manifest.webhooks.schemes.values()
    with pytest.raises(ConnectorsError):
        verify(scheme, SECRET, headers, BODY, NOW)


@pytest.mark.parametrize("kind", sorted(plugin.manifest.webhooks.unrouted_kinds))
def test_what_is_dropped_by_its_header_would_be_ignored_anyway(kind: str) -> None:
    """Dropping a kind unread loses nothing that `route_event` would have used."""
    delivery = Delivery(
        provider="github", host="github.com", kind=kind, content=b'{"action": "created"}', received_at=NOW
    )
    assert isinstance(plugin.route_event(delivery), Ignored)
