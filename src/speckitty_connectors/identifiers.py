"""Ids and time, both injected wherever they are used so that tests decide them."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime
from uuid import UUID

Clock = Callable[[], datetime]
"""Returns the present moment, aware and in UTC."""


def utc_now() -> datetime:
    """Return the present moment in UTC."""
    return datetime.now(UTC)


class _Ticks:
    """Moments of 1/4096 of a millisecond that only go forward, however fast they are asked for."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._last = 0

    def next(self) -> int:
        with self._lock:
            self._last = max(time.time_ns() * 4096 // 1_000_000, self._last + 1)
            return self._last


_ticks = _Ticks()


def new_id() -> str:
    """Return a fresh UUIDv7 as text; the ids of one process sort in the order in which they were made.

    The twelve bits after the milliseconds are the fraction of them (RFC 9562, sections 5.7 and 6.2, method 3).

    >>> ids = [new_id() for _ in range(1000)]
    >>> len(ids[0]), ids == sorted(ids)
    (36, True)
    """
    milliseconds, fraction = divmod(_ticks.next(), 4096)
    random = int.from_bytes(os.urandom(8), "big") & (1 << 62) - 1
    return str(UUID(int=milliseconds << 80 | 0x7 << 76 | fraction << 64 | 0x2 << 62 | random))
