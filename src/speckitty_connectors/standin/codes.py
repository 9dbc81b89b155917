"""Authorisation codes of a stand-in: each is good once, for its redirect URI and its PKCE challenge."""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

from attrs import field, frozen

CODE_SECONDS = 600
"""How long a code lives at most (RFC 6749, section 4.1.2)."""


@frozen(kw_only=True)
class _Code:
    challenge: str
    redirect_uri: str
    expires_at: datetime


@frozen(kw_only=True)
class StandInCodes:
    """The codes that a stand-in gave out.

    >>> codes = StandInCodes(callback_url="https://host.example/callback")
    >>> code = codes.issue({"redirect_uri": "https://host.example/callback"})
    >>> codes.redeem({"code": code}), codes.redeem({"code": code})
    ('', 'code')
    """

    callback_url: str
    _codes: dict[str, _Code] = field(factory=dict, init=False, repr=False)

    def objection(self, query: Mapping[str, str]) -> str:
        """Return the parameter of an authorisation request that is wrong, or nothing."""
        if query.get("redirect_uri", self.callback_url) != self.callback_url:
            return "redirect_uri"
        if "code_challenge" in query and query.get("code_challenge_method") != "S256":
            return "code_challenge_method"
        return ""

    def issue(self, query: Mapping[str, str]) -> str:
        """Return a code for an authorisation request; the person agrees at once."""
        code = secrets.token_hex(10)
        self._codes[code] = _Code(
            challenge=query.get("code_challenge", ""),
            redirect_uri=query.get("redirect_uri", self.callback_url),
            expires_at=datetime.now(UTC) + timedelta(seconds=CODE_SECONDS),
        )
        return code

    def redeem(self, form: Mapping[str, str]) -> str:
        """Use a code up; return the field of the token request that is wrong, or nothing."""
        code = self._codes.pop(form.get("code", ""), None)
        if code is None or code.expires_at < datetime.now(UTC):
            return "code"
        if not _fits(code.challenge, form.get("code_verifier", "")):
            return "code_verifier"
        return "redirect_uri" if form.get("redirect_uri", code.redirect_uri) != code.redirect_uri else ""


def _fits(challenge: str, verifier: str) -> bool:
    """Return whether the verifier is the one whose S256 challenge came first (RFC 7636, section 4.6)."""
    if not challenge:
        return True
    digest = hashlib.sha256(verifier.encode()).digest()
    return hmac.compare_digest(base64.urlsafe_b64encode(digest).rstrip(b"="), challenge.encode())
