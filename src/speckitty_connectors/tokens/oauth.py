"""The authorisation-code flow and the renewal of its tokens, driven by a manifest's rules (RFC 6749, RFC 7636)."""

from __future__ import annotations

import hashlib
import re
import secrets
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from enum import StrEnum
from types import MappingProxyType
from typing import Any, Final
from urllib.parse import quote

from attrs import frozen
from oauthlib.oauth2 import OAuth2Error

from ..credentials.secret import Secret
from ..errors import ConnectorsError
from ..http.session import Transport
from ..providers.accounts import App
from ..providers.api import ApiError
from ..providers.oauth import OAuthRules, RevocationRequest
from .oauth_session import TokenSession

ERROR_CODE: Final = re.compile(r"[A-Za-z0-9_.-]{1,64}", re.ASCII)
"""An error code that may be repeated (RFC 6749, section 5.2); what else stands in its place is left out."""

NO_PARAMETERS: Final[Mapping[str, str]] = MappingProxyType({})

OWN_PARAMETERS: Final = frozenset(
    (
        "response_type",
        "client_id",
        "redirect_uri",
        "scope",
        "state",
        "nonce",
        "code_challenge",
        "code_challenge_method",
    )
)
"""The parameters of an authorisation request that no plugin sets (RFC 6749, 4.1.1; RFC 7636, 4.3; OpenID Connect
Core 1.0, 3.1.2.1)."""

IDENTITY_TOKEN: Final = "id_token"  # noqa: S105 - a field name
"""The field of a token answer that says who signed in (OpenID Connect Core 1.0, section 3.1.3.3)."""

TOKEN_FIELDS: Final = ("access_token", "refresh_token", "token_type")
"""The fields of a token answer that are sealed (RFC 6749, section 5.1)."""


class Revocation(StrEnum):
    """What became of a grant on the provider's side when it was given up here."""

    REVOKED = "revoked"
    UNINSTALLED = "uninstalled"
    FAILED = "failed"
    UNSUPPORTED = "unsupported"
    STILL_USED = "still_used"
    STILL_INSTALLED = "still_installed"
    NOTHING_KEPT = "nothing_kept"


class OAuthRefusedError(ConnectorsError):
    """The provider didn't give a token.

    Attributes:
        error: the provider's error code, for example ``bad_verification_code``, or empty.
    """

    code = "oauth_refused"

    def __init__(self, what: str, *, subject: str = "", remedy: str = "", error: str = "") -> None:
        super().__init__(what, subject=subject, remedy=remedy)
        self.error = error


@frozen(kw_only=True)
class TokenAnswer:
    """What a code was exchanged for.

    Attributes:
        values: ``access_token``, and ``refresh_token`` and ``token_type`` where given; ready for the vault.
        scopes: granted scopes as the provider listed them; those that were asked for where it left them out.
        expires_at: when the access token ends, in UTC, or None where it wasn't said.
        details: the fields that the manifest asked to keep, without the tokens inside them.
        identity_token: the identity token, until `identity_tokens.prove_identity` has read it; it isn't stored.
        claims: what that token says.

    >>> TokenAnswer(values={"access_token": Secret("t")}, scopes=("read",), expires_at=None, details={}).values
    {'access_token': Secret(hidden)}
    """

    values: Mapping[str, Secret]
    scopes: tuple[str, ...]
    expires_at: datetime | None
    details: Mapping[str, object]
    identity_token: Secret | None = None
    claims: Mapping[str, object] = MappingProxyType({})


def nonce_of(verifier: Secret | str) -> str:
    """Return the nonce of an authorisation: a digest of what only its attempt knows (OpenID Connect Core, 15.5.2).

    >>> len(nonce_of("a verifier")), nonce_of("a verifier") == nonce_of(Secret("a verifier"))
    (64, True)
    """
    return hashlib.sha256(b"nonce:" + Secret(verifier).reveal_bytes()).hexdigest()


def new_verifier() -> Secret:
    """Return a fresh PKCE verifier: 64 letters of 384 random bits (RFC 7636, section 4.1)."""
    return Secret(secrets.token_urlsafe(48))


class OAuthFlow:
    """One flow of one app; keeps nothing between its two steps.

    >>> from speckitty_connectors.providers.accounts import BaseUrls
    >>> app = App(provider="acme", host="acme.example", client_id="c",
    ...           urls=BaseUrls(web="https://acme.example", api="https://api.acme.example"))
    >>> rules = OAuthRules(authorize_url="{web}/authorize", token_url="{web}/token", pkce=False)
    >>> flow = OAuthFlow(rules, app, Secret("s"), Transport())
    >>> flow.authorize_url(state="x", redirect_uri="https://saas.example/back", verifier=new_verifier())
    'https://acme.example/authorize?response_type=code&client_id=c&redirect_uri=https%3A%2F%2F...&state=x'
    """

    def __init__(self, rules: OAuthRules, app: App, client_secret: Secret, transport: Transport) -> None:
        self._rules = rules
        self._app = app
        self._client_secret = client_secret
        self._transport = transport

    def authorize_url(
        self,
        *,
        state: str,
        redirect_uri: str,
        verifier: Secret | str,
        parameters: Mapping[str, str] = NO_PARAMETERS,
    ) -> str:
        """Return where to send the person.

        Only the digest of the `verifier` is sent, and the flow's own parameters win over further ones.
        """
        further = {name: value for name, value in parameters.items() if name not in OWN_PARAMETERS}
        return self._session(redirect_uri).address(
            state=state,
            verifier=Secret(verifier) if self._rules.pkce else None,
            parameters={**further, **self._rules.authorize_parameters, **self._nonce(verifier)},
        )

    def exchange(self, *, code: str, redirect_uri: str, verifier: Secret | str) -> TokenAnswer:
        """Return the tokens for a code; the same code can't be exchanged twice.

        Raises:
            OAuthRefusedError: the provider refused, also where it says so with status 200.
            ApiError: it didn't answer, or not to be understood.
        """
        session, proof = self._session(redirect_uri), Secret(verifier) if self._rules.pkce else None
        return self._asked(lambda: session.exchange(code=code, verifier=proof))

    def renew(self, *, refresh_token: Secret, redirect_uri: str, may_leave: Callable[[], bool]) -> TokenAnswer:
        """Return new tokens for a refresh token; what the provider leaves out of its answer stays as it was.

        `may_leave` is asked at the last moment whether the request may still leave; nothing is sent if not.

        Raises:
            OAuthRefusedError: the provider refused, whatever status it says so with.
            ApiError: it didn't answer, or not to be understood; what became of the token isn't known.
        """
        session, refresh = self._session(redirect_uri), self._rules.refresh
        sent = redirect_uri if refresh is not None and refresh.sends_redirect_uri else ""
        return self._asked(
            lambda: session.renew(refresh_token=refresh_token, redirect_uri=sent, may_leave=may_leave)
        )

    def _asked(self, ask: Callable[[], Mapping[str, Any]]) -> TokenAnswer:
        failure: ConnectorsError
        try:
            return self._answer(ask())
        except OAuth2Error as error:
            failure = self._refused(error.error)
        except ApiError as error:
            failure = error.with_traceback(None)
        except (ValueError, TypeError, ArithmeticError, AttributeError, RecursionError):
            failure = ApiError(
                "the token answer can't be read",
                subject=self._subject,
                remedy="try again; if it lasts, tell the provider",
            )
        # Raised here, the error has no frame or cause that holds the code, the tokens and the client secret.
        raise failure

    def revoke(self, values: Mapping[str, Secret]) -> Revocation:
        """Ask the provider to take back the tokens of a grant, and say what came of it.

        Some providers know one kind of token only, and some call it an error when the first revocation took the
        second token with it: that one was taken back is enough.
        """
        if not self._rules.revoke_url:
            return Revocation.UNSUPPORTED
        is_deleted = self._rules.revocation is RevocationRequest.DELETE
        hints = ("access_token",) if is_deleted else ("refresh_token", "access_token")
        template = self._rules.revoke_url.replace("{client_id}", quote(self._app.client_id, safe=""))
        url, session = self._app.urls.fill(template), self._session("")
        try:
            taken = [session.revoke(url, token=values[hint], hint=hint) for hint in hints if values.get(hint)]
        except ApiError:
            return Revocation.FAILED
        return Revocation.REVOKED if any(taken) else Revocation.FAILED

    @property
    def _subject(self) -> str:
        return f"{self._app.provider} at {self._app.host}"

    def _nonce(self, verifier: Secret | str) -> Mapping[str, str]:
        return {"nonce": nonce_of(verifier)} if self._rules.identity_token else NO_PARAMETERS

    def _session(self, redirect_uri: str) -> TokenSession:
        return TokenSession(self._transport, self._rules, self._app, self._client_secret, redirect_uri)

    def _answer(self, token: Mapping[str, Any]) -> TokenAnswer:
        values = {
            name: Secret(token[name]) for name in TOKEN_FIELDS if token.get(name) and isinstance(token[name], str)
        }
        if not values.get("access_token"):
            raise ValueError("no access token")
        seconds = token.get("expires_in")
        lifetime = timedelta(seconds=seconds) if seconds else None
        return TokenAnswer(
            values=values,
            scopes=_scopes(token.get("scope", self._rules.scopes)),
            expires_at=self._transport.now() + lifetime if lifetime else None,
            details={name: _without_tokens(token[name]) for name in self._rules.kept_fields if name in token},
            identity_token=_identity_token(token),
        )

    def _refused(self, said: object) -> OAuthRefusedError:
        error = said if isinstance(said, str) and ERROR_CODE.fullmatch(said) else ""
        return OAuthRefusedError(
            f"the provider gave no token: {error}" if error else "the provider gave no token",
            subject=self._subject,
            remedy="start again; if it lasts, compare the app's client secret and callback URL with the provider's",
            error=error,
        )


def _identity_token(token: Mapping[str, Any]) -> Secret | None:
    value = token.get(IDENTITY_TOKEN)
    return Secret(value) if isinstance(value, str) else None


def _without_tokens(value: object) -> object:
    """Return what a plugin may see of a field: a person's own tokens may stand beside the installation's."""
    if isinstance(value, dict):
        shown = value.keys() - {*TOKEN_FIELDS, IDENTITY_TOKEN}
        return {name: _without_tokens(entry) for name, entry in value.items() if name in shown}
    return [_without_tokens(entry) for entry in value] if isinstance(value, list) else value


def _scopes(value: object) -> tuple[str, ...]:
    """Read scopes that are separated by blanks or commas, or several of such texts."""
    texts = value if isinstance(value, list | tuple) else [value]
    return tuple(scope for text in texts if isinstance(text, str) for scope in re.split(r"[ ,]+", text) if scope)
