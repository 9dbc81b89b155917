"""One inbound HTTP request as any web server can hand it over, and how it is read without trusting it."""

from __future__ import annotations

import math
import re
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import Protocol
from urllib.parse import parse_qsl

import msgspec
from attrs import field, frozen

from .responses import (
    BodyTooLargeError,
    BodyTooSlowError,
    DeliveryRefusedError,
    DocumentRefusedError,
    HeaderRefusedError,
)

FORM = "application/x-www-form-urlencoded"

MAXIMUM_FORM_FIELDS = 1000
"""Far more than any provider sends; without a limit, 200 000 empty fields cost a quarter of a second."""

DocumentMembers = Mapping[str, msgspec.Raw]
"""The members of a JSON object, their values not decoded."""

_read_members = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode

_read_text = msgspec.json.Decoder(str).decode


REPLACEMENT = "\ufffd"
"""What stands for bytes that can't be text (The Unicode Standard, section 3.9)."""

_ODD_TEXT = re.compile(rb"\\u(?:0000|[dD][89a-fA-F])")
"""NUL, which PostgreSQL refuses in text, or a surrogate, for which UTF-8 has no form unless it is one of a pair."""

_VAST_NUMBER = re.compile(rb"[:,\[\s]-?(?:[0-9]{100}|[0-9.]+[eE]\+?[0-9]{3})")
"""What may be more than a double can hold (RFC 8259, section 6), or a text that looks so."""

_TOKEN = re.compile(r'"[^"\\]*+(?:\\.[^"\\]*+)*+(?:"|\\?\Z)|-?[0-9][0-9.eE+-]*+', re.DOTALL)
"""A text or a number; a text without an end goes to the end of the document, so that no byte is read twice."""

_ESCAPE = re.compile(
    r"(?P<pair>\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2})"
    r"|\\u(?:0000|[dD][89a-fA-F][0-9a-fA-F]{2})"
    r"|(?P<other>\\.)",
    re.DOTALL,
)
"""A pair of surrogates, what no text may hold, or any other escape."""


@frozen(kw_only=True)
class Content:
    """What a verified body holds.

    Attributes:
        document: the JSON document as bytes; empty for a form without one.
        fields: the other fields of a form.

    >>> read_content(FORM, b"command=%2Fdeploy&text=now", form_field="payload").fields["text"]
    'now'
    """

    document: bytes = b""
    fields: Mapping[str, str] = field(factory=dict)


def read_content(media_type: str, body: bytes, *, form_field: str) -> Content:
    """Return what the body holds; the JSON document itself isn't looked at.

    Args:
        media_type: ``application/x-www-form-urlencoded`` for a form, anything else for JSON.
        body: the raw body, already verified.
        form_field: field of a form that holds the document, or empty where forms have only fields.

    Raises:
        DocumentRefusedError: a form with a field twice, too many fields, or bytes that aren't a form.
    """
    if media_type != FORM:
        return Content(document=body)
    try:
        pairs = parse_qsl(
            body.decode("ascii"),
            keep_blank_values=True,
            strict_parsing=True,
            errors="replace",
            max_num_fields=MAXIMUM_FORM_FIELDS,
        )
    except ValueError:
        raise DocumentRefusedError("the body isn't a form, or has too many fields") from None
    fields = dict(pairs)
    if not fields or len(fields) != len(pairs) or fields.get(form_field) == "":
        raise DocumentRefusedError("the form is empty, or has a field twice")
    return Content(document=fields.pop(form_field, "").encode(), fields=fields)


def readable_content(media_type: str, body: bytes, *, form_field: str) -> Content:
    """Return what the body holds as a plugin gets it: the document such that every decoder takes it.

    Raises:
        DocumentRefusedError: as in `read_content`.
    """
    content = read_content(media_type, body, form_field=form_field)
    return Content(document=readable(content.document), fields=content.fields)


def readable(document: bytes) -> bytes:
    r"""Return a JSON document that every decoder takes: what can't be text is U+FFFD, what can't be a number null.

    Providers cut texts in the middle of a character, and sign what is left. That is no reason to lose what they
    deliver. A document without such things is returned as it is, and what isn't JSON doesn't become so.

    >>> readable(rb'{"title": "caf\ud83d", "size": 1e999}').decode()
    '{"title": "caf\\ufffd", "size": null}'
    """
    if not _is_odd(document):
        return document
    return _TOKEN.sub(_readable_token, document.decode(errors="replace")).encode()


def _is_odd(document: bytes) -> bool:
    try:
        document.decode()
    except UnicodeDecodeError:
        return True
    return bool((b"\\u" in document and _ODD_TEXT.search(document)) or _VAST_NUMBER.search(document))


def _readable_token(found: re.Match[str]) -> str:
    token = found[0]
    if token.startswith('"'):
        return _ESCAPE.sub(lambda escape: escape["pair"] or escape["other"] or r"\ufffd", token)
    try:
        return token if math.isfinite(float(token)) else "null"
    except ValueError:
        return token


def read_members(document: bytes) -> DocumentMembers:
    """Return the members of a JSON object; every byte of it is checked, no value is decoded.

    What can't be text or a number is no reason to refuse what the provider signed: `readable`.

    Raises:
        DocumentRefusedError: it isn't a JSON object, or nests too deep to be decoded here.
    """
    try:
        return _read_members(document)
    except (UnicodeDecodeError, msgspec.MsgspecError):
        pass
    except RecursionError:
        raise DocumentRefusedError("the JSON document nests too deep") from None
    try:
        return _read_members(readable(document))
    except msgspec.MsgspecError:
        raise DocumentRefusedError("the body isn't a JSON object") from None


def text_of(members: DocumentMembers, name: str) -> str:
    """Return a member that is a string and all text, else an empty one.

    >>> text_of(read_members(b'{"event_id": "Ev1", "attempt": 2}'), "attempt")
    ''
    """
    if name not in members:
        return ""
    try:
        text = _read_text(members[name])
    except (UnicodeDecodeError, msgspec.MsgspecError):
        return ""
    return "" if REPLACEMENT in text else text


CHUNK_BYTES = 64 * 1024

MAXIMUM_HEADER_LENGTH = 8192
"""Longest value of a header that is read, in characters; Apache's and nginx's own limit for a header line."""

MAXIMUM_LENGTH_DIGITS = 15
"""Of a Content-Length; far more than any body may have."""

MAXIMUM_HEADERS = 200
"""More than any provider and all proxies before us send; Apache's own limit is half of it."""

BODY_SECONDS = 10.0
"""How long a body may take to arrive; GitHub, the most patient provider, has given up by then ("Best practices for
using webhooks")."""


class Readable(Protocol):
    """A stream of bytes, for example ``wsgi.input``."""

    def read(self, size: int, /) -> bytes:
        """Return at most `size` bytes; empty at the end."""
        ...


class StatedBody:
    """A stream that ends where the request says; the server's own may wait for more (PEP 3333, "Input streams").

    >>> from io import BytesIO
    >>> StatedBody(BytesIO(b"{}, and the next request"), 2).read(100)
    b'{}'

    Args:
        stream: the server's stream.
        length: how many bytes the request says that it has.
    """

    def __init__(self, stream: Readable, length: int) -> None:
        self._stream = stream
        self._left = length

    def read(self, size: int, /) -> bytes:
        """Return at most `size` bytes; empty at the end."""
        chunk = self._stream.read(min(size, self._left)) if self._left else b""
        self._left -= len(chunk)
        return chunk


def content_length(header: str | None) -> int:
    """Return how many bytes a request says that it has; 0 where it says nothing (RFC 9110, section 8.6).

    Raises:
        HeaderRefusedError: it isn't a number.
    """
    text = header or "0"
    if not (text.isascii() and text.isdigit() and len(text) <= MAXIMUM_LENGTH_DIGITS):
        raise HeaderRefusedError("the header content-length isn't a number of bytes")
    return int(text)


@frozen(kw_only=True)
class Request:
    """One POST to an endpoint; nothing of it has been checked.

    Attributes:
        provider: provider key, from the URL.
        endpoint_id: id of the endpoint, from the URL; empty for the one of the operator's only app.
        headers: names and values as they came, repeated ones too.
        body: the raw body, or a stream of it that ends with the body.

    >>> Request(provider="acme", endpoint_id="0195", headers=[("Accept", "*/*")], body=b"{}").body
    b'{}'
    """

    provider: str
    endpoint_id: str
    headers: Sequence[tuple[str, str]]
    body: bytes | Readable


def select_headers(headers: Sequence[tuple[str, str]], names: Collection[str]) -> dict[str, str]:
    """Return the named headers by lower-case name; the others are not looked at.

    Raises:
        HeaderRefusedError: one of them appears twice, is too long, or isn't printable ASCII; or there are too many
            headers altogether.
    """
    if len(headers) > MAXIMUM_HEADERS:
        raise HeaderRefusedError(f"there are more than {MAXIMUM_HEADERS} headers")
    found: dict[str, str] = {}
    for raw_name, value in headers:
        name = raw_name.lower()
        if name not in names:
            continue
        if name in found:
            raise HeaderRefusedError(f"the header {name} appears twice")
        if len(value) > MAXIMUM_HEADER_LENGTH or not (value.isascii() and value.isprintable()):
            raise HeaderRefusedError(f"the header {name} is longer than a header may be, or isn't printable ASCII")
        found[name] = value
    return found


def read_body(body: bytes | Readable, limit: int, *, seconds: Callable[[], float] = time.monotonic) -> bytes:
    """Read the body, and stop at the limit whatever the request says of its length, and when its time is over.

    The time is looked at between two reads; how long one of them may take is the web server's to say.

    Args:
        body: the body, or a stream of it.
        limit: in bytes.
        seconds: a clock that only goes forward.

    Raises:
        BodyTooLargeError: there is more than `limit` bytes.
        BodyTooSlowError: it took longer than `BODY_SECONDS`.
        DeliveryRefusedError: the connection broke before the end.
    """
    if isinstance(body, bytes):
        _check_size(len(body), limit)
        return body
    try:
        return b"".join(_chunks(body, limit, seconds))
    except OSError:
        raise DeliveryRefusedError("the body ended too early") from None


def _chunks(body: Readable, limit: int, seconds: Callable[[], float]) -> Iterator[bytes]:
    size, end = 0, seconds() + BODY_SECONDS
    while chunk := body.read(min(CHUNK_BYTES, limit + 1 - size)):
        size += len(chunk)
        _check_size(size, limit)
        if seconds() > end:
            raise BodyTooSlowError(f"the body took longer than {BODY_SECONDS:.0f} seconds to arrive")
        yield chunk


def _check_size(size: int, limit: int) -> None:
    if size > limit:
        raise BodyTooLargeError(f"the body is larger than {limit} bytes")
