"""What the host observed of its projects: reported in bulk, kept for a while, never with a credential."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final

from attrs import frozen

from ..errors import ConfigurationError
from ..providers.suggestions import Signal
from ..store.engine import Store
from . import repository
from .observations import RETENTION_DAYS, Observation, Unusable, observe

SIGNALS_PER_TRANSACTION: Final = 1_000
"""Signals that are written, or observations that are forgotten, in one transaction; so nobody waits for long."""


@frozen(kw_only=True)
class SignalReport:
    """What became of a report.

    Attributes:
        stored: how many observations it held, each counted once; those that were known are among them.
        unusable: how many parts of it could not be used, by the reason.

    >>> SignalReport(stored=2, unusable={Unusable.REMOTE: 1}).unusable["remote"]
    1
    """

    stored: int
    unusable: Mapping[Unusable, int]


class Signals:
    """Keeps what was observed of the projects of workspaces."""

    def __init__(self, store: Store, *, retention_days: int = RETENTION_DAYS) -> None:
        self._store = store
        self._retention = timedelta(days=retention_days)

    def report(self, *, workspace: str, signals: Iterable[Signal]) -> SignalReport:
        """Write what was observed; the same report twice changes nothing.

        Signals are taken in turns, each in a transaction of its own: after an error, report the whole again.
        Credentials in remotes are dropped before anything is stored.

        Raises:
            ConfigurationError: the workspace is empty.
            StoreUnavailableError: the database can't be reached or is too busy.
        """
        if not workspace:
            raise ConfigurationError(
                "signals belong to a workspace", subject="signals", remedy="name the workspace they are from"
            )
        stored, unusable = 0, Counter[Unusable]()
        for batch in repository.batches(signals, SIGNALS_PER_TRANSACTION):
            parts = [part for signal in batch for part in observe(signal)]
            unusable.update(part for part in parts if isinstance(part, Unusable))
            stored += self._store_all(workspace, [part for part in parts if isinstance(part, Observation)])
        return SignalReport(stored=stored, unusable=unusable)

    def forget_older(self, *, workspace: str, than: datetime | None = None) -> int:
        """Forget what was last observed before a moment; return how many observations there were.

        Without a moment it is the retention of the settings before now.
        """
        before = than or self._store.now() - self._retention
        forgotten = 0
        while True:
            with self._store.transaction() as connection:
                count = repository.forget(
                    connection, workspace=workspace, before=before, limit=SIGNALS_PER_TRANSACTION
                )
            forgotten += count
            if count < SIGNALS_PER_TRANSACTION:
                return forgotten

    def _store_all(self, workspace: str, observations: Sequence[Observation]) -> int:
        with self._store.transaction() as connection:
            return repository.add(connection, workspace=workspace, observations=observations, now=self._store.now())
