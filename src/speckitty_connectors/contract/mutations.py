"""Changes of JSON documents: what a body could hold instead, and how it would read after a rename."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from typing import Any

REPLACEMENTS: tuple[Any, ...] = (
    None,
    True,
    -1,
    10**30,
    1.5,
    "",
    "é\x00\u202e",
    "x" * 10_000,
    [],
    [None],
    {},
    {"id": {}},
)
"""What any value of a document may be replaced by."""

UNREADABLE = (b"", b"\xff", b"[]", b"null", b'"text"', b"12", b"{", b'{"a": NaN}', b"[" * 50_000, b'{"a":' * 50_000)
"""Bodies that hold no document at all."""

RENAMED = "-renamed"
"""What is put behind a name."""


def mutated(body: bytes) -> Iterator[bytes]:
    """Yield bodies that no provider sends: unreadable ones, cut ones, and the document with each value changed.

    >>> len(set(mutated(b'{"id": 7}'))) > 20
    True
    """
    yield from UNREADABLE
    yield from (body[: len(body) * part // 8] for part in range(1, 8))
    try:
        document = json.loads(body)
    except (ValueError, RecursionError):
        return
    for path in _paths(document):
        for number, replacement in enumerate(REPLACEMENTS):
            # Each place gets some, all together get all: every place times every value would take too long.
            if (number + len(path)) % 3 == 0 or len(path) < 2:
                yield json.dumps(_replaced(document, path, replacement)).encode()
        yield json.dumps(_replaced(document, path, _LEFT_OUT)).encode()


UNREADABLE_TEXT = (json.dumps("\ufdd0")[1:-1].encode(), rb"\ud83d\u0000")
UNREADABLE_NUMBER = (json.dumps("\ufdd1").encode(), b"1e999")
"""What stands for what can't be text, or a number, until the document is written; and that itself."""


def with_odd_texts(body: bytes) -> Iterator[bytes]:
    r"""Yield documents in each of which one text ends as core makes of half a character: with U+FFFD.

    >>> [body.decode() for body in with_odd_texts(b'{"id": 7, "name": "caf"}')]
    ['{"id": 7, "name": "caf\\ufffd"}']
    """
    document = json.loads(body)
    for path in _paths(document):
        value = document
        for name in path:
            value = value[name]
        if isinstance(value, str):
            yield json.dumps(_replaced(document, path, f"{value}\ufffd")).encode()


def unreadable(document: Any, *, numbers: bool = True) -> bytes:
    r"""Return a document in which no text is text: each ends in half a character and NUL, and no number has an end.

    >>> unreadable({"id": 7, "name": "caf"})
    b'{"id": 1e999, "name": "caf\\ud83d\\u0000"}'
    """
    written = json.dumps(_leaves(document, numbers=numbers)).encode()
    return written.replace(*UNREADABLE_NUMBER).replace(*UNREADABLE_TEXT)


def _leaves(value: Any, *, numbers: bool) -> Any:
    if isinstance(value, list):
        return [_leaves(each, numbers=numbers) for each in value]
    if isinstance(value, dict):
        return {name: _leaves(each, numbers=numbers) for name, each in value.items()}
    if isinstance(value, str):
        return f"{value}\ufdd0"
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return "\ufdd1" if numbers and is_number else value


def renamed(document: Any, names: set[str]) -> Any:
    """Return a document in which these names, wherever they stand as words of a text, have become others.

    >>> renamed({"id": 7, "full_name": "octo-org/hello"}, {"hello"})
    {'id': 7, 'full_name': 'octo-org/hello-renamed'}
    """
    longest_first = sorted((re.escape(name) for name in names if name), key=len, reverse=True)
    if not longest_first:
        return document
    pattern = re.compile(rf"(?<![\w-])({'|'.join(longest_first)})(?![\w-])")
    return _texts(document, lambda text: pattern.sub(lambda found: found[0] + RENAMED, text))


def _texts(value: Any, change: Callable[[str], str]) -> Any:
    if isinstance(value, str):
        return change(value)
    if isinstance(value, list):
        return [_texts(each, change) for each in value]
    if isinstance(value, dict):
        return {name: _texts(each, change) for name, each in value.items()}
    return value


def _paths(value: Any, path: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    members: Any = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for name, member in members:
        yield (*path, name)
        yield from _paths(member, (*path, name))


_LEFT_OUT = object()


def _replaced(value: Any, path: tuple[str | int, ...], new: Any) -> Any:
    """Return a copy in which another value stands at a path, or none."""
    copied: Any = dict(value) if isinstance(value, dict) else list(value)
    name, *rest = path
    if rest:
        copied[name] = _replaced(copied[name], tuple(rest), new)
    elif new is _LEFT_OUT:
        del copied[name]
    else:
        copied[name] = new
    return copied
