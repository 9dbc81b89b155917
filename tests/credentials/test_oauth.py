"""The authorisation-code flow, by each of the manifest's rules, over real HTTP on loopback."""

from __future__ import annotations

import base64
import hashlib
import json
import logging
import traceback
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qs, parse_qsl, urlencode, urlsplit

import pytest
from attrs import evolve

from speckitty_connectors.credentials.secret import Secret
from speckitty_connectors.errors import ConnectorsError
from speckitty_connectors.http.session import Transport
from speckitty_connectors.providers.accounts import App, BaseUrls
from speckitty_connectors.providers.api import ApiError, ApiThrottledError, ApiUnavailableError, EgressRefusedError
from speckitty_connectors.providers.oauth import ClientAuthentication, OAuthRules, RefreshRules, TokenEncoding
from speckitty_connectors.tokens.oauth import OAuthFlow, OAuthRefusedError, TokenAnswer, new_verifier
from testbed.clock import FrozenClock
from testbed.hosts import ProviderHost, Received, Reply, provider_host

RULES = OAuthRules(
    authorize_url="{web}/oauth/authorize",
    token_url="{web}/oauth/token",
    scopes=("boards:read", "boards:write"),
    kept_fields=("account",),
)
CODE, CLIENT_SECRET, VERIFIER = "canary-code", "canary-client-secret", "canary-verifier-" + "v" * 40
ACCESS, REFRESH = "canary-access-token", "canary-refresh-token"
TOKEN = {"access_token": ACCESS, "refresh_token": REFRESH, "token_type": "bearer", "expires_in": 3600}
BACK = "https://saas.example/callback/acme?x=1"


class Server:
    """An authorisation server whose token end point answers what a test says."""

    def __init__(self, clock: FrozenClock, stack: ExitStack) -> None:
        self.reply = Reply(body=json.dumps(TOKEN).encode())
        self.host: ProviderHost = stack.enter_context(provider_host(lambda request: self.reply))
        self._transport = Transport(allowed_hosts={self.host.address}, clock=clock, timeout_seconds=5)
        stack.callback(self._transport.close)

    def answers(self, body: bytes | Mapping[str, object], status: int = 200, **headers: str) -> None:
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.reply = Reply(status=status, headers=headers, body=content)

    def exchange(self, rules: OAuthRules = RULES) -> TokenAnswer:
        flow = OAuthFlow(rules, self.app, Secret(CLIENT_SECRET), self._transport)
        return flow.exchange(code=CODE, redirect_uri=BACK, verifier=Secret(VERIFIER))

    @property
    def app(self) -> App:
        return App(
            provider="acme",
            host=self.host.address,
            client_id="client/1",
            urls=BaseUrls(web=self.host.url, api=f"{self.host.url}/api"),
        )

    @property
    def request(self) -> Received:
        return self.host.received[-1]

    def renew(self, rules: OAuthRules = RULES, may_leave: bool = True) -> TokenAnswer:
        flow = OAuthFlow(rules, self.app, Secret(CLIENT_SECRET), self._transport)
        return flow.renew(refresh_token=Secret(REFRESH), redirect_uri=BACK, may_leave=lambda: may_leave)


@pytest.fixture
def server(clock: FrozenClock) -> Iterator[Server]:
    with ExitStack() as stack:
        yield Server(clock, stack)


def address(rules: OAuthRules = RULES, /, web: str = "https://acme.example", **parameters: str) -> dict[str, str]:
    """Return the query of an authorisation address, each parameter at most once."""
    app = App(provider="acme", host="acme.example", client_id="client/1", urls=BaseUrls(web=web, api=f"{web}/api"))
    url = OAuthFlow(rules, app, Secret(CLIENT_SECRET), Transport()).authorize_url(
        state="the-state", redirect_uri=BACK, verifier=Secret(VERIFIER), parameters=parameters
    )
    assert url.startswith(f"{web}/oauth/authorize?")
    query = parse_qsl(urlsplit(url).query, strict_parsing=True)
    assert len(dict(query)) == len(query)
    assert VERIFIER not in url
    assert CLIENT_SECRET not in url
    return dict(query)


def test_the_person_is_sent_with_state_scopes_and_a_challenge() -> None:
    """The address carries what RFC 6749 and 7636 ask for, and of the verifier only its digest."""
    digest = hashlib.sha256(VERIFIER.encode()).digest()
    assert address() == {
        "response_type": "code",
        "client_id": "client/1",
        "redirect_uri": BACK,
        "scope": "boards:read boards:write",
        "state": "the-state",
        "code_challenge": base64.urlsafe_b64encode(digest).rstrip(b"=").decode(),
        "code_challenge_method": "S256",
    }


def test_rules_shape_the_address() -> None:
    """Separator, fixed parameters and the absence of PKCE and of scopes follow the manifest."""
    rules = evolve(RULES, scope_separator=",", pkce=False, authorize_parameters={"prompt": "consent"})
    query = address(rules)
    assert (query["scope"], query["prompt"]) == ("boards:read,boards:write", "consent")
    assert not query.keys() & {"code_challenge", "code_challenge_method"}
    assert "scope" not in address(evolve(RULES, scopes=()))


def test_further_parameters_never_replace_the_flows_own() -> None:
    """A plugin may add parameters, but can't choose state, redirect URI or challenge."""
    hostile = dict.fromkeys(
        ("state", "redirect_uri", "client_id", "code_challenge", "response_type", "scope"), "evil"
    )
    query = address(RULES, login="mona", **hostile)
    assert query["login"] == "mona"
    assert "evil" not in query.values()


def test_a_host_without_tls_keeps_its_address() -> None:
    """Where the operator allowed a host without TLS, its pages are reached as they are."""
    assert address(web="http://127.0.0.1:8000")["state"] == "the-state"


def test_verifiers_are_long_and_differ() -> None:
    """A verifier has the letters and the length that RFC 7636 asks for, and is a secret."""
    verifiers = [new_verifier().reveal() for _ in range(10)]
    assert len(set(verifiers)) == 10
    assert all(43 <= len(verifier) <= 128 for verifier in verifiers)
    assert all(set(verifier) <= set("-._~") | set(map(chr, range(48, 123))) for verifier in verifiers)


def test_a_code_becomes_tokens(server: Server, clock: FrozenClock) -> None:
    """The request carries code, redirect URI, verifier and client in a form; the tokens come back hidden."""
    server.answers({**TOKEN, "scope": "boards:read", "account": {"id": "7"}, "other": "dropped"})
    answer = server.exchange()
    assert parse_qs(server.request.body.decode(), strict_parsing=True) == {
        "grant_type": ["authorization_code"],
        "client_id": ["client/1"],
        "client_secret": [CLIENT_SECRET],
        "code": [CODE],
        "redirect_uri": [BACK],
        "code_verifier": [VERIFIER],
    }
    assert (server.request.method, server.request.path) == ("POST", "/oauth/token")
    assert server.request.headers["Accept"] == "application/json"
    assert server.request.headers["Content-Type"] == "application/x-www-form-urlencoded"
    assert "Authorization" not in server.request.headers
    assert {name: value.reveal() for name, value in answer.values.items()} == {
        "access_token": ACCESS,
        "refresh_token": REFRESH,
        "token_type": "bearer",
    }
    assert (answer.scopes, answer.details) == (("boards:read",), {"account": {"id": "7"}})
    assert answer.expires_at == clock() + timedelta(hours=1)
    assert ACCESS not in repr(answer)


def test_the_client_may_prove_itself_in_the_header(server: Server) -> None:
    """With basic authentication the secret is in no body."""
    server.exchange(evolve(RULES, client_authentication=ClientAuthentication.BASIC))
    expected = base64.b64encode(f"client/1:{CLIENT_SECRET}".encode()).decode()
    assert server.request.headers["Authorization"] == f"Basic {expected}"
    assert CLIENT_SECRET.encode() not in server.request.body


def test_the_request_may_be_json(server: Server) -> None:
    """Providers that read JSON get JSON."""
    server.exchange(evolve(RULES, token_encoding=TokenEncoding.JSON))
    assert server.request.headers["Content-Type"] == "application/json"
    document = json.loads(server.request.body)
    assert (document["code"], document["client_secret"], document["code_verifier"]) == (
        CODE,
        CLIENT_SECRET,
        VERIFIER,
    )


def test_without_pkce_no_verifier_is_sent(server: Server) -> None:
    """A verifier is a secret that a provider without PKCE has no use for."""
    server.exchange(evolve(RULES, pkce=False))
    assert VERIFIER.encode() not in server.request.body


def test_a_form_encoded_answer_is_read(server: Server, clock: FrozenClock) -> None:
    """A provider that answers with a form although JSON was asked for is understood."""
    server.answers(urlencode({**TOKEN, "scope": "a,b"}).encode())
    answer = server.exchange()
    assert answer.values["access_token"].reveal() == ACCESS
    assert (answer.scopes, answer.expires_at) == (("a", "b"), clock() + timedelta(hours=1))


@pytest.mark.parametrize(
    ("scope", "expected"),
    [
        ("a b", ("a", "b")),
        ("a,b", ("a", "b")),
        ("a, b", ("a", "b")),
        (["a", "b"], ("a", "b")),
        ("", ()),
        (None, ("boards:read", "boards:write")),
        (7, ("boards:read", "boards:write")),
        ([], ()),
    ],
)
def test_scopes_are_read_in_every_form(scope: object, expected: tuple[str, ...], server: Server) -> None:
    """Blanks, commas and arrays separate scopes; where none are told, those that were asked for are granted."""
    server.answers({**TOKEN, "scope": scope})
    assert server.exchange().scopes == expected


@pytest.mark.parametrize(
    ("expires_in", "seconds"),
    [
        (60, 60),
        ("60", 60),
        (60.9, 60),
        ("7200.0", 7200),
        (" 60 ", 60),
        (10**12, 3660 * 86400),
        *((odd, None) for odd in (None, "", "soon", "nan", "-5", -5, 0, [1], {"seconds": 1}, True)),
    ],
)
def test_the_end_of_a_token_follows_the_injected_clock(
    expires_in: object, seconds: int | None, server: Server
) -> None:
    """The lifetime counts from our own clock; an odd one costs no token, and means that no end is known."""
    server.answers({**TOKEN, "expires_in": expires_in})
    start = datetime(2026, 1, 1, tzinfo=UTC)
    assert server.exchange().expires_at == (start + timedelta(seconds=seconds) if seconds else None)


def test_scopes_that_are_left_out_are_those_that_were_asked_for(server: Server) -> None:
    """RFC 6749, section 5.1: an answer names the scopes only where they differ from the request."""
    server.answers(TOKEN)
    assert server.exchange().scopes == ("boards:read", "boards:write")


def test_a_token_that_does_not_expire_has_no_refresh_token(server: Server) -> None:
    """Where an app's tokens don't expire, there is one value and no end."""
    server.answers({"access_token": ACCESS, "token_type": "bearer"})
    answer = server.exchange()
    assert (sorted(answer.values), answer.expires_at) == (["access_token", "token_type"], None)


@pytest.mark.parametrize("status", [200, 400, 401])
@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b'{"error": "bad_verification_code", "error_description": "canary"}', "bad_verification_code"),
        (b'{"ok": false, "error": "invalid_code"}', "invalid_code"),
        (b'{"error": "invalid_grant", "access_token": "canary"}', "invalid_grant"),
        (b'{"error": "canary <b>with</b> blanks"}', ""),
    ],
)
def test_an_error_is_a_refusal_whatever_the_status(status: int, body: bytes, code: str, server: Server) -> None:
    """An `error` refuses the code, also with status 200; only a well formed error code is repeated."""
    server.answers(body, status)
    with pytest.raises(OAuthRefusedError) as caught:
        server.exchange()
    assert (caught.value.error, caught.value.code) == (code, "oauth_refused")
    assert code in str(caught.value)
    assert "canary" not in str(caught.value)


@pytest.mark.parametrize(
    "body", [b"error=bad_verification_code&error_description=canary", b"{}", b"", b"<html>canary"]
)
def test_an_answer_without_a_token_is_a_refusal(body: bytes, server: Server) -> None:
    """A form with an error, and an answer without anything, give no token."""
    server.answers(body)
    with pytest.raises(OAuthRefusedError) as caught:
        server.exchange()
    assert "canary" not in str(caught.value)


@pytest.mark.parametrize(
    "body",
    [
        b"null",
        b"7",
        b'"canary"',
        b'["canary"]',
        b"[" * 100_000,
        b'{"access_token": 7}',
        b'{"access_token": ""}',
        b'{"access_token": null}',
        b'{"access_token": "\\ud800"}',
        b'{"access_token": "a", "expires_in": "soon"}',
        b'{"access_token": "a", "expires_in": 1e999}',
        b'{"access_token": "a", "expires_in": [1]}',
        b'{"access_token": "a", "scope": 7}',
        b'{"error": 7}',
        b'[["error", 7]]',
        b"\xff\xfe\x00",
    ],
)
def test_no_answer_breaks_anything(body: bytes, server: Server) -> None:
    """Whatever a token end point answers becomes tokens or one of our errors."""
    server.answers(body)
    try:
        answer = server.exchange()
    except (OAuthRefusedError, ApiError) as error:
        assert "canary" not in str(error)  # noqa: PT017 - both outcomes are right
    else:
        assert answer.values["access_token"].reveal() == "a"


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (500, ApiUnavailableError),
        (503, ApiUnavailableError),
        (429, ApiThrottledError),
        (404, ApiError),
        (302, ApiError),
        (307, ApiError),
        (308, ApiError),
    ],
)
def test_a_failing_end_point_is_an_api_error(status: int, error: type[ApiError], server: Server) -> None:
    """What isn't an OAuth answer has the error of its status, and a redirect is never followed with the code."""
    server.answers(b"<html>canary</html>", status, Location=f"{server.host.url}/elsewhere")
    with pytest.raises(error) as caught:
        server.exchange()
    assert caught.value.status == status
    assert len(server.host.received) == 1


def test_an_end_point_inside_is_refused() -> None:
    """The token request goes through the same guard as every other call."""
    app = App(
        provider="acme",
        host="acme.example",
        client_id="c",
        urls=BaseUrls(web="https://acme.example", api="https://acme.example/api"),
    )
    flow = OAuthFlow(RULES, app, Secret(CLIENT_SECRET), Transport(resolve=lambda *_: ["169.254.169.254"]))
    with pytest.raises(EgressRefusedError) as caught:
        flow.exchange(code=CODE, redirect_uri=BACK, verifier=Secret(VERIFIER))
    assert_hides(caught.value)


def assert_hides(error: ConnectorsError) -> None:
    """Check that neither the error nor a traceback with local variables shows a canary, save for the code.

    The code is the argument of the very call that failed, and is worth nothing afterwards.
    """
    assert error.__context__ is None
    frames = traceback.TracebackException.from_exception(error, capture_locals=True).format()
    text = "".join(frame for frame in frames if "test_oauth.py" not in frame)
    assert not [canary for canary in (CLIENT_SECRET, VERIFIER, ACCESS, REFRESH) if canary in text]


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (200, json.dumps({"error": "invalid_grant", "access_token": ACCESS}).encode()),
        (200, json.dumps({"access_token": [ACCESS], "refresh_token": REFRESH}).encode()),
        (500, json.dumps(TOKEN).encode()),
    ],
)
def test_no_failure_shows_a_secret(status: int, body: bytes, server: Server) -> None:
    """A failed exchange holds no secret in its text, its frames or its causes."""
    server.answers(body, status)
    with pytest.raises((OAuthRefusedError, ApiError)) as caught:
        server.exchange()
    assert_hides(caught.value)


def test_nothing_of_an_exchange_is_logged(server: Server, caplog: pytest.LogCaptureFixture) -> None:
    """At DEBUG no library below shows code, secret, verifier or tokens; a host's own use still logs."""
    caplog.set_level(logging.DEBUG)
    server.exchange()
    server.exchange(evolve(RULES, client_authentication=ClientAuthentication.BASIC))
    basic = base64.b64encode(f"client/1:{CLIENT_SECRET}".encode()).decode()
    assert not [text for text in (CODE, CLIENT_SECRET, VERIFIER, ACCESS, REFRESH, basic) if text in caplog.text]
    logging.getLogger("requests_oauthlib.oauth2_session").debug("a host's own use")
    assert "a host's own use" in caplog.text


REFRESHED = {"grant_type": "refresh_token", "refresh_token": REFRESH}
IN_BODY = {"client_id": "client/1", "client_secret": CLIENT_SECRET}
REPEATS = RefreshRules(sends_redirect_uri=True)


@pytest.mark.parametrize(
    ("changes", "sent"),
    [
        ({}, {**REFRESHED, **IN_BODY}),
        ({"token_encoding": TokenEncoding.JSON}, {**REFRESHED, **IN_BODY}),
        ({"client_authentication": ClientAuthentication.BASIC}, REFRESHED),
        ({"refresh": REPEATS}, {**REFRESHED, **IN_BODY, "redirect_uri": BACK}),
    ],
    ids=["form", "JSON", "basic", "redirect URI"],
)
def test_rules_shape_the_request_of_a_renewal(
    changes: dict[str, Any], sent: dict[str, str], server: Server
) -> None:
    """Encoding, place of the client secret and the repeated redirect URI follow the manifest."""
    rules = evolve(RULES, **changes)
    answer = server.renew(rules)
    assert answer.values["access_token"].reveal() == ACCESS
    body = server.request.body.decode()
    is_json = rules.token_encoding is TokenEncoding.JSON
    assert (json.loads(body) if is_json else dict(parse_qsl(body))) == sent
    basic = base64.b64encode(f"client/1:{CLIENT_SECRET}".encode()).decode()
    assert server.request.headers.get("Authorization", "") == ("" if "client_secret" in sent else f"Basic {basic}")


def test_a_renewal_whose_time_is_over_is_not_sent(server: Server) -> None:
    """A refresh token that may have been used by another meanwhile stays here."""
    with pytest.raises(ApiUnavailableError, match="before it was sent"):
        server.renew(may_leave=False)
    assert server.host.received == []


def test_a_refused_renewal_shows_no_secret(server: Server) -> None:
    """The error has the provider's code, and neither tokens nor the client secret, also in its traceback."""
    server.answers({"error": "invalid_grant", "error_description": f"{REFRESH} {CLIENT_SECRET}"}, status=400)
    with pytest.raises(OAuthRefusedError) as caught:
        server.renew()
    assert caught.value.error == "invalid_grant"
    assert_hides(caught.value)
