"""The stand-in's OAuth pages and tokens, as strict as Linear's ("OAuth 2.0 authentication")."""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta

from attrs import field, frozen

from speckitty_connectors.standin import StandInCodes

from ..manifest import INSTALL_OAUTH
from .documents import Document

ACCESS_SECONDS = 86_399
"""How long an access token lives."""

REPLAY = timedelta(minutes=30)
"""How long a refresh may be repeated; it gives what it gave before."""

ACTORS = ("app", "user")


@frozen(kw_only=True)
class _Given:
    actor: str
    scope: str


@frozen(kw_only=True)
class _Used:
    pair: Document
    at: datetime


@frozen(kw_only=True)
class Authorization:
    """The app's credentials, made up at the start, and the codes and tokens that were given out."""

    codes: StandInCodes
    now: Callable[[], datetime]
    client_id: str = field(factory=lambda: secrets.token_hex(16))
    client_secret: str = field(factory=lambda: secrets.token_hex(16), repr=False)
    signing_secret: str = field(factory=lambda: f"lin_wh_{secrets.token_urlsafe(24)}", repr=False)
    _codes: dict[str, _Given] = field(factory=dict, init=False, repr=False)
    _access: dict[str, _Given] = field(factory=dict, init=False, repr=False)
    _refresh: dict[str, _Given] = field(factory=dict, init=False, repr=False)
    _used: dict[str, _Used] = field(factory=dict, init=False, repr=False)

    def authorize(self, query: Mapping[str, str]) -> tuple[str, Mapping[str, str]]:
        """Return where the browser goes next, and with which parameters; the person agrees at once."""
        state = {"state": query["state"]} if "state" in query else {}
        scopes = query.get("scope", "").split(INSTALL_OAUTH.scope_separator)
        is_sound = query.get("client_id") == self.client_id and query.get("actor", "user") in ACTORS
        if not is_sound or "read" not in scopes or self.codes.objection(query):
            return self.codes.callback_url, {"error": "invalid_request", **state}
        code = self.codes.issue(query)
        self._codes[code] = _Given(actor=query.get("actor", "user"), scope=" ".join(scopes))
        return self.codes.callback_url, {"code": code, **state}

    def exchange(self, form: Mapping[str, str]) -> Document | None:
        """Return a pair of tokens for a code or a refresh token, or None where it isn't good (any more)."""
        if not self._is_app(form):
            return None
        if form.get("grant_type") == "refresh_token":
            return self._refreshed(form.get("refresh_token", ""))
        if self.codes.redeem(form):
            return None
        return self._new_pair(self._codes.pop(form["code"]))

    def actor_of(self, bearer: str) -> str:
        """Return whether a token speaks as the app or as a user; nothing for one that isn't good."""
        given = self._access.get(bearer)
        return given.actor if given else ""

    def revoke(self, *, actors: tuple[str, ...] = ACTORS) -> None:
        """End what was given to the app, to people, or to both."""
        for tokens in (self._access, self._refresh):
            for token in [token for token, given in tokens.items() if given.actor in actors]:
                del tokens[token]

    def expire(self) -> None:
        """End the access tokens, as a day does."""
        self._access.clear()

    def revoke_one(self, token: str) -> bool:
        """End the authorisation that a token is of; say whether there was one."""
        given = self._access.get(token) or self._refresh.get(token)
        if given:
            self.revoke(actors=(given.actor,))
        return given is not None

    def _refreshed(self, former: str) -> Document | None:
        used = self._used.get(former)
        if used and self.now() - used.at < REPLAY:
            return used.pair
        given = self._refresh.pop(former, None)
        if given is None:
            return None
        pair = self._new_pair(given)
        self._used[former] = _Used(pair=pair, at=self.now())
        return pair

    def _is_app(self, form: Mapping[str, str]) -> bool:
        given = f"{form.get('client_id')}:{form.get('client_secret')}"
        return hmac.compare_digest(given.encode(), f"{self.client_id}:{self.client_secret}".encode())

    def _new_pair(self, given: _Given) -> Document:
        access, refresh = f"lin_oauth_{secrets.token_hex(32)}", f"lin_refresh_{secrets.token_hex(32)}"
        self._access[access], self._refresh[refresh] = given, given
        return {
            "access_token": access,
            "token_type": "Bearer",
            "expires_in": ACCESS_SECONDS,
            "scope": given.scope,
            "refresh_token": refresh,
        }
