"""The stand-in's OAuth pages and tokens, as strict as GitHub's."""

from __future__ import annotations

import base64
import hmac
import secrets
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from functools import cache, partial
from typing import Any

import jwt
from attrs import Factory, field, frozen
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from speckitty_connectors.standin import StandInCodes

from .documents import APP_ID, PERMISSIONS, Document

ACCESS_SECONDS = 28_800
REFRESH_SECONDS = 15_897_600
"""How long a user token and its refresh token live ("Generating a user access token for a GitHub App")."""

INSTALLATION_SECONDS = 3600
"""How long an installation token lives ("Generating an installation access token for a GitHub App")."""

LONGEST_JWT_SECONDS = 600
"""How far ahead an app's JWT may end ("Generating a JSON Web Token (JWT) for a GitHub App")."""


@cache
def _process_key() -> rsa.RSAPrivateKey:
    """Return the key of every stand-in in this process: making one takes longer than all the rest of a start."""
    return rsa.generate_private_key(public_exponent=65_537, key_size=2048)


@frozen(kw_only=True)
class Authorization:
    """The app's credentials, made up at the start, and the codes and tokens that were given out."""

    callback_url: str
    now: Callable[[], datetime] = field(factory=lambda: partial(datetime.now, UTC))
    client_id: str = field(factory=lambda: f"Iv1.{secrets.token_hex(8)}")
    client_secret: str = field(factory=lambda: secrets.token_hex(20), repr=False)
    webhook_secret: str = field(factory=lambda: secrets.token_hex(32), repr=False)
    _key: rsa.RSAPrivateKey = field(factory=_process_key, init=False, repr=False)
    _codes: StandInCodes = field(
        default=Factory(lambda self: StandInCodes(callback_url=self.callback_url), takes_self=True),
        init=False,
        repr=False,
    )
    _user_tokens: dict[str, datetime] = field(factory=dict, init=False, repr=False)
    _refresh_tokens: dict[str, str] = field(factory=dict, init=False, repr=False)
    _installation_tokens: dict[str, datetime] = field(factory=dict, init=False, repr=False)

    @property
    def private_key(self) -> str:
        """The app's key as GitHub hands it out: PKCS#1 in PEM."""
        return self._key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.TraditionalOpenSSL,
            serialization.NoEncryption(),
        ).decode()

    def authorize(self, query: Mapping[str, str]) -> tuple[str, Mapping[str, str]]:
        """Return where the browser goes next, and with which parameters; the person agrees at once."""
        state = {"state": query["state"]} if "state" in query else {}
        if query.get("client_id") != self.client_id:
            return self.callback_url, {"error": "application_suspended", **state}
        wrong = self._codes.objection(query)
        if wrong:
            error = "redirect_uri_mismatch" if wrong == "redirect_uri" else "invalid_request"
            return self.callback_url, {"error": error, **state}
        return self.callback_url, {"code": self._codes.issue(query), **state}

    def exchange(self, form: Mapping[str, str]) -> Document:
        """Return the token endpoint's answer; like GitHub's, a refusal is one of its fields."""
        credentials = f"{form.get('client_id')}:{form.get('client_secret')}"
        if not hmac.compare_digest(credentials.encode(), f"{self.client_id}:{self.client_secret}".encode()):
            return _refusal("incorrect_client_credentials")
        if form.get("grant_type") == "refresh_token":
            former = self._refresh_tokens.pop(form.get("refresh_token", ""), None)
            if former is None:
                return _refusal("bad_refresh_token")
            self._user_tokens.pop(former, None)
            return self._new_pair()
        wrong = self._codes.redeem(form)
        if wrong:
            return _refusal("redirect_uri_mismatch" if wrong == "redirect_uri" else "bad_verification_code")
        return self._new_pair()

    def mint(self, bearer: str) -> Document | None:
        """Return a new installation token for an app that proves itself with a JWT; None where it doesn't."""
        if not self.is_app(bearer):
            return None
        token = f"ghs_{APP_ID}_{'.'.join(secrets.token_urlsafe(126) for _ in range(3))}"
        expires_at = self._in(INSTALLATION_SECONDS)
        self._installation_tokens[token] = expires_at
        return {
            "token": token,
            "expires_at": expires_at.strftime("%Y-%m-%dT%H:%M:%SZ"),
            "permissions": PERMISSIONS,
            "repository_selection": "all",
        }

    def is_user(self, bearer: str) -> bool:
        """Return whether that is a live user token."""
        return self._user_tokens.get(bearer, datetime.min.replace(tzinfo=UTC)) > self.now()

    def is_installation(self, bearer: str) -> bool:
        """Return whether that is a live installation token."""
        return self._installation_tokens.get(bearer, datetime.min.replace(tzinfo=UTC)) > self.now()

    def delete_grant(self, proof: str, token: str) -> bool:
        """End all that the person of a token granted; return whether there was anything."""
        expected = base64.b64encode(f"{self.client_id}:{self.client_secret}".encode()).decode()
        if not hmac.compare_digest(proof.encode(), f"Basic {expected}".encode()) or not self.is_user(token):
            return False
        self._user_tokens.clear()
        self._refresh_tokens.clear()
        return True

    def is_app(self, bearer: str) -> bool:
        """Return whether that is a JWT with which the app proves itself."""
        try:
            claims: dict[str, Any] = jwt.decode(
                bearer,
                self._key.public_key(),
                algorithms=["RS256"],
                issuer=self.client_id,
                options={"require": ["exp", "iat", "iss"], "verify_exp": False, "verify_iat": False},
            )
        except jwt.InvalidTokenError:
            return False
        now, end = self.now().timestamp(), self._in(LONGEST_JWT_SECONDS).timestamp()
        return bool(claims["iat"] <= now < claims["exp"] <= end)

    def _new_pair(self) -> Document:
        access, refresh = f"ghu_{secrets.token_hex(18)}", f"ghr_{secrets.token_hex(38)}"
        self._user_tokens[access] = self._in(ACCESS_SECONDS)
        self._refresh_tokens[refresh] = access
        return {
            "access_token": access,
            "expires_in": ACCESS_SECONDS,
            "refresh_token": refresh,
            "refresh_token_expires_in": REFRESH_SECONDS,
            "token_type": "bearer",
            "scope": "",
        }

    def _in(self, seconds: int) -> datetime:
        return self.now() + timedelta(seconds=seconds)


def _refusal(code: str) -> Document:
    return {
        "error": code,
        "error_description": "The stand-in refuses this.",
        "error_uri": "https://docs.github.com",
    }
