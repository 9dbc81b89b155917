"""Ids and the present moment; the clock is injected wherever it is used, so that tests set it."""

from __future__ import annotations

import secrets
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Protocol

from attrs import frozen

Clock = Callable[[], datetime]
"""Returns the present moment, aware and in UTC."""


def utc_now() -> datetime:
    """Return the present moment in UTC."""
    return datetime.now(UTC)


class UnderInstallation(Protocol):
    """What belongs to an installation."""

    @property
    def workspace(self) -> str:
        """Whose it is."""
        ...

    @property
    def installation_id(self) -> str:
        """The installation's id."""
        ...


@frozen(kw_only=True)
class InstallationKey:
    """Which installation: its id, and the workspace without which the id means nothing.

    Attributes:
        workspace: the host's workspace.
        id: our id of the installation.
    """

    workspace: str
    id: str

    @classmethod
    def of(cls, owned: UnderInstallation) -> InstallationKey:
        """Return the installation that something belongs to."""
        return cls(workspace=owned.workspace, id=owned.installation_id)


_TICKS = 4096
"""Ticks of a millisecond: what fits into the twelve bits after it."""

_lock = threading.Lock()
_latest_tick = 0


def new_id() -> str:
    """Return a fresh UUIDv7 as text; the ids of one process sort in the order in which they were made.

    The twelve bits after the milliseconds are a fraction of a millisecond (RFC 9562, section 6.2, method 3). Where
    the clock doesn't advance, or goes back, they are counted up.

    >>> ids = [new_id() for _ in range(3)]
    >>> ids == sorted(ids), len(ids[0])
    (True, 36)
    """
    milliseconds, ticks = divmod(_next_tick(), _TICKS)
    value = milliseconds << 80 | 0x7 << 76 | ticks << 64 | 0x2 << 62 | secrets.randbits(62)
    digits = f"{value:032x}"  # uuid.UUID would write it in the same way, in several times the time
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"


def _next_tick() -> int:
    global _latest_tick  # noqa: PLW0603 - one clock for the process
    with _lock:
        _latest_tick = max(time.time_ns() * _TICKS // 1_000_000, _latest_tick + 1)
        return _latest_tick
