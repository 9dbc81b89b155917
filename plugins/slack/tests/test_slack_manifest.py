"""What the manifest declares, where it is more than data."""

from __future__ import annotations

from pathlib import Path

import pytest

from speckitty_connectors import Registry
from speckitty_connectors.plugin import Capability
from speckitty_connectors_slack import manifest, plugin


def test_it_is_found_by_its_entry_point() -> None:
    """Installed beside core, the plugin is active, and it is this very object's manifest."""
    assert Registry().provider("slack").manifest is plugin.manifest
    assert "slack" in {found.provider for found in Registry().statuses()}


def test_what_it_cannot_do_it_says() -> None:
    """Suggestions need git remotes, and the two gaps of Slack's own are named."""
    levels = {capability: support.level for capability, support in plugin.manifest.capabilities.items()}
    assert levels == {
        Capability.INSTALL: "full",
        Capability.LINK_USER: "full",
        Capability.LIST_RESOURCES: "partial",
        Capability.SUGGEST_MAPPINGS: "unsupported",
        Capability.ROUTE_EVENT: "partial",
        Capability.SUBSCRIBE: "unsupported",
    }


@pytest.mark.parametrize(
    ("error", "status"),
    [
        ("token_revoked", 401),
        ("account_inactive", 401),
        ("missing_scope", 403),
        ("channel_not_found", 404),
        ("ratelimited", 429),
        ("internal_error", 503),
        ("an error of next year", 400),
    ],
)
def test_every_failure_has_a_status(error: str, status: int) -> None:
    """Slack says 200 to everything; what it means is in the document."""
    assert manifest.FAILURES.status_of({"ok": False, "error": error}) == status


def test_no_wire_fact_stands_twice() -> None:
    """Addresses, headers and scopes are in the manifest, and nowhere else in the plugin but its stand-in."""
    folder = Path(manifest.__file__).parent
    sources = [file.read_text() for file in folder.glob("*.py") if file.name not in {"manifest.py", "answers.py"}]
    for fact in ("slack.com/api", "oauth.v2", "conversations.list", "X-Slack", "groups:read", "ssl_check"):
        assert not any(fact in source for source in sources), fact
