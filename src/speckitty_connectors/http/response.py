"""A provider's response, as plugins see it, and the error that a failing status becomes."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Final, Protocol, runtime_checkable
from urllib.parse import urljoin, urlsplit, urlunsplit

import msgspec
from attrs import evolve, field, frozen
from requests import Response
from requests.structures import CaseInsensitiveDict

from ..providers.api import (
    ApiError,
    ApiForbiddenError,
    ApiNotFoundError,
    ApiThrottledError,
    ApiUnauthorizedError,
    ApiUnavailableError,
    EgressRefusedError,
)
from ..providers.failures import FailureDialect
from .egress import origin_of

PARAMETER: Final = re.compile(r"""\s*;\s*([^\s=;,"]+)(?:\s*=\s*(?:"([^"]*)"|([^\s;,"]*)))?""")
"""A parameter's name, and its value in quotes or without."""

LINK: Final = re.compile(r"""<([^>]*)>((?:\s*;\s*[^\s=;,"]+(?:\s*=\s*(?:"[^"]*"|[^\s;,"]*))?)*)""")
"""A target and its parameters (RFC 8288, section 3); quoted values may contain commas and semicolons."""

FAILURES: Final[Mapping[int, tuple[type[ApiError], str]]] = {
    401: (ApiUnauthorizedError, "connect it again, so that there is a fresh credential"),
    403: (ApiForbiddenError, "check what was granted, and accept new permissions at the provider"),
    404: (ApiNotFoundError, "check that it still exists and that the credential may see it"),
    410: (ApiNotFoundError, "check that it still exists and that the credential may see it"),
    429: (ApiThrottledError, "try again in a minute"),
}
"""Status → error and remedy; `ProviderAnswer.failure` handles 5xx and the rest."""


@frozen(kw_only=True)
class ProviderAnswer:
    """A response that was read completely; implements `providers.api.ApiResponse`.

    >>> ProviderAnswer(url="https://api.example/x", status=200, headers={}, body=b'{"id": 1}').json()
    {'id': 1}
    """

    url: str
    status: int
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)

    @classmethod
    def of(cls, answer: Response) -> ProviderAnswer:
        """Return what the library requests has read."""
        return cls(
            url=answer.url,
            status=answer.status_code,
            headers=CaseInsensitiveDict(answer.headers),
            body=answer.content,
        )

    def as_told(self, dialect: FailureDialect | None) -> ProviderAnswer:
        """Return it with the status that its document states, where this provider reports failures there."""
        is_vague = self.is_good or self.status == 400
        told = dialect.status_of(self._document()) if dialect is not None and is_vague else None
        return self if told is None else evolve(self, status=told)

    @property
    def is_good(self) -> bool:
        """Whether the status is 2xx or 304."""
        return 200 <= self.status < 300 or self.status == 304

    @property
    def next_link(self) -> str:
        """The URL of ``rel="next"`` in the Link header (RFC 8288), or empty; always on the origin that responded.

        A proxy in front of a self-managed host may use another name, so only path and query count.

        Raises:
            EgressRefusedError: it isn't a URL.
        """
        for target, parameters in LINK.findall(self.headers.get("Link", "")):
            named = PARAMETER.findall(parameters)
            relation = next((quoted or bare for name, quoted, bare in named if name.lower() == "rel"), "")
            if "next" in relation.lower().split():
                return self._on_own_origin(target)
        return ""

    @property
    def location(self) -> str:
        """The URL that a redirect points to.

        Raises:
            EgressRefusedError: it points to another origin.
        """
        return self._same_origin(self.headers.get("Location", ""))

    def json(self) -> object:
        """Return the decoded JSON document.

        Raises:
            ApiError: the body isn't JSON.
        """
        document = self._document()
        if document is msgspec.UNSET:
            raise ApiError(
                "the response isn't JSON",
                subject=origin_of(self.url).host,
                remedy="try again later",
                status=self.status,
            )
        return document

    def error_code(self) -> str:
        """Return ``error`` or ``code`` of a JSON body, its own or that of its first ``errors``; or empty."""
        document = self._document()
        if not isinstance(document, dict):
            return ""
        errors = document.get("errors")
        first = errors[0] if isinstance(errors, list) and errors and isinstance(errors[0], dict) else {}
        extensions = first.get("extensions")
        places = [document, first, extensions if isinstance(extensions, dict) else {}]
        codes = [place.get(name) for place in places for name in ("error", "code")]
        return next((code for code in codes if isinstance(code, str)), "")

    def failure(self, method: str, subject: str) -> ApiError:
        """Return the error for this status; it holds nothing of the body."""
        kind, remedy = FAILURES.get(self.status, (ApiError, "report it to the authors of the provider's plugin"))
        if self.status >= 500:
            kind, remedy = ApiUnavailableError, "try again later; look at the provider's status page"
        what = f"{method} to {origin_of(self.url).host_name} answered {self.status}"
        return kind(what, subject=subject, remedy=remedy, status=self.status, answered_at=self._answered_at())

    def _answered_at(self) -> datetime | None:
        """Read the ``Date`` header (RFC 9110, section 6.6.1); None if it is missing or unreadable."""
        try:
            moment = parsedate_to_datetime(self.headers.get("Date", ""))
        except ValueError:
            return None
        return moment if moment.tzinfo else moment.replace(tzinfo=UTC)

    def _document(self) -> object:
        try:
            return msgspec.json.decode(self.body)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return msgspec.UNSET

    def _on_own_origin(self, link: str) -> str:
        try:
            led, own = urlsplit(urljoin(self.url, link)), urlsplit(self.url)
        except ValueError:
            raise self._leads_away() from None
        return self._same_origin(urlunsplit((own.scheme, own.netloc, led.path, led.query, "")))

    def _same_origin(self, link: str) -> str:
        try:
            url = urljoin(self.url, link)
        except ValueError:  # what isn't a URL has no origin
            url = ""
        if origin_of(url) != origin_of(self.url):
            raise self._leads_away()
        return url

    def _leads_away(self) -> EgressRefusedError:
        return EgressRefusedError(
            "the response points to another host",
            subject=origin_of(self.url).host_name,
            remedy="nothing was sent there; report it to the provider",
            status=self.status,
        )


@runtime_checkable
class WireSecret(Protocol):
    """A secret that hides itself everywhere except in the document that is sent."""

    def reveal(self) -> str:
        """Return the text."""
        ...


def _on_the_wire(value: object) -> str:
    if isinstance(value, WireSecret):
        return value.reveal()
    raise TypeError(f"a document can't hold a {type(value).__name__}")


_encode = msgspec.json.Encoder(enc_hook=_on_the_wire).encode


def write_document(document: object) -> bytes:
    """Return a document as JSON, ready to be sent.

    >>> write_document({"id": 7})
    b'{"id":7}'

    Raises:
        TypeError: it holds something that JSON can't represent.
    """
    return _encode(document)
