"""What a plugin says that a delivery means, asked for and made fit to be stored."""

from __future__ import annotations

import hashlib
import re
from typing import Any, cast

import attrs

from ..providers.binding import Provider
from ..providers.codec import NAMES, outcome_from, to_document
from ..providers.deliveries import Delivery, Event, Lifecycle, Outcome
from ..providers.resources import ResourceReference

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
