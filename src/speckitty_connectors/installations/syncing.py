"""What a sync of an inventory says of itself: how far it has come, what it saw, and why it stopped."""

from __future__ import annotations

from collections.abc import Callable

from attrs import frozen

from ..errors import ConnectorsError
from .types import Installation


@frozen(kw_only=True)
class SyncResult:
    """What a sync saw.

    Attributes:
        listed: how many resources were on the pages.
        pages: how many pages there were.
        missing: how many that were known before are not there any more.
        complete: whether the listing began at the beginning and reached the end; only then is anything missing.
        cursor: where to resume a listing that stopped early; empty where it reached the end.

    >>> SyncResult(listed=3, pages=1, missing=0, complete=True).cursor
    ''
    """

    listed: int
    pages: int
    missing: int
    complete: bool
    cursor: str = ""


@frozen(kw_only=True)
class SyncProgress:
    """How far a sync has come.

    Attributes:
        installation: what is listed.
        pages: how many pages are kept.
        listed: how many resources were on them.
    """

    installation: Installation
    pages: int
    listed: int


Report = Callable[[SyncProgress], object]
"""Is told after each page that was kept, for a progress bar."""


def report_nothing(progress: SyncProgress) -> None:
    """Show nothing."""


class SyncInterruptedError(ConnectorsError):
    """A page could not be had. What was listed before it is kept, and nothing is taken for missing.

    Its cause is the `ApiError`, which says whether and when to try again.

    Attributes:
        cursor: where the listing goes on, with ``Inventory.sync(resume=True)``; empty where no page was kept.
        listed: how many resources were on the pages before.
    """

    code = "sync_interrupted"
    retryable = True

    def __init__(self, what: str, *, subject: str, remedy: str, cursor: str, listed: int) -> None:
        super().__init__(what, subject=subject, remedy=remedy)
        self.cursor = cursor
        self.listed = listed
