"""The manifest: what core does in Jira's name, and that the installed plugin is the one tested here."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import pytest

from speckitty_connectors import Registry, Secret
from speckitty_connectors.contract import throttled_seconds, verify
from speckitty_connectors.plugin import Capability, ConnectorsError
from speckitty_connectors_jira import plugin

SCHEMES = plugin.manifest.webhooks.schemes
NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
SECONDS = int(NOW.timestamp())
PUBLISHED = {"current": Secret("It's a Secret to Everybody")}
BODY = b"Hello World!"
SIGNATURE = "sha256=a4771c39fbe90f317c7824e83ddef3caae9cb3d976c214ace1f2937e133263c9"
CLIENT_SECRET = "ATOA-the-client-secret-of-an-app-with-some-length"


def bearer(header: object, claims: object, secret: str = CLIENT_SECRET) -> str:
    """Sign as RFC 7519 and RFC 7515 say, without the library's help."""
    parts = [_unpadded(json.dumps(part).encode()) for part in (header, claims)]
    mac = hmac.new(secret.encode(), ".".join(parts).encode(), hashlib.sha256).digest()
    return "Bearer " + ".".join([*parts, _unpadded(mac)])


def _unpadded(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def test_the_installed_plugin_is_active() -> None:
    """The registry finds the plugin by its entry point, accepts its hooks and names what it can do."""
    provider = Registry().provider("jira")
    assert provider.manifest is plugin.manifest
    assert {capability: support.level for capability, support in provider.manifest.capabilities.items()} == {
        Capability.INSTALL: "full",
        Capability.LINK_USER: "full",
        Capability.LIST_RESOURCES: "full",
        Capability.SUGGEST_MAPPINGS: "full",
        Capability.SUBSCRIBE: "partial",
        Capability.ROUTE_EVENT: "partial",
    }


def test_atlassians_own_example_of_a_signature_is_accepted() -> None:
    """The secret, body and signature that Atlassian publishes ("Webhooks", "Secure admin webhooks") verify."""
    assert verify(SCHEMES["admin"], PUBLISHED, {"x-hub-signature": SIGNATURE}, BODY, NOW) == "current"


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"x-hub-signature": SIGNATURE.replace("sha256", "sha1")},
        {"x-hub-signature": SIGNATURE.removeprefix("sha256=")},
        {"x-hub-signature": SIGNATURE[:-1] + "8"},
        {"x-hub-signature-256": SIGNATURE},
        {"authorization": bearer({"alg": "HS256"}, {"iat": SECONDS, "exp": SECONDS + 60})},
    ],
)
def test_what_an_admin_webhook_would_not_have_signed_is_refused(headers: Mapping[str, str]) -> None:
    """No signature, another method, another header or a token: where a secret is known nothing else proves."""
    with pytest.raises(ConnectorsError):
        verify(SCHEMES["admin"], PUBLISHED, headers, BODY, NOW)


def test_a_token_signed_with_the_client_secret_is_accepted() -> None:
    """Webhooks of an app carry no signature, but a bearer token (HS256)."""
    headers = {"authorization": bearer({"alg": "HS256", "typ": "JWT"}, {"iat": SECONDS, "exp": SECONDS + 60})}
    assert verify(SCHEMES["app"], {"s": Secret(CLIENT_SECRET)}, headers, BODY, NOW) == "s"


@pytest.mark.parametrize(
    ("header", "claims", "secret"),
    [
        ({"alg": "none"}, {"iat": SECONDS, "exp": SECONDS + 60}, CLIENT_SECRET),
        ({"alg": "HS512"}, {"iat": SECONDS, "exp": SECONDS + 60}, CLIENT_SECRET),
        ({"alg": "HS256"}, {"iat": SECONDS, "exp": SECONDS + 60}, CLIENT_SECRET[:-1]),
        ({"alg": "HS256"}, {"iat": SECONDS - 600, "exp": SECONDS - 61}, CLIENT_SECRET),
        ({"alg": "HS256"}, {"iat": SECONDS + 61, "exp": SECONDS + 600}, CLIENT_SECRET),
        ({"alg": "HS256"}, {"iat": SECONDS}, CLIENT_SECRET),
        ({"alg": "HS256"}, {"exp": SECONDS + 60}, CLIENT_SECRET),
    ],
)
def test_a_token_that_proves_nothing_is_refused(header: object, claims: object, secret: str) -> None:
    """Another algorithm or secret, a time that has passed or is to come, or none at all."""
    headers = {"authorization": bearer(header, claims, secret)}
    with pytest.raises(ConnectorsError):
        verify(SCHEMES["app"], {"s": Secret(CLIENT_SECRET)}, headers, BODY, NOW)


@pytest.mark.parametrize(
    ("status", "headers", "wait"),
    [
        (429, {"Retry-After": "7", "RateLimit-Reason": "jira-burst-based"}, 7.0),
        (429, {"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": "2026-01-02T04:00:00Z"}, 3355.0),
        (429, {}, 60.0),
        (503, {"Retry-After": "7"}, 7.0),
        (503, {}, None),
        (403, {"Retry-After": "7"}, None),
    ],
)
def test_throttling_is_read_as_jira_tells_it(status: int, headers: dict[str, str], wait: float | None) -> None:
    """Seconds first, then the end of the hour in ISO 8601; some 503 ask to wait as well."""
    lowered = {name.lower(): value for name, value in headers.items()}
    found = throttled_seconds(plugin.manifest.rate_limits, status=status, headers=lowered, now=NOW)
    assert found == wait


def test_every_url_of_the_manifest_is_one_that_atlassian_documents() -> None:
    """People authorise at one host, everything else is asked at another, each site below its cloud id."""
    urls, rules = plugin.manifest.hosts.urls, plugin.manifest.install_oauth
    assert rules is not None
    filled: list[Any] = [urls.fill(template) for template in (rules.authorize_url, rules.token_url)]
    assert [*filled, urls.api_of("c1")] == [
        "https://auth.atlassian.com/authorize",
        "https://auth.atlassian.com/oauth/token",
        "https://api.atlassian.com/ex/jira/c1",
    ]
