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


class IdSequence:
    """Makes UUIDv7s, each greater than the one before, also within one millisecond (RFC 9562, section 6.2).

    What is written in an order is read in that order by its ids.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._latest = 0

    def next(self) -> UUID:
        """Return the next id: 48 bits of time, then 74 random bits or the ones before increased."""
        fresh = time.time_ns() // 1_000_000 << 74 | int.from_bytes(os.urandom(10), "big") >> 6
        step = int.from_bytes(os.urandom(4), "big") + 1
        with self._lock:
            self._latest = latest = max(self._latest + step, fresh)
        high, low = latest >> 62, latest & (1 << 62) - 1
        return UUID(int=(high >> 12) << 80 | 0x7 << 76 | (high & 0xFFF) << 64 | 0x2 << 62 | low)


_ids = IdSequence()


def new_id() -> str:
    """Return a fresh UUIDv7 as text, so that ids sort by the time they were made (RFC 9562, section 5.7).

    >>> first, second = new_id(), new_id()
    >>> len(first), first < second
    (36, True)
    """
    return str(_ids.next())
