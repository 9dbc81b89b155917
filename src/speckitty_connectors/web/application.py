"""The WSGI application: where providers post to, and where browsers come back to.

POST /webhooks/<provider>/<end point>     a delivery; without an end point, the provider's only app
GET  /webhooks/<provider>/<end point>     the provider looks whether the address answers, where it does so
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
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, quote, unquote

from ..conversations.visitors import Callback, Visitor
from ..errors import ConnectorsError
from ..inbox.request import Request
from ..installations.steps import Step
from ..links.types import LinkDone
from . import pages
from .pages import Page, Present

if TYPE_CHECKING:
    from ..connectors import Connectors

MAXIMUM_FORM_BYTES = 64 * 1024
MAXIMUM_FIELDS = 100

SIGN_IN = ("Nobody is signed in", "Sign in and open this page again.")

Environ = dict[str, Any]
"""A WSGI environment (PEP 3333)."""

Identify = Callable[[Environ], Visitor | None]
"""Returns who is at the browser, or None where nobody is signed in: the host knows, core asks."""


def nobody(environ: Environ) -> Visitor | None:  # noqa: ARG001 - the signature of `Identify`
    """Return None: an application that takes webhooks only."""
    return None


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
            case _, ["webhooks", provider, *endpoint] if len(endpoint) < 2:
                return self._webhook(environ, provider, *endpoint)
            case "GET", ["callback", provider, host]:
                return self._callback(environ, provider, host)
            case "POST", ["callback", provider, host]:
                return self._answered(environ, provider, host)
            case "GET" | "POST", ["connect" | "reauthorise" | "link" as purpose, subject]:
                ask_or_begin = self._ask if method == "GET" else self._begin
                return ask_or_begin(environ, purpose, subject)
            case _, ["connect" | "reauthorise" | "link", _] | ["callback", _, _]:
                return pages.html(HTTPStatus.METHOD_NOT_ALLOWED, "This address takes other requests")
        return pages.html(HTTPStatus.NOT_FOUND, "There is nothing here")

    def _webhook(self, environ: Environ, provider: str, endpoint: str = "") -> Page:
        method = environ["REQUEST_METHOD"]
        if method == "POST":
            return self._receive(environ, provider, endpoint or self._connectors.only_endpoint(provider))
        if method == "GET" and self._is_probe(environ, provider):
            return Page(status=HTTPStatus.OK, headers=[("Content-Type", "text/plain")], body=b"")
        return pages.html(HTTPStatus.METHOD_NOT_ALLOWED, "This address takes other requests")

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
        """Continue the conversation that a browser comes back with; who comes without one is asked first."""
        pairs = _pairs(str(environ.get("QUERY_STRING", "")))
        parameters = dict(pairs)
        if len(parameters) != len(pairs):
            return pages.html(
                HTTPStatus.BAD_REQUEST, "A parameter stands twice", "Start again from your workspace."
            )
        if parameters and "state" not in parameters:
            return self._asked_of_visitors(environ, pages.claiming(parameters))
        address = f"{self._connectors.settings.public_url}{quote(str(environ.get('PATH_INFO', '')))}"
        callback = Callback(provider=provider, host=host, parameters=parameters, address=address)
        links = self._connectors.links
        service = links if links.owns(parameters.get("state", "")) else self._connectors.onboarding
        return self._converse(
            environ,
            lambda visitor: service.complete(visitor=visitor, callback=callback),
        )

    def _answered(self, environ: Environ, provider: str, host: str) -> Page:
        """Continue with the accounts that a person picked, or begin for one who claims what was installed there."""
        pairs = _form(environ)
        if not any(name == "state" for name, _ in pairs):
            callback = Callback(provider=provider, host=host, parameters=dict(pairs))
            return self._begun_here(
                environ, lambda visitor: self._connectors.onboarding.claim(visitor=visitor, callback=callback)
            )
        picked = tuple(value for name, value in pairs if name == "account")
        state = next((value for name, value in pairs if name == "state"), "")
        return self._converse(
            environ,
            lambda visitor: self._connectors.onboarding.choose(visitor=visitor, state=state, account_ids=picked),
        )

    def _ask(self, environ: Environ, purpose: str, subject: str) -> Page:
        """Let a person begin by a button of their own: a link on another site must not begin it for them."""
        visitor = self._identify(environ)
        hosts: tuple[str, ...] = ()
        if purpose == "connect" and visitor is not None:
            with self._connectors.confined(visitor.workspace):
                hosts = self._connectors.onboarding.hosts(workspace=visitor.workspace, provider=subject)
            if not hosts:
                return pages.html(HTTPStatus.NOT_FOUND, "This provider can't be connected here")
        return self._asked_of_visitors(environ, pages.beginning(purpose, hosts))

    def _asked_of_visitors(self, environ: Environ, page: Page) -> Page:
        """Show a page to those who are signed in."""
        return page if self._identify(environ) else pages.html(HTTPStatus.UNAUTHORIZED, *SIGN_IN)

    def _begin(self, environ: Environ, purpose: str, subject: str) -> Page:
        """Begin what the button was for."""
        form = dict(_form(environ))

        def begin(visitor: Visitor) -> Step:
            onboarding, links = self._connectors.onboarding, self._connectors.links
            if purpose == "connect":
                return onboarding.begin(visitor=visitor, provider=subject, host=form.get("host") or None)
            if purpose == "reauthorise":
                return onboarding.reauthorise(visitor=visitor, installation_id=subject)
            return links.begin(visitor=visitor, installation_id=subject, take_over="take_over" in form)

        return self._begun_here(environ, begin)

    def _begun_here(self, environ: Environ, begin: Callable[[Visitor], Step]) -> Page:
        """Begin if the button was on a page of ours, as browsers say of every form (Fetch Metadata)."""
        if environ.get("HTTP_SEC_FETCH_SITE", "same-origin") != "same-origin":
            return pages.html(HTTPStatus.FORBIDDEN, "Another site sent this", "Begin from your workspace.")
        return self._converse(environ, begin)

    def _converse(self, environ: Environ, step: Callable[[Visitor], Step | LinkDone]) -> Page:
        """Take one step of a conversation for whoever is at the browser."""
        visitor = self._identify(environ)
        if visitor is None:
            return pages.html(HTTPStatus.UNAUTHORIZED, *SIGN_IN)
        try:
            with self._connectors.confined(visitor.workspace):
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


def _form(environ: Environ) -> list[tuple[str, str]]:
    return _pairs(environ["wsgi.input"].read(MAXIMUM_FORM_BYTES).decode("utf-8", "replace"))


def _pairs(text: str) -> list[tuple[str, str]]:
    try:
        return parse_qsl(text, keep_blank_values=True, max_num_fields=MAXIMUM_FIELDS)
    except ValueError:
        return []
