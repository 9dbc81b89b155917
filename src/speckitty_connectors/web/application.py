"""The WSGI application: where providers post to, and where browsers come back to.

POST /webhooks/<provider>/<end point>     a delivery; without an end point, the provider's only app
GET  /webhooks/<provider>/<end point>     the provider looks whether the address answers, where it does so
GET  /callback/<provider>/<host>          a browser returns from the provider
POST /callback/<provider>/<host>          a person picked among several accounts
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Sequence
from http import HTTPStatus
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, unquote

from ..errors import ConnectorsError
from ..inbox.request import Request
from ..installations.steps import Step
from . import pages
from .pages import Page, Present
from .visitors import Environ, Identify, Visitor, nobody

if TYPE_CHECKING:
    from ..connectors import Connectors

MAXIMUM_FORM_BYTES = 64 * 1024
MAXIMUM_FIELDS = 100

logger = logging.getLogger(__name__)

StartResponse = Callable[[str, list[tuple[str, str]]], object]


class Application:
    """The WSGI application of one `Connectors`; mount it under `Settings.public_url`.

    Args:
        connectors: what it serves.
        identify: says who is at the browser.
        present: shows a step of a conversation; plain pages where not given.
    """

    def __init__(
        self, connectors: Connectors, *, identify: Identify = nobody, present: Present = pages.present
    ) -> None:
        self._connectors = connectors
        self._identify = identify
        self._present = present

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        """Answer one request (PEP 3333)."""
        page = self._answer(environ)
        status = HTTPStatus(page.status)
        start_response(f"{status.value} {status.phrase}", [*page.headers, ("Content-Length", str(len(page.body)))])
        return [page.body]

    def _answer(self, environ: Environ) -> Page:
        parts = [unquote(part) for part in str(environ.get("PATH_INFO", "")).strip("/").split("/")]
        method = environ["REQUEST_METHOD"]
        match method, parts:
            case "POST", ["webhooks", provider, *named] if len(named) <= 1:
                return self._receive(environ, provider, *named or [self._connectors.only_endpoint(provider)])
            case "GET", ["webhooks", provider] | ["webhooks", provider, _] if self._is_probe(environ, provider):
                return Page(status=HTTPStatus.OK, headers=[("Content-Type", "text/plain")], body=b"")
            case "GET", ["callback", provider, host]:
                return self._callback(environ, provider, host)
            case "POST", ["callback", _, _]:
                return self._choice(environ)
            case _, ["webhooks", _] | ["webhooks", _, _] | ["callback", _, _]:
                return pages.html(HTTPStatus.METHOD_NOT_ALLOWED, "This address takes other requests")
        return pages.html(HTTPStatus.NOT_FOUND, "There is nothing here")

    def _receive(self, environ: Environ, provider: str, endpoint: str) -> Page:
        """Hand a delivery to the inbox."""
        request = Request(
            provider=provider, endpoint_id=endpoint, headers=headers_of(environ), body=environ["wsgi.input"]
        )
        answer = self._connectors.inbox.accept(request)
        headers = [("Content-Type", answer.content_type)]
        if answer.retry_after_seconds:
            headers.append(("Retry-After", str(answer.retry_after_seconds)))
        return Page(status=answer.status, headers=headers, body=answer.body.encode())

    def _is_probe(self, environ: Environ, provider: str) -> bool:
        fields = dict(_pairs(str(environ.get("QUERY_STRING", ""))))
        return self._connectors.inbox.is_probe(provider, fields)

    def _callback(self, environ: Environ, provider: str, host: str) -> Page:
        """Continue the conversation that a browser comes back with."""
        pairs = _pairs(str(environ.get("QUERY_STRING", "")))
        parameters = dict(pairs)
        if len(parameters) != len(pairs):
            return pages.html(
                HTTPStatus.BAD_REQUEST, "A parameter stands twice", "Start again from your workspace."
            )
        return self._converse(environ, lambda visitor: self._land(visitor, provider, host, parameters))

    def _land(self, visitor: Visitor, provider: str, host: str, parameters: dict[str, str]) -> Step:
        """Go on with the conversation; who lands without one begins it, and has to prove what the URL says."""
        onboarding = self._connectors.onboarding
        if "state" in parameters or not parameters:
            return onboarding.complete(provider=provider, host=host, session=visitor.session, parameters=parameters)
        return onboarding.claim(
            workspace=visitor.workspace,
            member=visitor.member,
            session=visitor.session,
            provider=provider,
            host=host,
            parameters=parameters,
        )

    def _choice(self, environ: Environ) -> Page:
        """Continue with the accounts that a person picked."""
        pairs = _pairs(environ["wsgi.input"].read(MAXIMUM_FORM_BYTES).decode("utf-8", "replace"))
        picked = tuple(value for name, value in pairs if name == "account")
        state = next((value for name, value in pairs if name == "state"), "")
        return self._converse(
            environ,
            lambda visitor: self._connectors.onboarding.choose(
                session=visitor.session, state=state, account_ids=picked
            ),
        )

    def _converse(self, environ: Environ, step: Callable[[Visitor], Step]) -> Page:
        """Take one step of a conversation for whoever is at the browser."""
        visitor = self._identify(environ)
        if visitor is None:
            return pages.html(HTTPStatus.UNAUTHORIZED, "Nobody is signed in", "Sign in and open this page again.")
        try:
            return self._present(step(visitor))
        except ConnectorsError as error:
            logger.info("a conversation was refused: %s", error.code)
            return pages.refusal(error)


def headers_of(environ: Environ) -> Sequence[tuple[str, str]]:
    """Return the request's headers under their wire names, in lower case."""
    names = [name for name in environ if name.startswith("HTTP_")]
    headers = [(name[5:].replace("_", "-").lower(), str(environ[name])) for name in names]
    unprefixed = [name for name in ("CONTENT_TYPE", "CONTENT_LENGTH") if environ.get(name)]
    return headers + [(name.replace("_", "-").lower(), str(environ[name])) for name in unprefixed]


def _pairs(text: str) -> list[tuple[str, str]]:
    try:
        return parse_qsl(text, keep_blank_values=True, max_num_fields=MAXIMUM_FIELDS)
    except ValueError:
        return []
