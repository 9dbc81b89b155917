"""The WSGI application: where providers post to, and where browsers come back to.

POST /webhooks/<provider>/<endpoint>     a delivery; without an endpoint, the provider's only app
GET  /webhooks/<provider>/<endpoint>     the provider looks whether the address answers, where it does so
GET  /callback/<provider>/<host>          a browser returns from the provider
POST /callback/<provider>/<host>          a person picked among several accounts, or claims one
GET  /connect/<provider>                  asks whether to connect an account, and of which host
GET  /reauthorise/<installation>          asks whether to authorise it again
GET  /link/<installation>                 asks whether to link oneself under it
POST likewise                             begins what was asked
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Sequence
from http import HTTPStatus
from typing import TYPE_CHECKING
from urllib.parse import unquote

from ..conversations.visitors import Visitor
from ..errors import ConnectorsError
from ..inbox.request import Request, StatedBody, content_length
from ..store.deadline import answering
from . import pages
from .browsing import Browsing
from .forms import MAXIMUM_FORM_BYTES, Environ, read_pairs
from .pages import Page, Present

if TYPE_CHECKING:
    from ..connectors import Connectors

Identify = Callable[[Environ], Visitor | None]
"""Returns who is at the browser, or None where nobody is signed in: the host knows, core asks."""


def nobody(environ: Environ) -> Visitor | None:  # noqa: ARG001 - the signature of `Identify`
    """Return None: an application that takes webhooks only."""
    return None


logger = logging.getLogger(__name__)

StartResponse = Callable[[str, list[tuple[str, str]]], object]


class Application:
    """The WSGI application of one `Connectors`; mount it under `Settings.public_url`.

    While the database doesn't answer, every request gets a 503 within a second. The time that a provider takes for
    its own answers comes on top.

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
        self._framing = pages.framing(connectors.settings.frame_ancestors)

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        """Answer one request (PEP 3333)."""
        try:
            with answering():
                page = self._answer(environ)
        except ConnectorsError as error:
            logger.info("a request was refused: %s", error.code)
            page = pages.refusal(error)
        headers = [*page.headers, ("Content-Length", str(len(page.body)))]
        if all(name.title() != pages.POLICY for name, _ in headers):  # a page of the host's may have its own
            headers += self._framing
        status = HTTPStatus(page.status)
        start_response(f"{status.value} {status.phrase}", headers)
        return [page.body]

    def body_limit(self, path: str) -> int:
        """Return how many bytes of a body are read at a path, for servers that can stop there."""
        match _parts(path):
            case ["webhooks", provider, *_]:
                return max(MAXIMUM_FORM_BYTES, self._connectors.inbox.body_limit(provider))
        return MAXIMUM_FORM_BYTES

    def _answer(self, environ: Environ) -> Page:
        parts = _parts(str(environ.get("PATH_INFO", "")))
        match environ["REQUEST_METHOD"], parts:
            case "POST", ["webhooks", provider, *endpoint] if len(endpoint) < 2:
                return self._receive(environ, provider, *endpoint)
            case "GET", ["webhooks", provider, *endpoint] if len(endpoint) < 2 and self._is_probe(
                environ, provider
            ):
                return Page(status=HTTPStatus.OK, headers=[("Content-Type", "text/plain")], body=b"")
            case "GET" | "POST", ["callback", _, _] | ["connect" | "reauthorise" | "link", _]:
                return self._browse(environ, parts)
            case _, ["connect" | "reauthorise" | "link", _] | ["callback", _, _] | ["webhooks", _] | [
                "webhooks",
                _,
                _,
            ]:
                return pages.html(HTTPStatus.METHOD_NOT_ALLOWED, "This address takes other requests")
        return pages.html(HTTPStatus.NOT_FOUND, "There is nothing here")

    def _receive(self, environ: Environ, provider: str, endpoint: str = "") -> Page:
        """Hand a delivery to the inbox."""
        body = environ["wsgi.input"]
        if not environ.get("wsgi.input_terminated"):
            body = StatedBody(body, content_length(environ.get("CONTENT_LENGTH")))
        request = Request(provider=provider, endpoint_id=endpoint, headers=headers_of(environ), body=body)
        answer = self._connectors.inbox.accept(request)
        headers = [("Content-Type", answer.content_type)]
        if answer.retry_after_seconds:
            headers.append(("Retry-After", str(answer.retry_after_seconds)))
        return Page(status=answer.status, headers=headers, body=answer.body.encode())

    def _is_probe(self, environ: Environ, provider: str) -> bool:
        fields = dict(read_pairs(str(environ.get("QUERY_STRING", ""))))
        return self._connectors.inbox.is_probe(provider, fields)

    def _browse(self, environ: Environ, parts: Sequence[str]) -> Page:
        """Answer a person, if one is signed in; who isn't costs the database nothing."""
        visitor = self._identify(environ)
        if visitor is None:
            return pages.html(HTTPStatus.UNAUTHORIZED, "Nobody is signed in", "Sign in and open this page again.")
        browsing = Browsing(connectors=self._connectors, present=self._present, environ=environ, visitor=visitor)
        with self._connectors.confined(visitor.workspace):
            return browsing.answer(parts)


def _parts(path: str) -> list[str]:
    return [unquote(part) for part in path.strip("/").split("/")]


def headers_of(environ: Environ) -> Sequence[tuple[str, str]]:
    """Return the request's headers under their wire names, in lower case."""
    names = [name for name in environ if name.startswith("HTTP_")]
    headers = [(name[5:].replace("_", "-").lower(), str(environ[name])) for name in names]
    unprefixed = [name for name in ("CONTENT_TYPE", "CONTENT_LENGTH") if environ.get(name)]
    return headers + [(name.replace("_", "-").lower(), str(environ[name])) for name in unprefixed]
