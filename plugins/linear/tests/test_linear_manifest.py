"""The manifest, as core reads it: consent, tokens, throttling, failures, and the signed time."""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from speckitty_connectors import Registry, Secret
from speckitty_connectors.contract import VerificationRefusedError, throttled_seconds, verify
from speckitty_connectors.plugin import Capability
from speckitty_connectors_linear import manifest, plugin
from speckitty_connectors_linear.manifest import (
    INSTALL_OAUTH,
    LAST_RETRY_SECONDS,
    LINK_OAUTH,
    RATE_LIMITS,
    TOLERANCE_SECONDS,
    WEBHOOKS,
)

NOW = datetime(2026, 1, 2, 12, tzinfo=UTC)
SECRETS = {"current": Secret("lin_wh_a-secret-of-some-length")}
BEYOND = timedelta(seconds=TOLERANCE_SECONDS + 1)
(SCHEME,) = WEBHOOKS.schemes.values()


def test_it_is_found_by_its_entry_point() -> None:
    """Installed beside core, the plugin is active, and what it can do is named."""
    provider = Registry().provider("linear")
    assert provider.manifest is plugin.manifest
    assert {capability: support.level for capability, support in provider.manifest.capabilities.items()} == {
        Capability.INSTALL: "full",
        Capability.LINK_USER: "full",
        Capability.LIST_RESOURCES: "partial",
        Capability.SUGGEST_MAPPINGS: "full",
        Capability.ROUTE_EVENT: "partial",
        Capability.SUBSCRIBE: "unsupported",
    }


def test_only_a_persons_own_authorisation_is_ever_taken_back() -> None:
    """The app is in a workspace once for all who connected it; a refresh may be repeated for half an hour."""
    assert (INSTALL_OAUTH.revoke_url, LINK_OAUTH.revoke_url) == ("", "{api}/oauth/revoke")
    for rules in (INSTALL_OAUTH, LINK_OAUTH):
        assert rules.refresh is not None
        assert (rules.refresh.rotates, rules.refresh.grace_seconds) == (True, 1800)


def milliseconds(seconds: float) -> str:
    return str(int((NOW + timedelta(seconds=seconds)).timestamp() * 1000))


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"Retry-After": "7"}, 7),
        ({"X-RateLimit-Requests-Remaining": "0", "X-RateLimit-Requests-Reset": milliseconds(90)}, 90),
        ({"X-RateLimit-Complexity-Remaining": "0", "X-RateLimit-Complexity-Reset": milliseconds(30)}, 30),
        (
            {
                "X-RateLimit-Requests-Remaining": "0",
                "X-RateLimit-Requests-Reset": milliseconds(30),
                "X-RateLimit-Complexity-Remaining": "0",
                "X-RateLimit-Complexity-Reset": milliseconds(90),
            },
            90,
        ),
        (
            {
                "X-RateLimit-Requests-Remaining": "4999",
                "X-RateLimit-Requests-Reset": milliseconds(3600),
                "X-RateLimit-Endpoint-Requests-Remaining": "0",
                "X-RateLimit-Endpoint-Requests-Reset": milliseconds(20),
            },
            20,
        ),
        ({}, 60),
    ],
)
@pytest.mark.parametrize("status", [200, 400, 429])
def test_throttling_is_a_code_and_ends_in_milliseconds(
    status: int, headers: Mapping[str, str], seconds: float
) -> None:
    """Of the used-up budgets the last one to end counts; the code tells it whatever the status is."""
    lowered = {name.lower(): value for name, value in headers.items()}
    found = throttled_seconds(RATE_LIMITS, status=status, headers=lowered, error_code="RATELIMITED", now=NOW)
    assert found == seconds


def test_a_plain_400_is_no_throttling() -> None:
    """A mistake in a query stays one."""
    assert throttled_seconds(RATE_LIMITS, status=400, headers={}, error_code="INPUT_ERROR", now=NOW) is None


@pytest.mark.parametrize(
    ("code", "status"),
    [
        ("AUTHENTICATION_ERROR", 401),
        ("FORBIDDEN", 403),
        ("RATELIMITED", 429),
        ("INTERNAL_SERVER_ERROR", 503),
        ("INPUT_ERROR", 400),
    ],
)
def test_errors_beside_data_are_failures(code: str, status: int) -> None:
    """GraphQL answers 200 with some of the data; nothing partial is taken for the whole."""
    document = {"data": {"teams": None}, "errors": [{"message": "no", "extensions": {"code": code}}]}
    assert manifest.FAILURES.status_of(document) == status


def signed(at: datetime | None) -> tuple[dict[str, str], bytes]:
    """Sign as "Webhooks" says, without the library's help."""
    sent = {"webhookTimestamp": int(at.timestamp() * 1000)} if at else {}
    body = json.dumps({"type": "Issue", **sent}).encode()
    proof = hmac.new(SECRETS["current"].reveal_bytes(), body, hashlib.sha256).hexdigest()
    return {"linear-signature": proof, "linear-timestamp": str(int(NOW.timestamp() * 1000))}, body


@pytest.mark.parametrize("late", [0, -60, -LAST_RETRY_SECONDS - 300, -TOLERANCE_SECONDS, TOLERANCE_SECONDS])
def test_a_signed_time_may_be_that_of_the_first_try(late: int) -> None:
    """The last retry comes in time, also where it keeps the time of the first try and the clock is minutes off."""
    headers, body = signed(NOW + timedelta(seconds=late))
    assert verify(SCHEME, SECRETS, headers, body, NOW) == "current"


@pytest.mark.parametrize("at", [NOW - BEYOND, NOW + BEYOND, None])
def test_a_stale_body_is_refused_whatever_the_header_says(at: datetime | None) -> None:
    """The time counts where it is signed: in the body. A fresh header doesn't rescue it."""
    headers, body = signed(at)
    with pytest.raises(VerificationRefusedError):
        verify(SCHEME, SECRETS, headers, body, NOW)


def test_no_wire_fact_stands_twice() -> None:
    """Addresses, headers and codes are in the manifest, and nowhere else in the plugin but its stand-in."""
    folder = Path(manifest.__file__).parent
    sources = [file.read_text() for file in folder.glob("*.py") if file.name != "manifest.py"]
    for fact in ("api.linear.app", "oauth/", "Linear-", "ratelimit", "RATELIMITED", "/graphql"):
        assert not any(fact in source for source in sources), fact
