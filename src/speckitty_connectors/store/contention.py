"""Tells trouble that passes by itself from mistakes: a lock held by somebody else, a database that is away."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from typing import Final

from ..errors import StoreUnavailableError

BUSY_SQLITE_ERRORS: Final = {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}
"""Another connection writes (sqlite.org, "Result Codes")."""

PASSING_SQLITE_ERRORS: Final = {
    sqlite3.SQLITE_IOERR,
    sqlite3.SQLITE_FULL,
    sqlite3.SQLITE_CANTOPEN,
    sqlite3.SQLITE_PROTOCOL,
}
"""SQLite calls a missing table operational too, which doesn't pass by itself."""

BUSY_POSTGRESQL_ERRORS: Final = {"55P03", "40P01", "40001"}
"""A lock that wasn't free in time, a deadlock, a serialization failure (PostgreSQL, "Error Codes")."""

AWAY_POSTGRESQL_ERRORS: Final = ("08", "57P", "53300")
"""What the codes begin with of a lost connection, a server that stops or starts, too many connections (there)."""


def is_contention(cause: BaseException) -> bool:
    """Return whether a driver's error says that somebody else holds what was asked for."""
    if isinstance(cause, sqlite3.Error):
        return getattr(cause, "sqlite_errorcode", 0) & 0xFF in BUSY_SQLITE_ERRORS
    return getattr(cause, "sqlstate", None) in BUSY_POSTGRESQL_ERRORS


def is_passing(error: BaseException) -> bool:
    """Return whether an error comes of a busy or absent database: ours, or any that a host's handler spoke to.

    The driver's error is looked for below what SQLAlchemy and Django make of it.

    >>> is_passing(StoreUnavailableError("the database doesn't answer")), is_passing(ValueError())
    (True, False)
    """
    return any(isinstance(each, StoreUnavailableError) or _is_passing(each) for each in _causes(error))


def _is_passing(cause: BaseException) -> bool:
    state = getattr(cause, "sqlstate", None)
    return is_contention(cause) or (isinstance(state, str) and state.startswith(AWAY_POSTGRESQL_ERRORS))


def _causes(error: BaseException) -> Iterator[BaseException]:
    """Yield an error and what it was raised from, each once."""
    seen: set[int] = set()
    following: BaseException | None = error
    while following is not None and id(following) not in seen:
        seen.add(id(following))
        yield following
        original = getattr(following, "orig", None)
        following = original if isinstance(original, BaseException) else following.__cause__
