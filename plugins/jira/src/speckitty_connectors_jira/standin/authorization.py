"""The stand-in's OAuth pages and tokens, as strict as those of Cloud and of Data Center."""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Mapping

from attrs import field, frozen

from speckitty_connectors.standin import StandInCodes

from ..manifest import DATA_CENTER_OAUTH, OAUTH
from .documents import Document

ACCESS_SECONDS = 3600
"""How long an access token lives ("OAuth 2.0 (3LO) apps")."""


@frozen(kw_only=True)
class Authorization:
    """The app's credentials, made up at the start, and the codes and tokens that were given out."""

    callback_url: str
    client_id: str = field(factory=lambda: secrets.token_urlsafe(24))
    client_secret: str = field(factory=lambda: f"ATOA{secrets.token_urlsafe(48)}", repr=False)
    _codes: StandInCodes = field(init=False, repr=False)
    _access: set[str] = field(factory=set, init=False, repr=False)
    _refresh: set[str] = field(factory=set, init=False, repr=False)

    @_codes.default
    def _new_codes(self) -> StandInCodes:
        return StandInCodes(callback_url=self.callback_url)

    def authorize(self, query: Mapping[str, str], *, required: Mapping[str, str]) -> tuple[str, Mapping[str, str]]:
        """Return where the browser goes next, and with which parameters; the person agrees at once."""
        state = {"state": query["state"]} if "state" in query else {}
        wrong = [name for name, value in required.items() if query.get(name) != value]
        if query.get("client_id") != self.client_id or wrong or self._codes.objection(query):
            return self.callback_url, {"error": "invalid_request", **state}
        return self.callback_url, {"code": self._codes.issue(query), **state}

    def exchange(self, fields: Mapping[str, str], *, scopes: tuple[str, ...]) -> Document | None:
        """Return a pair of tokens for a code or a refresh token, or None where it isn't good (any more)."""
        credentials = f"{fields.get('client_id')}:{fields.get('client_secret')}"
        if not hmac.compare_digest(credentials.encode(), f"{self.client_id}:{self.client_secret}".encode()):
            return None
        if fields.get("grant_type") == "refresh_token":
            former = fields.get("refresh_token", "")
            if former not in self._refresh:
                return None
            self._refresh.discard(former)
        elif self._codes.redeem(fields):
            return None
        return self._new_pair(scopes)

    def knows(self, bearer: str) -> bool:
        """Return whether a token is one of those that were given out."""
        return bearer in self._access

    def personal_token(self) -> str:
        """Make a token as a person does in their profile on Data Center."""
        token = secrets.token_urlsafe(33)
        self._access.add(token)
        return token

    def revoke(self) -> None:
        """End the grant, as a person does among their connected apps."""
        self._access.clear()
        self._refresh.clear()

    def _new_pair(self, scopes: tuple[str, ...]) -> Document:
        access, refresh = secrets.token_urlsafe(48), secrets.token_urlsafe(48)
        self._access.add(access)
        self._refresh.add(refresh)
        return {
            "access_token": access,
            "expires_in": ACCESS_SECONDS,
            "refresh_token": refresh,
            "token_type": "Bearer",
            "scope": " ".join(scopes),
        }


CLOUD_REQUIRED = dict(OAUTH.authorize_parameters)
"""What Cloud's page of consent refuses to do without."""

CLOUD_SCOPES, SERVER_SCOPES = OAUTH.scopes, DATA_CENTER_OAUTH.scopes
