"""One inbound HTTP request as any web server can hand it over, and how it is read without trusting it."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Sequence
from typing import Protocol

from attrs import frozen

from .refusals import BodyTooLargeError, BodyTooSlowError, DeliveryRefusedError, HeaderRefusedError

CHUNK_BYTES = 64 * 1024

MAXIMUM_HEADER_LENGTH = 8192
"""Longest value of a header that is read, in characters; Apache's and nginx's own limit for a header line."""


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


@frozen(kw_only=True)
class Request:
    """One POST to an end point; nothing of it has been checked.

    Attributes:
        provider: provider key, from the URL.
        endpoint_id: id of the end point, from the URL.
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
        HeaderRefusedError: one of them stands twice, is too long, or isn't printable ASCII; or there are too many
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
            raise HeaderRefusedError(f"the header {name} stands twice")
        if len(value) > MAXIMUM_HEADER_LENGTH or not (value.isascii() and value.isprintable()):
            raise HeaderRefusedError(f"the header {name} is longer than a header may be, or isn't printable ASCII")
        found[name] = value
    return found


def read_body(body: bytes | Readable, limit: int, *, seconds: Callable[[], float] = time.monotonic) -> bytes:
    """Read the body, and stop at the limit whatever the request says of its length, and when its time is over.

    The time is looked at between two reads; how long one of them may take is the web server's to say.

    Args:
        body: the body, or a stream of it.
        limit: how many bytes it may have.
        seconds: a clock that only goes forward.

    Raises:
        BodyTooLargeError: there is more than `limit` bytes.
        BodyTooSlowError: it took longer than `BODY_SECONDS`.
        DeliveryRefusedError: the connection broke before the end.
    """
    if isinstance(body, bytes):
        _check_size(len(body), limit)
        return body
    chunks: list[bytes] = []
    size = 0
    end = seconds() + BODY_SECONDS
    try:
        while chunk := body.read(min(CHUNK_BYTES, limit + 1 - size)):
            size += len(chunk)
            _check_size(size, limit)
            if seconds() > end:
                raise BodyTooSlowError(f"the body took longer than {BODY_SECONDS:.0f} seconds to arrive")
            chunks.append(chunk)
    except OSError:
        raise DeliveryRefusedError("the body ended too early") from None
    return b"".join(chunks)


def _check_size(size: int, limit: int) -> None:
    if size > limit:
        raise BodyTooLargeError(f"the body is larger than {limit} bytes")
