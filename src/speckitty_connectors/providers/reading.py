"""What plugins read other people's documents with: leniently in deliveries, strictly in answers.

Deliveries reach 25 MB and their shapes differ by kind, age and server version. So a field that isn't what it should
be is read as absent, never as an error: a plugin types its leaves as `object` and reads them with these.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any, TypeVar

import msgspec

from .api import ApiError, ApiResponse
from .deliveries import GitFacts

NotAnObject = list[Any] | str | float | bool | None
"""What may stand where an object should: ``Owner | NotAnObject`` decodes whatever is there."""

NotAList = dict[str, Any] | str | float | bool | None
"""What may stand where a list should."""

Shape = TypeVar("Shape")

_COMMIT = re.compile(r"(?!0+$)(?:[0-9a-f]{40}|[0-9a-f]{64})")
"""A full SHA-1 or SHA-256 commit id; all zeros stand for "no commit"."""


def read_answer(response: ApiResponse, shape: type[Shape], *, member: str = "") -> Shape:
    """Return an answer of an API in its shape, a msgspec struct or a list of them.

    Args:
        response: the answer.
        shape: what it should look like.
        member: the top-level member that it is in, for example ``data`` (GraphQL); empty for the whole document.

    Raises:
        ApiError: the answer doesn't have the fields that the provider documents.
    """
    document = response.json()
    if member:
        document = document.get(member) if isinstance(document, dict) else None
    try:
        return msgspec.convert(document, type=shape)
    except msgspec.ValidationError as error:
        raise ApiError(
            "the provider's answer isn't what its documentation says",
            subject=getattr(shape, "__name__", "list").lower(),
            remedy="check that the app's base URL points to the provider's API; report it if it does",
            status=response.status,
        ) from error


def read_text(value: object) -> str:
    """Return a string as it is, anything else as nothing.

    >>> read_text("main"), read_text(7), read_text(None)
    ('main', '', '')
    """
    return value if isinstance(value, str) else ""


def read_identifier(value: object) -> str:
    """Return a numeric id as text, anything else as nothing.

    >>> [read_identifier(value) for value in (7, "7", True, -7, "seven")]
    ['7', '7', '', '', '']
    """
    if isinstance(value, int) and not isinstance(value, bool) and value > 0:
        return str(value)
    return value if isinstance(value, str) and value.isascii() and value.isdigit() else ""


def read_moment(value: object) -> datetime | None:
    """Return a time in UTC, whether it is written in ISO 8601, with ``UTC`` behind it, or as epoch seconds.

    >>> read_moment("2013-12-03 17:23:34 UTC") == read_moment("2013-12-03T18:23:34+01:00")
    True
    >>> read_moment("2021-04-28 21:50:00 +0200").isoformat()
    '2021-04-28T19:50:00+00:00'
    >>> read_moment("yesterday") is None
    True
    """
    try:
        if isinstance(value, int) and not isinstance(value, bool):
            return datetime.fromtimestamp(value, UTC)
        if not isinstance(value, str):
            return None
        stated = datetime.fromisoformat(value.removesuffix(" UTC").replace(" +", "+").replace(" -", "-"))
        return stated.replace(tzinfo=UTC) if stated.tzinfo is None else stated.astimezone(UTC)
    except (ValueError, OverflowError, OSError):
        return None


def read_commits(*candidates: object) -> tuple[str, ...]:
    """Return those that are full commit ids, each once, in the given order.

    >>> read_commits("a" * 40, "0" * 40, "1dd0ba6", None, "a" * 40) == ("a" * 40,)
    True
    """
    return tuple(dict.fromkeys(sha for sha in map(read_text, candidates) if _COMMIT.fullmatch(sha)))


def read_ref(ref: object) -> GitFacts:
    """Return the branch or tag that a git ref names; a short name that is no commit counts as a branch.

    >>> read_ref("refs/heads/main").branch, read_ref("refs/tags/v1").tag, read_ref("main").branch
    ('main', 'v1', 'main')
    """
    name = read_text(ref)
    if name.startswith("refs/tags/"):
        return GitFacts(tag=name.removeprefix("refs/tags/"))
    if name.startswith("refs/heads/"):
        return GitFacts(branch=name.removeprefix("refs/heads/"))
    return GitFacts() if name.startswith("refs/") or _COMMIT.fullmatch(name) else GitFacts(branch=name)
