"""The stand-in's OAuth pages and tokens, as strict as Slack's; a refusal is an answer like any other."""

from __future__ import annotations

import hmac
import json
import secrets
import time
from collections.abc import Mapping
from functools import cache
from typing import Any

import jwt
from attrs import field, frozen
from cryptography.hazmat.primitives.asymmetric import rsa

from speckitty_connectors.standin import StandInCodes

from . import documents
from .documents import Document

ACCESS_SECONDS = 43_200
"""How long a rotated token lives ("Token rotation")."""

LIVE_TOKENS = 2
"""How many access tokens are good at once: a third one ends the first ("Token rotation")."""

IDENTITY_SECONDS = 300
KEY_ID = "stand-in"


@cache
def _process_key() -> rsa.RSAPrivateKey:
    """Return the key of every stand-in in this process: making one takes longer than all the rest of a start."""
    return rsa.generate_private_key(public_exponent=65_537, key_size=2048)


@frozen(kw_only=True)
class Authorization:
    """The app's credentials, made up at the start, and the codes and tokens that were given out."""

    codes: StandInCodes
    organization: bool
    rotates: bool = True
    client_id: str = field(factory=lambda: f"{secrets.randbelow(10**11)}.{secrets.randbelow(10**12)}")
    client_secret: str = field(factory=lambda: secrets.token_hex(16), repr=False)
    signing_secret: str = field(factory=lambda: secrets.token_hex(16), repr=False)
    _key: rsa.RSAPrivateKey = field(factory=_process_key, init=False, repr=False)
    _scopes: dict[str, str] = field(factory=dict, init=False, repr=False)
    _nonces: dict[str, str] = field(factory=dict, init=False, repr=False)
    _bot_tokens: list[str] = field(factory=list, init=False, repr=False)
    _refresh_tokens: list[str] = field(factory=list, init=False, repr=False)
    _used: list[str] = field(factory=list, init=False, repr=False)

    def authorize(self, query: Mapping[str, str]) -> tuple[str, Mapping[str, str]]:
        """Return where the browser goes next, and with which parameters; the person agrees at once."""
        state = {"state": query["state"]} if "state" in query else {}
        if query.get("client_id") != self.client_id or self.codes.objection(query):
            return self.codes.callback_url, {"error": "invalid_request", **state}
        code = self.codes.issue(query)
        self._scopes[code] = query.get("scope", "")
        self._nonces[code] = query.get("nonce", "")
        return self.codes.callback_url, {"code": code, **state}

    def exchange(self, form: Mapping[str, str]) -> Document:
        """Return the answer of "oauth.v2.access" to a code or a refresh token."""
        if not self._is_app(form):
            return refusal("bad_client_secret")
        if form.get("grant_type") == "refresh_token":
            if form.get("refresh_token") not in self._refresh_tokens:
                return refusal("invalid_refresh_token")
            self._refresh_tokens.remove(form["refresh_token"])
            self._used.append(form["refresh_token"])
            return {**self._granted(), **self._new_tokens()}
        if self.codes.redeem(form):
            return refusal("invalid_code")
        person = {"id": documents.USER_ID, "scope": "", "access_token": f"xoxp-{secrets.token_hex(16)}"}
        scope = self._scopes.pop(form["code"])
        return {**self._granted(), "scope": scope, "authed_user": person, **self._new_tokens()}

    def sign_in(self, form: Mapping[str, str], *, web: str) -> Document:
        """Return the answer of "openid.connect.token" to a code."""
        if not self._is_app(form):
            return refusal("bad_client_secret")
        if self.codes.redeem(form):
            return refusal("invalid_code")
        now = int(time.time())
        claims = {
            "iss": web,
            "sub": documents.USER_ID,
            "aud": self.client_id,
            "iat": now,
            "exp": now + IDENTITY_SECONDS,
            "nonce": self._nonces.pop(form["code"]),
            "name": documents.USER,
            "https://slack.com/user_id": documents.USER_ID,
            "https://slack.com/team_id": documents.TEAM_ID,
        }
        token = jwt.encode(claims, self._key, algorithm="RS256", headers={"kid": KEY_ID})
        access = f"xoxp-{secrets.token_hex(16)}"
        return {"ok": True, "access_token": access, "token_type": "Bearer", "id_token": token}

    def keys(self) -> Document:
        """Return the key that identity tokens are signed with (RFC 7517)."""
        public: dict[str, Any] = json.loads(jwt.algorithms.RSAAlgorithm.to_jwk(self._key.public_key()))
        return {"keys": [{**public, "kid": KEY_ID, "use": "sig", "alg": "RS256"}]}

    @property
    def renewals(self) -> int:
        """How often a refresh token was used."""
        return len(self._used)

    def is_bot(self, bearer: str) -> bool:
        """Return whether that is a live token of the bot."""
        return bearer in self._bot_tokens

    def revoke_one(self, token: str) -> bool:
        """End a bot's token, which without token rotation is all there is; return whether it was alive."""
        if not self.is_bot(token):
            return False
        self._bot_tokens.remove(token)
        return True

    def revoke(self) -> None:
        """End every token."""
        self._bot_tokens.clear()
        self._refresh_tokens.clear()

    def _is_app(self, form: Mapping[str, str]) -> bool:
        given = f"{form.get('client_id')}:{form.get('client_secret')}"
        return hmac.compare_digest(given.encode(), f"{self.client_id}:{self.client_secret}".encode())

    def _granted(self) -> Document:
        return {
            "ok": True,
            "app_id": documents.APP_ID,
            "bot_user_id": documents.BOT_ID,
            "team": None if self.organization else documents.team(),
            "enterprise": documents.enterprise() if self.organization else None,
            "is_enterprise_install": self.organization,
        }

    def _new_tokens(self) -> Document:
        if not self.rotates:
            self._bot_tokens[:] = self._bot_tokens or [f"xoxb-{secrets.token_hex(24)}"]
            return {"access_token": self._bot_tokens[0], "token_type": "bot"}
        access, refresh = f"xoxe.xoxb-1-{secrets.token_hex(24)}", f"xoxe-1-{secrets.token_hex(24)}"
        self._bot_tokens.append(access)
        del self._bot_tokens[:-LIVE_TOKENS]
        self._refresh_tokens.append(refresh)
        return {
            "access_token": access,
            "refresh_token": refresh,
            "expires_in": ACCESS_SECONDS,
            "token_type": "bot",
        }


def refusal(code: str) -> Document:
    """Return a failure as every method tells it: with status 200 ("Web API")."""
    return {"ok": False, "error": code}
