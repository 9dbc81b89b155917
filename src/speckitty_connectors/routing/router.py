"""Claims deliveries, asks the plugins what they mean, and decides where each one goes."""

from __future__ import annotations

import hashlib
import logging
import re
from collections.abc import Sequence
from itertools import groupby
from typing import Any, cast

import attrs
from attrs import evolve
from sqlalchemy import Connection

from ..errors import ConnectorsError
from ..inbox.repository import find, load_delivery
from ..inbox.tables import inbox
from ..loading.binding import Provider
from ..loading.registry import Registry
from ..providers.codec import NAMES, outcome_from, to_document
from ..providers.deliveries import Delivery, Event, Ignored, Lifecycle, Outcome
from ..providers.resources import ResourceReference
from ..store.claims import Claim, ClaimQueue
from ..store.contention import is_passing
from ..store.engine import Store
from ..subscriptions.repository import covered_by
from .cases import PlacingStage
from .decisions import write
from .events import rule_on_events
from .explicit import STAGES
from .lifecycle import rule_on_lifecycle
from .types import Interpretation

LONGEST_IDENTIFIER = 255
"""Characters of a provider's id or label that are kept; index entries of PostgreSQL end at 2,704 bytes."""

UNSTORABLE = re.compile("[\x00\ud800-\udfff]")
"""NUL, which PostgreSQL refuses in text, and lone surrogates, which UTF-8 has no form for."""


class PluginOutcomeError(Exception):
    """The plugin raised, or answered something else than one outcome; the text has nothing of the delivery."""


def ask(provider: Provider, delivery: Delivery) -> Outcome:
    """Return the plugin's outcome, each text of it storable and each identifier of bounded length.

    What was unstorable is replaced by U+FFFD, and an identifier that is too long by its digest; neither can
    be mistaken for an id that was stored before.

    Raises:
        PluginOutcomeError: the plugin raised, or answered something else than exactly one outcome.
    """
    try:
        outcome = provider.route_event(delivery)
    except (Exception, SystemExit) as error:  # noqa: BLE001 - whatever a plugin raises must not end the router
        raise PluginOutcomeError(f"{provider.label} raised {type(error).__name__}") from None
    if type(outcome) not in NAMES:
        raise PluginOutcomeError(f"{provider.label} answered {type(outcome).__name__}, which is no outcome")
    try:
        return _bounded(outcome_from(_storable(to_document(outcome))))
    except (ValueError, TypeError, AttributeError) as error:
        raise PluginOutcomeError(f"{provider.label} answered a malformed {type(outcome).__name__}") from error


def _storable(value: object) -> Any:
    if isinstance(value, str):
        return UNSTORABLE.sub("\ufffd", value)
    if isinstance(value, list | tuple):
        return [_storable(entry) for entry in value]
    if isinstance(value, dict):
        return {key: _storable(entry) for key, entry in value.items()}
    return value


def _bounded(outcome: Outcome) -> Outcome:
    if not isinstance(outcome, Event | Lifecycle):
        return outcome
    changed = attrs.evolve(
        outcome,
        installation=_identifier(outcome.installation),
        account=outcome.account and attrs.evolve(outcome.account, id=_identifier(outcome.account.id)),
        resources=tuple(map(_reference, outcome.resources)),
    )
    return cast("Outcome", changed)


def _reference(reference: ResourceReference) -> ResourceReference:
    return ResourceReference(
        kind=_identifier(reference.kind), id=_identifier(reference.id), key=reference.key[:LONGEST_IDENTIFIER]
    )


def _identifier(text: str) -> str:
    if len(text) <= LONGEST_IDENTIFIER:
        return text
    return "sha256:" + hashlib.sha256(text.encode()).hexdigest()


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
        self.queue = queue or ClaimQueue(inbox)
        self._stages = stages

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
        self._settle([read for claim in claims if (read := self._interpret(claim))])

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
                held = [each for each in interpretations if self.queue.hold(connection, each.claim)]
                for of_events, run in groupby(held, key=lambda each: isinstance(each.outcome, Event)):
                    self._decide(connection, list(run), of_events=of_events)
        except Exception as error:  # noqa: BLE001 - whatever one delivery breaks must not end the router
            if len(interpretations) == 1:
                self._decision_failed(interpretations[0].claim, error)
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
            self.queue.finish(
                connection, each.claim, outcome=NAMES[type(each.outcome)], outcome_reason=reason[:REASON_LIMIT]
            )

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
