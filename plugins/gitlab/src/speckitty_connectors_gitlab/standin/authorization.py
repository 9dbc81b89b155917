"""The stand-in's OAuth pages and tokens, as strict as GitLab's ("OAuth 2.0 identity provider API")."""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from functools import partial
from http import HTTPStatus

from attrs import Factory, field, frozen

from speckitty_connectors.standin import StandInCodes

from .documents import Document

ACCESS_SECONDS = 7200
"""How long an access token lives."""


@frozen(kw_only=True)
class Authorization:
    """The app's credentials, made up at the start, and the tokens that were given out."""

    callback_url: str
    now: Callable[[], datetime] = field(factory=lambda: partial(datetime.now, UTC))
    client_id: str = field(factory=lambda: secrets.token_hex(32))
    client_secret: str = field(factory=lambda: f"gloas-{secrets.token_hex(32)}", repr=False)
    _codes: StandInCodes = field(
        default=Factory(lambda self: StandInCodes(callback_url=self.callback_url), takes_self=True),
        init=False,
        repr=False,
    )
    _tokens: dict[str, datetime] = field(factory=dict, init=False, repr=False)
    _pairs: dict[str, str] = field(factory=dict, init=False, repr=False)
    _group_tokens: set[str] = field(factory=set, init=False, repr=False)

    def authorize(self, query: Mapping[str, str]) -> Mapping[str, str]:
        """Return the parameters with which the browser goes back; the person agrees at once."""
        state = {"state": query["state"]} if "state" in query else {}
        if query.get("client_id") != self.client_id:
            return {"error": "invalid_client", **state}
        if self._codes.objection(query) or query.get("response_type") != "code":
            return {"error": "invalid_request", **state}
        return {"code": self._codes.issue(query), **state}

    def exchange(self, form: Mapping[str, str]) -> tuple[int, Document]:
        """Return the status and the document of the token endpoint's answer."""
        credentials = f"{form.get('client_id')}:{form.get('client_secret')}"
        if not hmac.compare_digest(credentials.encode(), f"{self.client_id}:{self.client_secret}".encode()):
            return HTTPStatus.UNAUTHORIZED, {"error": "invalid_client"}
        if form.get("grant_type") == "refresh_token":
            return self._refresh(form)
        if "redirect_uri" not in form or self._codes.redeem(form):
            return HTTPStatus.BAD_REQUEST, {"error": "invalid_grant"}
        return HTTPStatus.OK, self._new_pair()

    def revoke(self, form: Mapping[str, str]) -> None:
        """Forget a token, whether it is known or not (RFC 7009)."""
        self._tokens.pop(form.get("token", ""), None)

    def make_group_token(self) -> str:
        """Return an access token of the group ("Group access tokens"); no grant has a part in it."""
        token = f"glpat-{secrets.token_urlsafe(20)}"
        self._group_tokens.add(token)
        return token

    def forget(self) -> None:
        """Forget every token that belongs to a person."""
        self._tokens.clear()
        self._pairs.clear()

    def is_user(self, bearer: str) -> bool:
        """Return whether that is a live token."""
        if bearer in self._group_tokens:
            return True
        return self._tokens.get(bearer, datetime.min.replace(tzinfo=UTC)) > self.now()

    def _refresh(self, form: Mapping[str, str]) -> tuple[int, Document]:
        """Give a new pair and kill the old one, if the redirect URI is repeated."""
        former = self._pairs.get(form.get("refresh_token", ""))
        if former is None or form.get("redirect_uri") != self.callback_url:
            return HTTPStatus.BAD_REQUEST, {"error": "invalid_grant"}
        del self._pairs[form["refresh_token"]]
        self._tokens.pop(former, None)
        return HTTPStatus.OK, self._new_pair()

    def _new_pair(self) -> Document:
        access, refresh = secrets.token_hex(32), secrets.token_hex(32)
        now = self.now()
        self._tokens[access] = now + timedelta(seconds=ACCESS_SECONDS)
        self._pairs[refresh] = access
        return {
            "access_token": access,
            "token_type": "Bearer",
            "expires_in": ACCESS_SECONDS,
            "refresh_token": refresh,
            "scope": "api",
            "created_at": int(now.timestamp()),
        }
