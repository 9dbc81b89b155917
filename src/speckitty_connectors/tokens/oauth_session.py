"""requests-oauthlib's session over the guarded transport: no redirects, no environment, and no word in the log."""

from __future__ import annotations

import base64
import hashlib
import json
import logging
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, Final
from urllib.parse import parse_qsl

import requests
from oauthlib.common import add_params_to_uri
from requests.auth import HTTPBasicAuth
from requests_oauthlib import OAuth2Session

from ..credentials.secret import Secret
from ..http.adapter import leaving_only_if
from ..http.response import ProviderAnswer
from ..http.session import USER_AGENT, Transport
from ..providers.accounts import App
from ..providers.oauth import ClientAuthentication, OAuthRules, RevocationRequest, TokenEncoding

HEADERS: Final[Mapping[str, str]] = {"Accept": "application/json", "User-Agent": USER_AGENT}
"""Without the first, some token endpoints answer with a form."""

LONGEST_SECONDS: Final = 3660 * 24 * 3600
"""What no ``expires_in`` is believed beyond: ten years."""

_EXCHANGING: ContextVar[bool] = ContextVar("exchanging", default=False)


class _Quiet(logging.Filter):
    """Drops what requests-oauthlib logs while it asks for a token: at DEBUG that is the secret, code and tokens."""

    def filter(self, record: logging.LogRecord) -> bool:  # noqa: ARG002 - whatever it says
        return not _EXCHANGING.get()


logging.getLogger("requests_oauthlib.oauth2_session").addFilter(_Quiet())


class TokenSession(OAuth2Session):
    """Speaks to one authorisation server in the name of one app.

    oauthlib knows https only. Which host may do without is the guard's to decide, so oauthlib is shown https
    addresses, and the request goes to the real one.
    """

    def __init__(
        self, transport: Transport, rules: OAuthRules, app: App, client_secret: Secret, redirect_uri: str
    ) -> None:
        super().__init__(client_id=app.client_id, redirect_uri=redirect_uri)
        self.trust_env = False
        self.mount("https://", transport.adapter)
        self.mount("http://", transport.adapter)
        self.register_compliance_hook("access_token_response", self._checked)
        self.register_compliance_hook("refresh_token_response", self._checked)
        self._rules = rules
        self._app = app
        self._client_secret = client_secret
        self._token_url = app.urls.fill(rules.token_url)

    def address(self, *, state: str, verifier: Secret | None, parameters: Mapping[str, str]) -> str:
        """Return the address of the authorisation page; `parameters` come before the flow's own."""
        url = self._app.urls.fill(self._rules.authorize_url)
        self.scope = self._rules.scope_separator.join(self._rules.scopes) or None
        pkce: dict[str, str] = {}
        if verifier is not None:
            digest = hashlib.sha256(verifier.reveal_bytes()).digest()
            pkce = {
                "code_challenge": base64.urlsafe_b64encode(digest).rstrip(b"=").decode(),
                "code_challenge_method": "S256",
            }
        page = add_params_to_uri(_as_https(url), list(parameters.items()))
        address, _ = self.authorization_url(page, state=state, **pkce)
        return url.partition(":")[0] + ":" + str(address).partition(":")[2]

    def exchange(self, *, code: str, verifier: Secret | None) -> Mapping[str, Any]:
        """Return the token answer's fields.

        Raises:
            oauthlib.oauth2.OAuth2Error: it says that there is no token.
            ApiError: there was no answer, or none of a token endpoint.
            Exception: whatever oauthlib raises for an answer that can't be read.
        """
        with _quietly():
            token: Mapping[str, Any] = self.fetch_token(
                _as_https(self._token_url),
                code=code,
                include_client_id=self._in_body,
                client_secret=self._client_secret.reveal() if self._in_body else None,
                auth=self._basic,
                headers=HEADERS,
                code_verifier=None if verifier is None else verifier.reveal(),
            )
        return token

    def renew(
        self, *, refresh_token: Secret, redirect_uri: str, may_leave: Callable[[], bool]
    ) -> Mapping[str, Any]:
        """Return the fields of the answer to a refresh token (RFC 6749, section 6); raises as `exchange` does."""
        further: dict[str, Any] = {"redirect_uri": redirect_uri} if redirect_uri else {}
        with _quietly(), leaving_only_if(may_leave):
            token: Mapping[str, Any] = self.refresh_token(
                _as_https(self._token_url),
                refresh_token=refresh_token.reveal(),
                auth=self._basic,
                headers=HEADERS,
                **further,
                **self._own_name,
            )
        return token

    def revoke(self, url: str, *, token: Secret, hint: str) -> bool:
        """Return whether the server took a token back, by RFC 7009, section 2, or as the manifest says."""
        if self._rules.revocation is RevocationRequest.DELETE:
            basic = HTTPBasicAuth(self._app.client_id, self._client_secret.reveal())
            document = {hint: token.reveal()}
            answer = requests.Session.request(self, "DELETE", url, json=document, auth=basic, headers=HEADERS)
            return ProviderAnswer.of(answer).is_good
        form = {"token": token.reveal(), "token_type_hint": hint, **self._own_name}
        answer = requests.Session.request(self, "POST", url, data=form, auth=self._basic, headers=HEADERS)
        read = ProviderAnswer.of(answer)
        return read.is_good and not read.error_code()

    @property
    def _in_body(self) -> bool:
        return self._rules.client_authentication is ClientAuthentication.BODY

    @property
    def _own_name(self) -> dict[str, Any]:
        """What names the app in a body."""
        named = {"client_id": self._app.client_id, "client_secret": self._client_secret.reveal()}
        return named if self._in_body else {}

    @property
    def _basic(self) -> HTTPBasicAuth | None:
        return None if self._in_body else HTTPBasicAuth(self._app.client_id, self._client_secret.reveal())

    def request(self, method: str, url: str, **options: Any) -> requests.Response:  # type: ignore[override]  # noqa: ARG002 - oauthlib was shown another address
        """Send the token request."""
        options.pop("withhold_token", None)  # requests-oauthlib's own; nothing here sends a token of its own accord
        if self._rules.token_encoding is TokenEncoding.JSON:
            options["json"] = options.pop("data")
        answer = requests.Session.request(self, method, self._token_url, **options)
        answer.encoding = "utf-8"
        return answer

    def get_redirect_target(self, resp: requests.Response) -> None:
        """Follow no redirect."""

    def _checked(self, answer: requests.Response) -> requests.Response:
        """Let pass what may be a token or says why there is none."""
        read = ProviderAnswer.of(answer)
        if read.status == 429 or read.status >= 500 or not (read.is_good or read.error_code()):
            raise read.failure("POST", f"{self._app.provider} at {self._app.host}")
        document = _document(answer)
        if document is not None:
            answer._content = json.dumps(document).encode()  # noqa: SLF001 - as the hooks of requests-oauthlib do
        return answer


def _document(answer: requests.Response) -> dict[str, Any] | None:
    """Return a token answer without the side fields for which oauthlib would refuse it; None where it is none."""
    document: Any
    try:
        document = json.loads(answer.content)
    except (ValueError, RecursionError):
        document = dict(parse_qsl(answer.text))
    if not isinstance(document, dict):
        return None
    lifetime = document.pop("expires_in", None)
    if (seconds := _seconds(lifetime)) > 0:
        document["expires_in"] = seconds
    if not isinstance(document.get("scope"), str | list):
        document.pop("scope", None)
    return document


def _seconds(value: object) -> int:
    """Read seconds, also where they are written as text; 0 for anything odd."""
    try:
        seconds = float(value) if isinstance(value, str | int | float) and value is not True else 0.0
        return int(min(seconds, LONGEST_SECONDS))
    except (ValueError, OverflowError):
        return 0


@contextmanager
def _quietly() -> Iterator[None]:
    token = _EXCHANGING.set(True)
    try:
        yield
    finally:
        _EXCHANGING.reset(token)


def _as_https(url: str) -> str:
    return "https:" + url.partition(":")[2]
