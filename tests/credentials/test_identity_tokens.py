"""Identity tokens: only what the provider's own key signed for this app and this attempt says who somebody is."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import jwt
import pytest
import responses
from cryptography.hazmat.primitives.asymmetric import rsa

from speckitty_connectors import App, BaseUrls
from speckitty_connectors.credentials.secret import Secret
from speckitty_connectors.http.session import Transport
from speckitty_connectors.plugin import IdentityTokenRules, OAuthRules
from speckitty_connectors.providers.api import ApiError
from speckitty_connectors.tokens.identity_tokens import prove_identity
from speckitty_connectors.tokens.oauth import OAuthFlow, OAuthRefusedError, TokenAnswer, new_verifier, nonce_of
from testbed.clock import FrozenClock

WEB = "https://acme.example"
APP = App(provider="acme", host="acme.example", client_id="client", urls=BaseUrls(web=WEB, api=f"{WEB}/api"))
RULES = OAuthRules(
    authorize_url="{web}/authorize",
    token_url="{api}/token",
    pkce=False,
    kept_fields=("person", "people"),
    identity_token=IdentityTokenRules(keys_url="{web}/keys", issuer="{web}"),
)
VERIFIER = new_verifier()


@pytest.fixture(scope="module")
def key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


@pytest.fixture(scope="module")
def other_key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


def jwk(key: rsa.RSAPrivateKey, **members: str) -> dict[str, Any]:
    return {
        **json.loads(jwt.algorithms.RSAAlgorithm.to_jwk(key.public_key())),
        "kid": "k1",
        "use": "sig",
        **members,
    }


@pytest.fixture
def api(key: rsa.RSAPrivateKey) -> Iterator[responses.RequestsMock]:
    """The provider's published keys."""
    with responses.RequestsMock(assert_all_requests_are_fired=False) as mock:
        mock.get(f"{WEB}/keys", json={"keys": [jwk(key)]})
        yield mock


def token(clock: FrozenClock, key: Any, *, algorithm: str = "RS256", kid: object = "k1", **changes: object) -> str:
    """Sign an identity token as the provider would; a change to None leaves the claim out."""
    now = int(clock().timestamp())
    claims = {
        "iss": WEB,
        "aud": "client",
        "sub": "u1",
        "iat": now,
        "exp": now + 300,
        "nonce": nonce_of(VERIFIER),
        **changes,
    }
    whole = {name: value for name, value in claims.items() if value is not None}
    headers = {"kid": kid} if kid is not None else {}
    return jwt.encode(whole, key, algorithm=algorithm, headers=headers)


def prove(clock: FrozenClock, text: str | None, *, verifier: Secret = VERIFIER) -> TokenAnswer:
    answer = TokenAnswer(
        values={"access_token": Secret("t")},
        scopes=(),
        expires_at=None,
        details={},
        identity_token=Secret(text) if text is not None else None,
    )
    return prove_identity(Transport(clock=clock), RULES, APP, answer, verifier=verifier)


def test_a_genuine_token_says_who_signed_in(
    api: responses.RequestsMock, clock: FrozenClock, key: rsa.RSAPrivateKey
) -> None:
    """Its claims are handed on, and the token itself is not."""
    proved = prove(clock, token(clock, key, name="Mona"))
    assert (proved.claims["sub"], proved.claims["name"], proved.identity_token) == ("u1", "Mona", None)


@pytest.mark.parametrize(
    "changes",
    [
        {"nonce": nonce_of(new_verifier())},
        {"nonce": None},
        {"iss": "https://evil.example"},
        {"aud": "another client"},
        {"sub": None},
        {"exp": None},
        {"exp": True},
        {"iat": "1"},
        {"kid": "k2"},
        {"kid": None},
    ],
)
def test_a_token_that_answers_something_else_proves_nothing(
    api: responses.RequestsMock, clock: FrozenClock, key: rsa.RSAPrivateKey, changes: dict[str, Any]
) -> None:
    """Another nonce, issuer, audience or key, or a claim that is missing or odd, is refused with one code."""
    with pytest.raises(OAuthRefusedError) as caught:
        prove(clock, token(clock, key, **changes))
    assert caught.value.error == "identity_token_refused"


@pytest.mark.parametrize("minutes", [-2, 7])
def test_our_clock_decides(
    api: responses.RequestsMock, clock: FrozenClock, key: rsa.RSAPrivateKey, minutes: int
) -> None:
    """A token from the future, or one that ended, is refused; a minute of drift is not."""
    text = token(clock, key)
    clock.advance(timedelta(minutes=minutes).total_seconds())
    with pytest.raises(OAuthRefusedError):
        prove(clock, text)


def test_another_key_or_algorithm_proves_nothing(
    api: responses.RequestsMock, clock: FrozenClock, key: rsa.RSAPrivateKey, other_key: rsa.RSAPrivateKey
) -> None:
    """Neither a stranger's key, nor a public value used as a secret, nor no signature at all."""
    unsigned = jwt.encode({"sub": "u1"}, "", algorithm="none", headers={"kid": "k1"})
    hmac_signed = token(clock, "x" * 64, algorithm="HS256")
    for text in (token(clock, other_key), hmac_signed, unsigned, "a.b.c", "", None):
        with pytest.raises(OAuthRefusedError):
            prove(clock, text)


def test_keys_that_cannot_be_had_are_no_refusal(clock: FrozenClock, key: rsa.RSAPrivateKey) -> None:
    """An outage of the provider is told as one."""
    with responses.RequestsMock() as api:
        api.get(f"{WEB}/keys", status=503)
        with pytest.raises(ApiError):
            prove(clock, token(clock, key))


@pytest.mark.parametrize("document", [{"keys": "none"}, {"keys": [7, {"kid": "k1", "kty": "odd"}]}, [], {}])
def test_odd_keys_prove_nothing(clock: FrozenClock, key: rsa.RSAPrivateKey, document: object) -> None:
    """Whatever is published there, it never raises anything else than a refusal."""
    with responses.RequestsMock() as api:
        api.get(f"{WEB}/keys", json=document)
        with pytest.raises(OAuthRefusedError):
            prove(clock, token(clock, key))


def test_a_key_for_encryption_proves_nothing(clock: FrozenClock, key: rsa.RSAPrivateKey) -> None:
    """A published key of another use is as good as none."""
    with responses.RequestsMock() as api:
        api.get(f"{WEB}/keys", json={"keys": [jwk(key, use="enc")]})
        with pytest.raises(OAuthRefusedError):
            prove(clock, token(clock, key))


def test_the_nonce_is_the_attempts_own(clock: FrozenClock) -> None:
    """It is sent with the authorisation, comes from the attempt's secret, and no plugin sets it."""
    flow = OAuthFlow(RULES, APP, Secret("s"), Transport(clock=clock))
    verifier = new_verifier()
    url = flow.authorize_url(
        state="s", redirect_uri="https://saas.example/back", verifier=verifier, parameters={"nonce": "forged"}
    )
    assert parse_qs(urlsplit(url).query)["nonce"] == [nonce_of(verifier)]
    assert verifier.reveal() not in url


def test_tokens_inside_kept_fields_are_left_out(clock: FrozenClock) -> None:
    """What a plugin sees of the answer holds no token, however deep it stands; nor is the identity token sealed."""
    person = {"id": "u1", "access_token": "person's", "more": [{"refresh_token": "r", "name": "x"}]}
    body = {"access_token": "t", "token_type": "bot", "id_token": "i", "person": person, "people": [person]}
    with responses.RequestsMock() as api:
        api.post(f"{WEB}/api/token", json=body)
        flow = OAuthFlow(RULES, APP, Secret("s"), Transport(clock=clock))
        answer = flow.exchange(code="c", redirect_uri="https://saas.example/back", verifier=VERIFIER)
    shown = {"id": "u1", "more": [{"name": "x"}]}
    assert answer.details == {"person": shown, "people": [shown]}
    assert set(answer.values) == {"access_token", "token_type"}
