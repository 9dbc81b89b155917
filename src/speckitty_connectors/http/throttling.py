"""How long a provider asks us to wait, in its own dialect, and how long one call may wait."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Final

from ..providers.api import ApiError, ApiThrottledError, ApiUnavailableError
from ..providers.manifest import RateLimitDialect, ResetUnit

THROTTLED_TRIES: Final = 5
"""How often a throttled call is sent at most."""

FAILED_TRIES: Final = 3
"""How often a failing GET is sent at most."""

FIRST_BACKOFF_SECONDS: Final = 0.5
"""Wait before a failed GET is sent again; doubled at each further try."""

PHRASE_BYTES: Final = 8 * 1024
"""Bytes at the beginning of a body in which a phrase is looked for; a refusal is short."""

LONGEST_WAIT_SECONDS: Final = 7 * 24 * 3600.0
"""Longest wait that a header can ask for, so that an absurd one does no harm."""


def throttled_seconds(
    dialect: RateLimitDialect,
    *,
    status: int,
    headers: Mapping[str, str],
    error_code: str = "",
    body: bytes = b"",
    tries: int = 0,
    now: datetime,
) -> float | None:
    """Return how many seconds to wait before the next try, or None if the response isn't about throttling.

    The order is that of GitHub's "Rate limits for the REST API", which suits the other providers: ``retry-after``;
    else the end of the window where nothing remains; else the dialect's fallback, doubled at each further try.

    >>> throttled_seconds(RateLimitDialect(), status=429, headers={"retry-after": "7"}, now=datetime.now(UTC))
    7.0
    """
    retry_after = _retry_after(headers.get(dialect.retry_after, ""), now)
    exhausted = _exhausted(dialect, headers)
    hinted = retry_after is not None or bool(exhausted) or _says(dialect.phrases, body)
    named = bool(dialect.error_code) and error_code == dialect.error_code
    if not (named or status in dialect.statuses or (status in dialect.conditional_statuses and hinted)):
        return None
    if retry_after is not None:
        return retry_after
    resets = [reset for name in exhausted if (reset := _reset(headers.get(name, ""), dialect.reset_unit))]
    if resets:
        return _bounded((max(resets) - now).total_seconds())
    return _bounded(float(dialect.fallback_seconds * 2**tries))


class Pauses:
    """Budgets that are used up, and until when; what one call learns applies to all that share its budget.

    >>> from datetime import UTC, datetime
    >>> pauses, now = Pauses(), datetime(2026, 1, 2, tzinfo=UTC)
    >>> pauses.note("app 7", 30.0, now)
    >>> pauses.remaining(["app 7", "account 9"], now), pauses.remaining(["account 9"], now)
    (30.0, 0.0)
    """

    def __init__(self) -> None:
        self._ends: dict[str, datetime] = {}
        self._lock = threading.Lock()

    def note(self, key: str, seconds: float, now: datetime) -> None:
        """Remember that a budget is used up for so long, and forget pauses that are over."""
        with self._lock:
            self._ends = {name: end for name, end in self._ends.items() if end > now}
            self._ends[key] = max(now + timedelta(seconds=seconds), self._ends.get(key, now))

    def remaining(self, keys: Iterable[str], now: datetime) -> float:
        """Return how many seconds the longest pause of these budgets still lasts; 0 if there is none."""
        ends = [self._ends[key] for key in keys if key in self._ends]
        return max((_bounded((end - now).total_seconds()) for end in ends), default=0.0)


class Patience:
    """How often, and how long, one call may still be tried again.

    Args:
        seconds: longest wait for all tries together.
        repeatable: whether the request may be sent again if nobody knows whether it was handled.

    >>> patience = Patience(100, repeatable=False)
    >>> patience.wait_for(ApiThrottledError("slow down", retry_after_seconds=60))
    60
    >>> patience.wait_for(ApiThrottledError("slow down", retry_after_seconds=60)) is None
    True
    """

    def __init__(self, seconds: float, *, repeatable: bool) -> None:
        self._seconds = seconds
        self._repeatable = repeatable
        self.throttled = 0
        self._failed = 0

    def wait_for(self, failure: ApiError) -> float | None:
        """Return how long to wait before the next try, or None if there should be none."""
        if isinstance(failure, ApiThrottledError) and failure.retry_after_seconds is not None:
            self.throttled += 1
            return self._spend(failure.retry_after_seconds) if self.throttled < THROTTLED_TRIES else None
        if isinstance(failure, ApiUnavailableError) and self._repeatable:
            self._failed += 1
            if self._failed < FAILED_TRIES:
                return self._spend(FIRST_BACKOFF_SECONDS * 2 ** (self._failed - 1))
        return None

    def _spend(self, seconds: float) -> float | None:
        if seconds > self._seconds:
            return None
        self._seconds -= seconds
        return seconds


def _says(phrases: Iterable[str], body: bytes) -> bool:
    """Return whether a body has one of the phrases, whatever the case of its letters."""
    lowered = body[:PHRASE_BYTES].lower()
    return any(phrase.encode() in lowered for phrase in phrases)


def _exhausted(dialect: RateLimitDialect, headers: Mapping[str, str]) -> list[str]:
    """Return the names of the headers that say when each used-up window ends."""
    limits = {dialect.remaining: dialect.reset, **dialect.further_limits}
    return [reset for left, reset in limits.items() if left and headers.get(left, "").strip() == "0"]


def _retry_after(value: str, now: datetime) -> float | None:
    """Read seconds or a date (RFC 9110, section 10.2.3); None for anything else."""
    value = value.strip()
    if value.isascii() and value.isdigit():
        return _bounded(float(value[:12]))
    try:
        moment = parsedate_to_datetime(value)
    except ValueError:
        return None
    return _bounded((_aware(moment) - now).total_seconds())


def _reset(value: str, unit: ResetUnit) -> datetime | None:
    try:
        if unit is ResetUnit.ISO_8601:
            return _aware(datetime.fromisoformat(value))
        if not (value.isascii() and value.isdigit()):
            return None
        milliseconds = int(value) if unit is ResetUnit.EPOCH_MILLISECONDS else 1000 * int(value)
        return datetime.fromtimestamp(milliseconds / 1000, UTC)
    except (ValueError, OverflowError, OSError):
        return None


def _aware(moment: datetime) -> datetime:
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _bounded(seconds: float) -> float:
    return min(max(seconds, 0.0), LONGEST_WAIT_SECONDS)
