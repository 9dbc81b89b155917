"""Identity tokens of OpenID Connect: who signed in, believed only once the provider's key proves it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

import jwt
from attrs import evolve

from ..credentials.secret import Secret
from ..http.session import Transport
from ..providers.accounts import App
from ..providers.oauth import IdentityTokenRules, OAuthRules
from .oauth import OAuthRefusedError, TokenAnswer, nonce_of

LEEWAY_SECONDS: Final = 60
"""How far the provider's clock may be from ours."""

REFUSED: Final = "identity_token_refused"
"""The error code where the token proves nothing."""

REQUIRED: Final = ("aud", "exp", "iat", "iss", "nonce", "sub")
"""The claims without which a token proves nobody's sign-in (OpenID Connect Core 1.0, sections 2 and 3.1.3.7)."""

KEY_ID: Final = re.compile(r"[\w.:=+/-]{1,255}", re.ASCII)


def prove_identity(
    transport: Transport, rules: OAuthRules, app: App, answer: TokenAnswer, *, verifier: Secret | str
) -> TokenAnswer:
    """Return a token answer with the claims of its identity token, and without the token itself.

    The key comes from the provider's own address in the manifest, whatever the token names; signature, issuer,
    audience, nonce and times are checked with our clock. Where the flow has no identity token, nothing happens.

    Raises:
        OAuthRefusedError: there is no token, or it isn't the answer to this authorisation.
        ApiError: the provider's keys couldn't be had.
    """
    if rules.identity_token is None:
        return answer
    token = answer.identity_token.reveal() if answer.identity_token else ""
    claims = _claims(transport, rules.identity_token, app, token)
    if claims is None or not _is_of(claims, nonce_of(verifier), int(transport.now().timestamp())):
        raise OAuthRefusedError(
            "the identity token doesn't prove who signed in",
            subject=f"{app.provider} at {app.host}",
            remedy="start again; if it lasts, compare the app's client id with the provider's",
            error=REFUSED,
        )
    return evolve(answer, identity_token=None, claims=claims)


def _claims(transport: Transport, rules: IdentityTokenRules, app: App, token: str) -> Mapping[str, Any] | None:
    """Return the claims of a token that one of the provider's keys signed for this app, else None."""
    try:
        key_id = jwt.get_unverified_header(token).get("kid")
        if not isinstance(key_id, str) or not KEY_ID.fullmatch(key_id):
            return None
        claims: Mapping[str, Any] = jwt.decode(
            token,
            _key(transport, app.urls.fill(rules.keys_url), key_id, rules.algorithm),
            algorithms=[rules.algorithm],
            audience=app.client_id,
            issuer=app.urls.fill(rules.issuer),
            # PyJWT would compare with a clock of its own; `_is_of` does it with ours.
            options={"require": list(REQUIRED), "verify_exp": False, "verify_iat": False, "verify_nbf": False},
        )
    except (jwt.PyJWTError, ValueError, TypeError, RecursionError):
        return None
    return claims


def _key(transport: Transport, url: str, key_id: str, algorithm: str) -> jwt.PyJWK:
    """Return the provider's key of that id (RFC 7517)."""
    document = transport.fetch(url).json()
    entries = document.get("keys") if isinstance(document, dict) else None
    for entry in entries if isinstance(entries, list) else []:
        if isinstance(entry, dict) and entry.get("kid") == key_id and entry.get("use", "sig") == "sig":
            return jwt.PyJWK(entry, algorithm=algorithm)
    raise jwt.InvalidKeyError("the provider has no such key")


def _is_of(claims: Mapping[str, Any], nonce: str, now: int) -> bool:
    """Return whether the claims answer this authorisation, and now; times must be whole numbers."""
    issued, expires = claims["iat"], claims["exp"]
    if claims["nonce"] != nonce or type(issued) is not int or type(expires) is not int:
        return False
    return issued - LEEWAY_SECONDS <= now < expires + LEEWAY_SECONDS
