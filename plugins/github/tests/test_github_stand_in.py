"""The stand-in: as strict as GitHub where a mistake would matter."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs, urlencode

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from speckitty_connectors.plugin import Change, Event, Ignored, Lifecycle, Outcome
from speckitty_connectors.standin import stand_ins
from speckitty_connectors_github.standin import GitHubStandIn

FAR_AHEAD = 2**33
"""Epoch seconds of the year 2242."""


def test_it_is_found_by_its_entry_point() -> None:
    """Core finds the stand-in by the provider's key, without naming the plugin."""
    assert stand_ins()["github"] is GitHubStandIn


def test_the_install_page_lands_on_the_setup_url(client: Any) -> None:
    """The person agrees at once and lands with id, action and the state that was sent."""
    page = client.ask("GET", "/github-apps/kitty-stand-in/installations/new?state=s")
    assert page.status == 302
    assert page.headers["Location"].startswith(f"{client.setup_url}&")
    assert page.parameters == {
        "from": "github",
        "installation_id": "4242",
        "setup_action": "install",
        "state": "s",
    }


def test_a_code_is_exchanged_once(client: Any) -> None:
    """With secret and verifier a code gives a pair of tokens without scopes, and a second time nothing."""
    code = client.new_code()
    answer = client.exchange(code=code)
    assert answer["access_token"].startswith("ghu_")
    assert answer["scope"] == ""
    assert client.exchange(code=code)["error"] == "bad_verification_code"


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"code_verifier": "another"}, "bad_verification_code"),
        ({"code_verifier": ""}, "bad_verification_code"),
        ({"client_secret": "another"}, "incorrect_client_credentials"),
        ({"redirect_uri": "https://evil.example"}, "redirect_uri_mismatch"),
        ({"code": "another"}, "bad_verification_code"),
    ],
)
def test_a_wrong_exchange_is_refused_with_status_200(client: Any, change: dict[str, str], error: str) -> None:
    """A wrong verifier, secret, address or code gives GitHub's error in an answer that says 200."""
    assert client.exchange(**change)["error"] == error


def test_tokens_come_as_a_form_unless_json_is_asked_for(client: Any) -> None:
    """Who forgets the Accept header gets a form, as from GitHub."""
    form = {**client.credentials, "code": client.new_code(), "code_verifier": client.verifier}
    page = client.ask("POST", "/login/oauth/access_token", form=form)
    assert page.headers["Content-Type"].startswith("application/x-www-form-urlencoded")
    assert parse_qs(page.body.decode())["token_type"] == ["bearer"]


def test_a_refresh_kills_the_pair_before_it(client: Any) -> None:
    """A refresh token works once, and the access token that came with it is dead afterwards."""
    old = client.exchange()
    refresh = {"grant_type": "refresh_token", "refresh_token": old["refresh_token"]}
    new = client.exchange(**refresh)
    assert client.exchange(**refresh)["error"] == "bad_refresh_token"
    assert client.ask("GET", "/api/v3/user", authorization=f"Bearer {old['access_token']}").status == 401
    assert client.ask("GET", "/api/v3/user", authorization=f"Bearer {new['access_token']}").status == 200


@pytest.mark.parametrize(
    "query",
    [
        {"client_id": "another"},
        {"redirect_uri": "https://evil.example"},
        {"code_challenge": "x" * 43, "code_challenge_method": "plain"},
    ],
)
def test_a_wrong_authorisation_lands_with_an_error(client: Any, query: dict[str, str]) -> None:
    """A wrong app, address or challenge method gives no code, and never leads away from the callback."""
    whole = urlencode({"client_id": client.credentials["client_id"], "state": "s", **query})
    page = client.ask("GET", f"/login/oauth/authorize?{whole}")
    assert page.headers["Location"].startswith(client.callback_url)
    assert "error" in page.parameters
    assert "code" not in page.parameters


def test_an_app_gets_an_installation_token_for_its_jwt(client: Any) -> None:
    """A JWT of the app's key gives a token as long as GitHub's are since 2026."""
    page = client.mint()
    assert page.status == 201
    assert re.fullmatch(r"ghs_[A-Za-z0-9._-]{500,}", page.document["token"])


@pytest.mark.parametrize("claims", [{"iss": "another"}, {"exp": FAR_AHEAD}, {"exp": 1}, {"iat": FAR_AHEAD}])
def test_a_wrong_jwt_gets_no_token(client: Any, claims: dict[str, Any]) -> None:
    """Another issuer, an end too far ahead or passed, or a start in the future is refused."""
    assert client.mint(**claims).status == 401


def test_a_jwt_of_another_key_gets_no_token(client: Any) -> None:
    """Only the key of this registration signs for the app."""
    other = rsa.generate_private_key(public_exponent=65_537, key_size=2048)
    claims = jwt.decode(client.app_token(), options={"verify_signature": False})
    token = jwt.encode(claims, other, algorithm="RS256")
    path = "/api/v3/app/installations/4242/access_tokens"
    assert client.ask("POST", path, authorization=f"Bearer {token}").status == 401


@pytest.mark.parametrize(
    "path", ["/user", "/user/installations", "/user/memberships/orgs/octo-org", "/installation/repositories"]
)
def test_nothing_is_told_without_a_token(client: Any, path: str) -> None:
    """Every part of the API refuses who has no token of the right kind."""
    assert client.ask("GET", f"/api/v3{path}", authorization="Bearer guessed").status == 401


def test_nothing_is_installed_before_the_install_page(client: Any) -> None:
    """The person has no installation of the app until they have been to its install page."""
    bearer = f"Bearer {client.exchange()['access_token']}"
    assert client.ask("GET", "/api/v3/user/installations", authorization=bearer).document["installations"] == []
    client.ask("GET", "/github-apps/kitty-stand-in/installations/new")
    (installation,) = client.ask("GET", "/api/v3/user/installations", authorization=bearer).document[
        "installations"
    ]
    assert installation["id"] == 4242


def test_the_story_has_one_of_each(client: Any, route: Callable[..., Outcome]) -> None:
    """Work in three repositories, something ignored, a new name, a pause and its end; each its own delivery."""
    story = client.stand_in.deliveries()
    outcomes = [route(sample.kind, sample.content) for sample in story]
    assert [type(outcome) for outcome in outcomes] == [Event, Event, Event, Ignored, *[Lifecycle] * 3]
    placed = [outcome.resources[0].id for outcome in outcomes if isinstance(outcome, Event)]
    assert placed == ["7001", "7002", "7003"]
    changes = [outcome.change for outcome in outcomes if isinstance(outcome, Lifecycle)]
    assert changes == [Change.RESOURCE_RENAMED, Change.SUSPENDED, Change.RESUMED]
    assert len({sample.delivery_id for sample in story}) == len(story)
