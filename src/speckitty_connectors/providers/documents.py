"""JSON documents as providers sign them, and as every decoder takes them."""

from __future__ import annotations

import math
import re

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
