"""requests-oauthlib's session over the guarded transport: no redirects, no environment, and no word in the log."""

from __future__ import annotations

import base64
import hashlib
import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import requests
from oauthlib.common import add_params_to_uri
from requests.auth import HTTPBasicAuth
from requests_oauthlib import OAuth2Session

from ..http.answers import ProviderAnswer
from ..http.session import USER_AGENT, Transport
from ..providers.oauth import ClientAuthentication, OAuthRules, TokenEncoding
from .secret import Secret

_EXCHANGING: ContextVar[bool] = ContextVar("exchanging", default=False)


class _Quiet(logging.Filter):
    """Drops what requests-oauthlib logs while a code is exchanged: at DEBUG that is the secret, code and tokens."""

    def filter(self, record: logging.LogRecord) -> bool:  # noqa: ARG002 - whatever it says
        return not _EXCHANGING.get()


logging.getLogger("requests_oauthlib.oauth2_session").addFilter(_Quiet())


class TokenSession(OAuth2Session):
    """Speaks to one authorisation server in the name of one app.

    oauthlib knows https only. Which host may do without is the guard's to decide, so oauthlib is shown https
    addresses, and the request goes to the real one.

    Args:
        transport: carries the request.
        rules: the manifest's.
        client_id: the app's.
        redirect_uri: where people come back to.
        subject: what error messages call the other side.
    """

    def __init__(
        self, transport: Transport, rules: OAuthRules, *, client_id: str, redirect_uri: str, subject: str
    ) -> None:
        super().__init__(client_id=client_id, redirect_uri=redirect_uri)
        self.trust_env = False
        self.mount("https://", transport.adapter)
        self.mount("http://", transport.adapter)
        self.register_compliance_hook("access_token_response", self._checked)
        self._rules = rules
        self._app_id = client_id
        self._subject = subject
        self._token_url = ""

    def address(self, url: str, *, state: str, verifier: Secret | None, parameters: Mapping[str, str]) -> str:
        """Return the address of the authorisation page; `parameters` come before the flow's own."""
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

    def exchange(self, url: str, *, code: str, client_secret: Secret, verifier: Secret | None) -> Mapping[str, Any]:
        """Return the token answer's fields.

        Raises:
            oauthlib.oauth2.OAuth2Error: it says that there is no token.
            ApiError: there was no answer, or none of a token end point.
            Exception: whatever oauthlib raises for an answer that can't be read.
        """
        self._token_url = url
        in_body = self._rules.client_authentication is ClientAuthentication.BODY
        with _quietly():
            token: Mapping[str, Any] = self.fetch_token(
                _as_https(url),
                code=code,
                include_client_id=in_body,
                client_secret=client_secret.reveal() if in_body else None,
                auth=None if in_body else HTTPBasicAuth(self._app_id, client_secret.reveal()),
                headers={"Accept": "application/json", "User-Agent": USER_AGENT},
                code_verifier=None if verifier is None else verifier.reveal(),
            )
        return token

    def request(self, method: str, url: str, **options: Any) -> requests.Response:  # type: ignore[override]  # noqa: ARG002 - oauthlib was shown another address
        """Send the token request."""
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
            raise read.failure("POST", self._subject)
        return answer


@contextmanager
def _quietly() -> Iterator[None]:
    token = _EXCHANGING.set(True)
    try:
        yield
    finally:
        _EXCHANGING.reset(token)


def _as_https(url: str) -> str:
    return "https:" + url.partition(":")[2]
