"""Errors that say what happened, to what, and what to do next.

Every error this library raises on purpose is a `ConnectorsError`. Its `code` is stable and may be matched
on; its text may change between releases.
"""

from __future__ import annotations

from typing import ClassVar


class ConnectorsError(Exception):
    """What went wrong, to which provider, installation or plugin, and the next step for a person.

    Attributes:
        code: a stable, machine-readable word, the same for all errors of one class.
        subject: what it happened to, for example ``github installation 0195…``; never a secret.
        remedy: what to do next, as an instruction.
        retryable: whether the same call may succeed later without a change.

    >>> error = ConfigurationError("no encryption key is set", subject="settings", remedy="run 'keys new'")
    >>> str(error)
    "no encryption key is set · settings · run 'keys new'"
    >>> error.code, error.retryable
    ('configuration', False)
    """

    code: ClassVar[str] = "error"
    retryable: ClassVar[bool] = False

    def __init__(self, what: str, *, subject: str = "", remedy: str = "") -> None:
        self.what = what
        self.subject = subject
        self.remedy = remedy
        super().__init__(what, subject, remedy)

    def __str__(self) -> str:
        return " · ".join(part for part in (self.what, self.subject, self.remedy) if part)


class ConfigurationError(ConnectorsError):
    """The settings are missing something, or two of them contradict each other."""

    code = "configuration"


class NotFoundError(ConnectorsError):
    """There is nothing with that id in this workspace; what belongs to another workspace gets the same error."""

    code = "not_found"

    @classmethod
    def of(cls, kind: str, row_id: str, remedy: str = "") -> NotFoundError:
        """Return the error for a row that isn't there; without another remedy, to list such rows."""
        remedy = remedy or f"list the workspace's {kind}s and use one of their ids"
        return cls(f"there is no such {kind} in this workspace", subject=f"{kind} {row_id}", remedy=remedy)


class ConflictError(ConnectorsError):
    """The change contradicts something that is stored already."""

    code = "conflict"


class TextRefusedError(ConnectorsError):
    """A text holds what the database can't store: NUL, or half a character; no id or name has either."""

    code = "text_refused"


class StoreUnavailableError(ConnectorsError):
    """The database can't be reached, hangs or is too busy; a later try may succeed."""

    code = "store_unavailable"
    retryable = True


class StoreBusyError(StoreUnavailableError):
    """The database answers, but somebody else held for too long what was asked for."""

    code = "store_busy"
