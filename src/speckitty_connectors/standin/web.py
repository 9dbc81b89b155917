"""What every stand-in is built of: routes on a WSGI application, answers in JSON, pages that follow each other."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from http import HTTPStatus
from typing import Any
from urllib.parse import parse_qsl, urlencode
from wsgiref.types import StartResponse
from wsgiref.util import application_uri, request_uri

from attrs import evolve, field, frozen


@frozen(kw_only=True)
class StandInRequest:
    """A request to a stand-in.

    Attributes:
        method: the HTTP method.
        path: the path, decoded.
        web: where the stand-in is served.
        url: the whole address without its query.
        query: the parameters of the query.
        body: the raw body.
        headers: the headers by their WSGI names, for example ``HTTP_AUTHORIZATION``.
        arguments: the named groups of the route's pattern.

    >>> StandInRequest(method="POST", path="/token", web="", url="", query={}, body=b"code=7", headers={}).form
    {'code': '7'}
    """

    method: str
    path: str
    web: str
    url: str
    query: Mapping[str, str]
    body: bytes
    headers: Mapping[str, str]
    arguments: Mapping[str, str] = field(factory=dict)

    @property
    def bearer(self) -> str:
        """The token in the Authorization header, or empty."""
        return self.headers.get("HTTP_AUTHORIZATION", "").removeprefix("Bearer ")

    @property
    def form(self) -> Mapping[str, str]:
        """The fields of a form."""
        return dict(parse_qsl(self.body.decode()))

    @property
    def document(self) -> Any:
        """The JSON document."""
        return json.loads(self.body)


@frozen(kw_only=True)
class StandInResponse:
    """An answer of a stand-in.

    Attributes:
        status: the HTTP status.
        document: what is answered as JSON, or None for `text`.
        text: a body that isn't JSON.
        headers: further headers.

    >>> StandInResponse(document={"id": 7}).encoded()
    (b'{"id": 7}', 'application/json; charset=utf-8')
    """

    status: int = HTTPStatus.OK
    document: Any = None
    text: str = ""
    headers: Mapping[str, str] = field(factory=dict)

    @classmethod
    def redirect(cls, url: str, parameters: Mapping[str, str]) -> StandInResponse:
        """Return what sends the browser to another page."""
        separator = "&" if "?" in url else "?"
        return cls(status=HTTPStatus.FOUND, headers={"Location": f"{url}{separator}{urlencode(parameters)}"})

    def encoded(self) -> tuple[bytes, str]:
        """Return the body and its media type."""
        if self.document is None:
            return self.text.encode(), "text/plain"
        return json.dumps(self.document).encode(), "application/json; charset=utf-8"


StandInAnswer = Callable[[StandInRequest], StandInResponse]
"""What answers the requests of one route."""


class StandInWeb:
    """A stand-in's WSGI application.

    Args:
        routes: method, pattern of the whole path, and what answers; the first that fits.
        missing: what is answered where none fits.

    >>> def thing(request):
    ...     return StandInResponse(document=request.arguments)
    >>> web = StandInWeb([("GET", "/things/(?P<id>[0-9]+)", thing)])
    >>> request = StandInRequest(method="GET", path="/things/7", web="", url="", query={}, body=b"", headers={})
    >>> web.answer(request).document
    {'id': '7'}
    """

    def __init__(
        self,
        routes: Iterable[tuple[str, str, StandInAnswer]],
        *,
        missing: StandInResponse = StandInResponse(
            status=HTTPStatus.NOT_FOUND, document={"message": "404 Not Found"}
        ),
    ) -> None:
        self._routes = [(method, re.compile(pattern), answer) for method, pattern, answer in routes]
        self._missing = missing

    def __call__(self, environ: Mapping[str, Any], start_response: StartResponse) -> Iterable[bytes]:
        """Answer one request (PEP 3333)."""
        response = self.answer(_read(environ))
        body, content_type = response.encoded()
        status = HTTPStatus(response.status)
        headers = {"Content-Type": content_type, "Content-Length": str(len(body)), **response.headers}
        start_response(f"{status.value} {status.phrase}", list(headers.items()))
        return [body]

    def answer(self, request: StandInRequest) -> StandInResponse:
        """Return what the route of a request answers."""
        for method, pattern, answer in self._routes:
            found = pattern.fullmatch(request.path) if method == request.method else None
            if found:
                return answer(evolve(request, arguments=found.groupdict()))
        return self._missing


def page_of(
    request: StandInRequest, entries: Sequence[Any], *, longest: int, default: int
) -> tuple[Sequence[Any], Mapping[str, str]]:
    """Return the entries of the page that was asked for by ``page`` and ``per_page``, and its Link header.

    Args:
        request: what was asked.
        entries: all there are.
        longest: most entries of a page.
        default: entries of a page where the request doesn't say.
    """
    number = int(request.query.get("page", "1"))
    size = min(int(request.query.get("per_page", str(default))), longest)
    first = (number - 1) * size
    following = urlencode({**request.query, "page": number + 1})
    more = first + size < len(entries)
    return entries[first : first + size], {"Link": f'<{request.url}?{following}>; rel="next"'} if more else {}


def _read(environ: Mapping[str, Any]) -> StandInRequest:
    length = int(environ.get("CONTENT_LENGTH") or 0)
    return StandInRequest(
        method=environ["REQUEST_METHOD"],
        path=environ.get("PATH_INFO", ""),
        web=application_uri(dict(environ)).rstrip("/"),
        url=request_uri(dict(environ), include_query=False),
        query=dict(parse_qsl(environ.get("QUERY_STRING", ""))),
        body=environ["wsgi.input"].read(length) if length else b"",
        headers={name: value for name, value in environ.items() if name.startswith("HTTP_")},
    )
