"""How long the work at hand may still wait for the database."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_DEADLINE: ContextVar[float] = ContextVar("deadline", default=math.inf)


@contextmanager
def within(seconds: float | None) -> Iterator[None]:
    """Give what the block asks of the database this many seconds altogether; None sets no limit of its own.

    A block inside another has at most what the outer one has left.

    >>> with within(5), within(None), within(60):
    ...     4 < seconds_left() <= 5
    True
    """
    own = math.inf if seconds is None else time.monotonic() + seconds
    token = _DEADLINE.set(min(own, _DEADLINE.get()))
    try:
        yield
    finally:
        _DEADLINE.reset(token)


def seconds_left() -> float:
    """Return the seconds until the deadline, 0 when it is over, infinity when there is none.

    >>> seconds_left()
    inf
    """
    return max(0.0, _DEADLINE.get() - time.monotonic())
