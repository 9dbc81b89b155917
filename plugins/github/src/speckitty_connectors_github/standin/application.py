"""The stand-in as a WSGI application: routes, pages, and the API with its pages of ten."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from http import HTTPStatus
from typing import Any
from urllib.parse import parse_qsl, urlencode
from wsgiref.util import application_uri, request_uri

from attrs import field, frozen

from speckitty_connectors import SampleDelivery, StandInRegistration

from . import documents
from .authorization import Authorization
from .documents import Document
from .story import deliveries

LONGEST_PAGE = 10
"""How many repositories a page has at most: fewer than GitHub's 100, so that 25 repositories take several pages."""

RETRY_AFTER_SECONDS = 1
"""What a throttled request is told to wait."""

StartResponse = Callable[[str, list[tuple[str, str]]], object]


@frozen(kw_only=True)
class _Request:
    web: str
    url: str
    query: Mapping[str, str]
    form: Mapping[str, str]
    headers: Mapping[str, str]

    @property
    def bearer(self) -> str:
        return self.headers.get("HTTP_AUTHORIZATION", "").removeprefix("Bearer ")


@frozen(kw_only=True)
class _Response:
    status: int = HTTPStatus.OK
    document: Document | None = None
    headers: Mapping[str, str] = field(factory=dict)


_Handler = Callable[[_Request], _Response]


class GitHubStandIn:
    """A GitHub of one person, one organization and 25 repositories.

    Args:
        setup_url: where the browser lands after an installation.
        callback_url: where it lands after an authorisation.
        throttled_page: page of the listing that is refused once with 403 and ``retry-after``, or 0 for none.

    >>> stand_in = GitHubStandIn(setup_url="http://127.0.0.1/setup", callback_url="http://127.0.0.1/callback")
    >>> stand_in.registration("http://127.0.0.1:4000")["settings"]
    {'slug': 'kitty-stand-in'}
    >>> stand_in.deliveries()[0].title
    'mona pushes to main'
    """

    def __init__(self, *, setup_url: str, callback_url: str, throttled_page: int = 0) -> None:
        self._setup_url = setup_url
        self._authorization = Authorization(callback_url=callback_url)
        self._throttled_page = throttled_page
        self._installed = False
        self._web = "https://github.example"
        self._routes: Sequence[tuple[str, re.Pattern[str], _Handler]] = [
            (method, re.compile(pattern), handler)
            for method, pattern, handler in (
                ("GET", rf"/github-apps/{documents.APP_SLUG}/installations/new", self._install),
                ("GET", r"/login/oauth/authorize", self._authorize),
                ("POST", r"/login/oauth/access_token", self._exchange),
                ("GET", r"/api/v3/user", self._user),
                ("GET", r"/api/v3/user/installations", self._user_installations),
                ("GET", rf"/api/v3/user/installations/{documents.INSTALLATION_ID}/repositories", self._visible),
                ("GET", rf"/api/v3/user/memberships/orgs/{documents.ORGANIZATION}", self._membership),
                ("POST", rf"/api/v3/app/installations/{documents.INSTALLATION_ID}/access_tokens", self._mint),
                ("GET", r"/api/v3/installation/repositories", self._installed_repositories),
            )
        ]

    def registration(self, base_url: str) -> StandInRegistration:
        """Return what the app is registered with, for a stand-in that is served at `base_url`."""
        self._web = base_url.rstrip("/")
        return StandInRegistration(
            client_id=self._authorization.client_id,
            client_secret=self._authorization.client_secret,
            private_key=self._authorization.private_key,
            webhook_secrets=(self._authorization.webhook_secret,),
            base_url=self._web,
            settings={"slug": documents.APP_SLUG},
        )

    def deliveries(self) -> Sequence[SampleDelivery]:
        """Return the story, whose first event happens in the first repository of the listing."""
        return deliveries(self._web)

    def application(self, environ: Mapping[str, Any], start_response: StartResponse) -> Iterable[bytes]:
        """Answer one request (PEP 3333)."""
        response = self._answer(environ["REQUEST_METHOD"], environ.get("PATH_INFO", ""), _read(environ))
        body, content_type = b"", "text/plain"
        if response.document is not None:
            body, content_type = _encode(response.document, environ)
        status = HTTPStatus(response.status)
        headers = {"Content-Type": content_type, "Content-Length": str(len(body)), **response.headers}
        start_response(f"{status.value} {status.phrase}", list(headers.items()))
        return [body]

    def _answer(self, method: str, path: str, request: _Request) -> _Response:
        for routed, pattern, handler in self._routes:
            if routed == method and pattern.fullmatch(path):
                return handler(request)
        return _failure(HTTPStatus.NOT_FOUND, "Not Found")

    def _install(self, request: _Request) -> _Response:
        self._installed = True
        landing = {"installation_id": str(documents.INSTALLATION_ID), "setup_action": "install"}
        state = {"state": request.query["state"]} if "state" in request.query else {}
        return _redirect(self._setup_url, {**landing, **state})

    def _authorize(self, request: _Request) -> _Response:
        return _redirect(*self._authorization.authorize(request.query))

    def _exchange(self, request: _Request) -> _Response:
        return _Response(document=self._authorization.exchange(request.form))

    def _user(self, request: _Request) -> _Response:
        return self._to_user(request, documents.profile(request.web))

    def _user_installations(self, request: _Request) -> _Response:
        found = [documents.installation(request.web, self._authorization.client_id)] if self._installed else []
        return self._to_user(request, {"total_count": len(found), "installations": found})

    def _membership(self, request: _Request) -> _Response:
        return self._to_user(request, documents.membership(request.web))

    def _to_user(self, request: _Request, document: Document) -> _Response:
        if not self._authorization.is_user(request.bearer):
            return _failure(HTTPStatus.UNAUTHORIZED, "Bad credentials")
        return _Response(document=document)

    def _mint(self, request: _Request) -> _Response:
        token = self._authorization.mint(request.bearer)
        if token is None:
            return _failure(HTTPStatus.UNAUTHORIZED, "A JSON web token could not be decoded")
        return _Response(status=HTTPStatus.CREATED, document=token)

    def _visible(self, request: _Request) -> _Response:
        return self._page(request, allowed=self._authorization.is_user(request.bearer))

    def _installed_repositories(self, request: _Request) -> _Response:
        return self._page(request, allowed=self._authorization.is_installation(request.bearer))

    def _page(self, request: _Request, *, allowed: bool) -> _Response:
        if not allowed:
            return _failure(HTTPStatus.UNAUTHORIZED, "Bad credentials")
        number, size = int(request.query.get("page", "1")), int(request.query.get("per_page", "30"))
        if number == self._throttled_page:
            self._throttled_page = 0
            # "Rate limits for the REST API": a secondary limit answers 403 or 429.
            wait = {"Retry-After": str(RETRY_AFTER_SECONDS)}
            return _failure(HTTPStatus.FORBIDDEN, "You have exceeded a secondary rate limit.", wait)
        size = min(size, LONGEST_PAGE)
        first, total = (number - 1) * size, documents.REPOSITORY_COUNT
        shown = [documents.repository(request.web, index) for index in range(first, min(first + size, total))]
        following = urlencode({**request.query, "page": number + 1})
        link = {"Link": f'<{request.url}?{following}>; rel="next"'} if first + size < total else {}
        return _Response(document={"total_count": total, "repositories": shown}, headers=link)


def _read(environ: Mapping[str, Any]) -> _Request:
    length = int(environ.get("CONTENT_LENGTH") or 0)
    form = environ["wsgi.input"].read(length).decode() if length else ""
    return _Request(
        web=application_uri(dict(environ)).rstrip("/"),
        url=request_uri(dict(environ), include_query=False),
        query=dict(parse_qsl(environ.get("QUERY_STRING", ""))),
        form=dict(parse_qsl(form)),
        headers={name: value for name, value in environ.items() if name.startswith("HTTP_")},
    )


def _encode(document: Document, environ: Mapping[str, Any]) -> tuple[bytes, str]:
    """Return JSON, except where the token end point wasn't asked for it ("Authorizing OAuth apps")."""
    asks_for_json = "json" in environ.get("HTTP_ACCEPT", "")
    if environ.get("PATH_INFO") == "/login/oauth/access_token" and not asks_for_json:
        return urlencode(document).encode(), "application/x-www-form-urlencoded; charset=utf-8"
    return json.dumps(document).encode(), "application/json; charset=utf-8"


def _redirect(url: str, parameters: Mapping[str, str]) -> _Response:
    separator = "&" if "?" in url else "?"
    return _Response(status=HTTPStatus.FOUND, headers={"Location": f"{url}{separator}{urlencode(parameters)}"})


def _failure(status: HTTPStatus, message: str, headers: Mapping[str, str] | None = None) -> _Response:
    document = {
        "message": message,
        "documentation_url": "https://docs.github.com/rest",
        "status": str(status.value),
    }
    return _Response(status=status, document=document, headers=headers or {})
