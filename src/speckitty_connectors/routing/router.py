"""Claims deliveries, asks the plugins what they mean, and decides where each one goes."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from itertools import groupby

from attrs import evolve
from sqlalchemy import Connection

from ..errors import ConnectorsError
from ..inbox.repository import find, load_delivery
from ..inbox.tables import inbox
from ..providers.codec import NAMES
from ..providers.deliveries import Event, Ignored
from ..providers.registry import Registry
from ..store.claims import Claim, ClaimQueue
from ..store.engine import Store
from ..subscriptions.repository import covered_by
from .cases import PlacingStage
from .decisions import write
from .events import rule_on_events
from .lifecycle import rule_on_lifecycle
from .outcomes import PluginOutcomeError, ask
from .rulings import Interpretation
from .stages import STAGES

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

    Args:
        store: where everything is.
        registry: the plugins.
        queue: the queue of deliveries; its default where not given.
        stages: what is asked to place an event, in this order.
    """

    def __init__(
        self,
        store: Store,
        registry: Registry,
        *,
        queue: ClaimQueue | None = None,
        stages: Sequence[PlacingStage] = STAGES,
    ) -> None:
        self._store = store
        self.registry = registry
        self._queue = queue or ClaimQueue(inbox)
        self._stages = stages

    def route_due(self, limit: int = BATCH) -> int:
        """Decide up to `limit` deliveries that are due; return how many were started.

        Raises:
            StoreUnavailableError: the database can't be reached or is too busy; nothing is lost.
        """
        with self._store.transaction() as connection:
            claims = self._queue.claim(connection, limit=limit)
        self._settle([read for claim in claims if (read := self._interpret(claim))])
        return len(claims)

    def _interpret(self, claim: Claim) -> Interpretation | None:
        """Ask the plugin; where it can't say, put the delivery back for later."""
        try:
            with self._store.reading() as connection:
                delivery = find(connection, claim.workspace, claim.id)
                if delivery is None:
                    return None
                provider = self.registry.provider(delivery.provider)
                content = evolve(
                    load_delivery(connection, claim.workspace, claim.id, provider.manifest),
                    covers=covered_by(connection, workspace=claim.workspace, endpoint_id=delivery.endpoint_id),
                )
            outcome = ask(provider, content)
        except (PluginOutcomeError, ConnectorsError) as error:
            self._put_back(claim, str(error))
            return None
        return Interpretation(claim=claim, delivery=delivery, manifest=provider.manifest, outcome=outcome)

    def _settle(self, interpretations: Sequence[Interpretation]) -> None:
        """Decide a batch in one transaction, or one by one where that fails."""
        if not interpretations:
            return
        try:
            with self._store.transaction() as connection:
                held = [each for each in interpretations if self._queue.hold(connection, each.claim)]
                for of_events, run in groupby(held, key=lambda each: isinstance(each.outcome, Event)):
                    self._decide(connection, list(run), of_events=of_events)
        except Exception as error:  # whatever one delivery breaks must not end the router
            if len(interpretations) == 1:
                logger.exception("delivery %s couldn't be decided", interpretations[0].claim.id)
                self._put_back(interpretations[0].claim, f"the decision failed: {type(error).__name__}")
                return
            for interpretation in interpretations:
                self._settle([interpretation])

    def _decide(
        self, connection: Connection, interpretations: Sequence[Interpretation], *, of_events: bool
    ) -> None:
        """Decide deliveries that follow each other and are all events, or none; a change holds for what follows."""
        now = self._store.now()
        if of_events:
            write(connection, rule_on_events(connection, interpretations, self._stages), now)
        for each in interpretations:
            if not of_events:
                write(connection, rule_on_lifecycle(connection, each, now), now)
            reason = each.outcome.reason if isinstance(each.outcome, Ignored) else each.delivery.outcome_reason
            self._queue.finish(
                connection, each.claim, outcome=NAMES[type(each.outcome)], outcome_reason=reason[:REASON_LIMIT]
            )

    def _put_back(self, claim: Claim, error: str) -> None:
        logger.warning("delivery %s wasn't routed at attempt %d: %s", claim.id, claim.attempts, error)
        with self._store.transaction() as connection:
            self._queue.retry(connection, claim, error=error)
