"""What core's own flows make of Linear's manifest: consent, scopes, and how late a delivery may be."""

from __future__ import annotations

import hashlib
import hmac
import json
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qs, urlsplit

import pytest
import responses

from speckitty_connectors import App, Secret
from speckitty_connectors.http.session import Transport
from speckitty_connectors.inbox.responses import VerificationRefusedError
from speckitty_connectors.inbox.signatures import verify
from speckitty_connectors.plugin import OAuthRules
from speckitty_connectors.providers.signatures import with_tolerance
from speckitty_connectors.tokens.oauth import OAuthFlow
from speckitty_connectors_linear import plugin
from speckitty_connectors_linear.manifest import INSTALL_OAUTH, LINK_OAUTH, WEBHOOKS

NOW = datetime(2026, 1, 2, 12, tzinfo=UTC)
SECRETS = {"current": Secret("lin_wh_a-secret-of-some-length")}
(SCHEME,) = WEBHOOKS.schemes.values()


@pytest.fixture
def app() -> App:
    """The app as it is registered with Linear."""
    return App(provider="linear", host="linear.app", client_id="kitty", urls=plugin.manifest.hosts.urls)


@pytest.mark.parametrize(("rules", "actor"), [(INSTALL_OAUTH, "app"), (LINK_OAUTH, "user")])
def test_an_app_and_a_person_authorise_apart(rules: OAuthRules, actor: str, app: App) -> None:
    """The page of consent is forced, PKCE proves the return, and nobody is asked for more than to read."""
    flow = OAuthFlow(rules, app, Secret("s"), Transport())
    url = flow.authorize_url(state="x", redirect_uri="https://host.example/callback", verifier="v")
    asked = parse_qs(urlsplit(url).query)
    assert url.startswith("https://linear.app/oauth/authorize?")
    assert (asked["actor"], asked["prompt"], asked["scope"]) == ([actor], ["consent"], ["read"])
    assert asked["code_challenge_method"] == ["S256"]


@pytest.mark.parametrize("scope", ["read write", "read,write", ["read", "write"]])
def test_scopes_come_back_in_three_spellings(scope: object, app: App) -> None:
    """Asked for with commas they come back with blanks, and as an array for apps of before 2023-12-01."""
    flow = OAuthFlow(INSTALL_OAUTH, app, Secret("s"), Transport())
    granted = {"access_token": "a", "refresh_token": "r", "token_type": "Bearer", "expires_in": 86_399}
    with responses.RequestsMock() as api:
        api.post("https://api.linear.app/oauth/token", json={**granted, "scope": scope})
        tokens = flow.exchange(code="c", redirect_uri="https://host.example/callback", verifier="v")
    assert tokens.scopes == ("read", "write")


def test_retries_may_keep_their_time_and_operators_be_stricter() -> None:
    """It isn't documented whether they are stamped anew; how far a time may be off is the operator's to narrow."""
    sent = NOW - timedelta(hours=6)
    body = json.dumps({"type": "Issue", "webhookTimestamp": int(sent.timestamp() * 1000)}).encode()
    proof = hmac.new(SECRETS["current"].reveal_bytes(), body, hashlib.sha256).hexdigest()
    headers = {"linear-signature": proof, "linear-timestamp": str(int(NOW.timestamp() * 1000))}
    assert verify(SCHEME, SECRETS, headers, body, NOW) == "current"
    with pytest.raises(VerificationRefusedError):
        verify(with_tolerance(SCHEME, 60), SECRETS, headers, body, NOW)
