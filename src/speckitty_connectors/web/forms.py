"""What browsers send: forms, and the proof that a form was one of ours."""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import parse_qsl, urlsplit

from ..conversations.visitors import Visitor
from ..inbox.request import content_length
from ..inbox.responses import BodyTooLargeError

Environ = dict[str, Any]
"""A WSGI environment (PEP 3333)."""

Pairs = list[tuple[str, str]]

MAXIMUM_FORM_BYTES: Final = 64 * 1024
MAXIMUM_FIELDS: Final = 100

TOKEN_FIELD: Final = "form_token"  # noqa: S105 - the name of a field
"""The hidden field of our forms: see `form_token`."""

DEFAULT_PORTS: Final = {"http": 80, "https": 443}
"""The ports that an origin doesn't name (RFC 6454, section 6.2)."""


def read_form(environ: Environ) -> Pairs:
    """Return the fields of a form; of the stream no more is read than the request says that it has.

    Raises:
        BodyTooLargeError: it says more than `MAXIMUM_FORM_BYTES`.
        DeliveryRefusedError: it says nothing that could be a length.
    """
    length = content_length(environ.get("CONTENT_LENGTH"))
    if length > MAXIMUM_FORM_BYTES:
        raise BodyTooLargeError(f"the form is larger than {MAXIMUM_FORM_BYTES} bytes")
    return read_pairs(environ["wsgi.input"].read(length).decode("utf-8", "replace") if length else "")


def read_pairs(text: str) -> Pairs:
    """Return names and values of a form or a query; none where there are too many."""
    try:
        return parse_qsl(text, keep_blank_values=True, max_num_fields=MAXIMUM_FIELDS)
    except ValueError:
        return []


def form_token(visitor: Visitor) -> str:
    """Return what our forms carry and another site can't know: it follows from this browser's session.

    >>> mona = Visitor(workspace="w1", member="mona", session="c2Vzc2lvbg")
    >>> form_token(mona) == form_token(mona), len(form_token(mona))
    (True, 64)
    """
    owner = f"form of {visitor.member} in {visitor.workspace}".encode("utf-8", "replace")
    return hmac.digest(visitor.session.reveal_bytes(), owner, "sha256").hex()


def has_token(form: Mapping[str, str], visitor: Visitor) -> bool:
    """Return whether a form carries the token of this visitor's forms."""
    return hmac.compare_digest(form.get(TOKEN_FIELD, "").encode("utf-8", "replace"), form_token(visitor).encode())


def is_from_another_site(environ: Environ, public_url: str) -> bool:
    """Return whether the browser says that a page of another site sent this.

    Browsers say so in Sec-Fetch-Site (Fetch Metadata Request Headers, section 2.4), older ones in Origin (RFC 6454,
    section 7). Where neither header is there, the token alone decides.
    """
    if site := environ.get("HTTP_SEC_FETCH_SITE"):
        return bool(site != "same-origin")
    stated = environ.get("HTTP_ORIGIN")
    return stated is not None and _origin(str(stated)) != _origin(public_url)


def _origin(url: str) -> tuple[str, str, int | None] | None:
    """Return scheme, host and port of a URL; None where it has none, as in ``null``."""
    try:
        parts = urlsplit(url)
        port = parts.port or DEFAULT_PORTS.get(parts.scheme)
    except ValueError:
        return None
    return (parts.scheme, parts.hostname, port) if parts.hostname else None
