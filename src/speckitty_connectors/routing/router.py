"""Claims deliveries, asks the plugins what they mean, and decides where each one goes: load, decide, write."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from datetime import datetime
from itertools import groupby

from sqlalchemy import Connection

from ..errors import ConnectorsError
from ..inbox.tables import inbox
from ..loading.registry import Registry
from ..providers.codec import NAMES
from ..providers.deliveries import Event, Ignored, Lifecycle
from ..store.claims import Claim, ClaimQueue
from ..store.contention import is_passing
from ..store.engine import Store
from .admission import load_cases
from .batch import Case, Interpretation
from .decide import decide
from .interpretation import PluginOutcomeError, interpret, load_deliveries
from .lifecycle import apply_lifecycle
from .loading import load, renamed
from .review.replay import Following
from .types import Conclusion
from .write import rename, write

BATCH = 50
"""Deliveries that are claimed, and decided in one transaction, at a time."""

REASON_LIMIT = 300
"""Longest text of a plugin's reason that is kept, in characters."""

logger = logging.getLogger(__name__)


class Router:
    """Decides what deliveries mean for whom: one decision for each delivery and installation.

    Plugins are asked outside any transaction. A batch is decided in one; where that fails, each delivery is
    decided in its own, so that one that can't be holds up no other.

    Attributes:
        registry: the plugins.
        queue: the queue of deliveries.

    Args:
        store: where everything is.
        registry: the plugins.
        queue: the queue of deliveries; its default where not given.
    """

    def __init__(self, store: Store, registry: Registry, *, queue: ClaimQueue | None = None) -> None:
        self._store = store
        self.registry = registry
        self.queue = queue or ClaimQueue(inbox)

    def route_due(self, limit: int = BATCH) -> int:
        """Decide up to `limit` deliveries that are due; return how many were started.

        Raises:
            StoreUnavailableError: the database can't be reached or is too busy; nothing is lost.
        """
        with self._store.transaction() as connection:
            claims = self.queue.claim(connection, limit=limit)
        self.route(claims)
        return len(claims)

    def route(self, claims: Sequence[Claim]) -> None:
        """Decide deliveries that were claimed."""
        if claims:
            self._settle(list(self._interpret(claims)))

    def _interpret(self, claims: Sequence[Claim]) -> Iterator[Interpretation]:
        """Ask the plugins; where one can't say, put the delivery back for later."""
        with self._store.reading() as connection:
            deliveries = load_deliveries(connection, claims)
        for claim, row, covers in deliveries:
            try:
                yield interpret(self.registry, claim, row, covers)
            except (PluginOutcomeError, ConnectorsError) as error:
                self._put_back(claim, str(error))

    def _settle(self, interpretations: Sequence[Interpretation]) -> None:
        """Decide a batch in one transaction, or one by one where that fails."""
        if not interpretations:
            return
        try:
            with self._store.transaction() as connection:
                self._decide(connection, interpretations)
        except Exception as error:  # noqa: BLE001 - whatever one delivery breaks must not end the router
            if len(interpretations) == 1:
                self._decision_failed(interpretations[0].claim, error)
                return
            for interpretation in interpretations:
                self._settle([interpretation])

    def _decide(self, connection: Connection, interpretations: Sequence[Interpretation]) -> None:
        """Decide deliveries in their order; what changed at the provider applies to what follows."""
        ours = {claim.id for claim in self.queue.hold_all(connection, [each.claim for each in interpretations])}
        held = [each for each in interpretations if each.claim.id in ours]
        now = self._store.now()
        for of_events, run in groupby(held, key=lambda each: isinstance(each.outcome, Event)):
            if of_events:
                write(connection, _decide_events(connection, list(run)), now)
            for each in () if of_events else run:
                if isinstance(each.outcome, Lifecycle):
                    write(connection, self._apply(connection, each, each.outcome, now), now)
        self.queue.finish_all(connection, [(each.claim, _meaning(each)) for each in held])

    def _apply(
        self, connection: Connection, interpretation: Interpretation, lifecycle: Lifecycle, now: datetime
    ) -> list[tuple[Case, Conclusion]]:
        cases = load_cases(connection, [interpretation])
        return apply_lifecycle(connection, interpretation, lifecycle, cases, now, Following(registry=self.registry))

    def _decision_failed(self, claim: Claim, error: Exception) -> None:
        """Put a delivery back: for a moment where the database was the reason, else as its failures say."""
        if is_passing(error):
            with self._store.transaction() as connection:
                self.queue.postpone(connection, claim, error=f"the decision waits: {type(error).__name__}")
            return
        logger.error("delivery %s couldn't be decided", claim.id, exc_info=error)
        self._put_back(claim, f"the decision failed: {type(error).__name__}")

    def _put_back(self, claim: Claim, error: str) -> None:
        logger.warning("delivery %s wasn't routed at attempt %d: %s", claim.id, claim.attempts, error)
        with self._store.transaction() as connection:
            self.queue.retry(connection, claim, error=error)


def _decide_events(
    connection: Connection, interpretations: Sequence[Interpretation]
) -> list[tuple[Case, Conclusion]]:
    """Decide events that follow each other; known resources take the keys that the events call them by."""
    batch = load(connection, load_cases(connection, interpretations))
    if called := renamed(batch):
        rename(connection, called)
        batch = load(connection, batch.cases)
    return list(zip(batch.cases, decide(batch), strict=True))


def _meaning(interpretation: Interpretation) -> dict[str, str]:
    """Return what the row of a delivery keeps of its outcome."""
    outcome = interpretation.outcome
    reason = outcome.reason if isinstance(outcome, Ignored) else interpretation.delivery.outcome_reason
    return {"outcome": NAMES[type(outcome)], "outcome_reason": reason[:REASON_LIMIT]}
