"""What claimed deliveries mean: reads them, asks their plugins, and keeps the answers within what can be stored."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from typing import Any, cast

import attrs
from attrs import evolve, fields_dict
from sqlalchemy import Connection, Row, Select, and_, select, tuple_

from ..credentials.tables import endpoints
from ..errors import NotFoundError
from ..inbox.repository import StoredDelivery, read_delivery
from ..inbox.tables import inbox, inbox_bodies
from ..loading.binding import Provider
from ..loading.registry import Registry
from ..providers.codec import NAMES, outcome_from, to_document
from ..providers.deliveries import Delivery, Event, Lifecycle, Outcome
from ..providers.resources import ResourceReference
from ..store.claims import Claim
from ..store.metadata import OPERATOR
from ..subscriptions.repository import covered_by
from .batch import Interpretation

LONGEST_IDENTIFIER = 255
"""Characters of a provider's id or label that are kept; index entries of PostgreSQL end at 2,704 bytes."""

UNSTORABLE = re.compile("[\x00\ud800-\udfff]")
"""NUL, which PostgreSQL refuses in text, and lone surrogates, which UTF-8 has no form for."""


Covers = tuple[ResourceReference, ...]
"""What a webhook was registered for; nothing where that is a whole account."""


class PluginOutcomeError(Exception):
    """The plugin raised, or answered something else than one outcome; the text has nothing of the delivery."""


def interpret(registry: Registry, claim: Claim, row: Row[Any], covers: Covers) -> Interpretation:
    """Ask the plugin of a delivery what it means.

    Args:
        registry: the plugins.
        claim: ours until the transaction that decides the delivery has ended.
        row: the delivery, as `load_deliveries` found it.
        covers: what the webhook that sent it was registered for.

    Raises:
        ConnectorsError: the plugin can't be used, or the delivery can't be read.
        PluginOutcomeError: the plugin raised, or answered something else than exactly one outcome.
    """
    if row.headers is None:
        raise NotFoundError("there is no such delivery with a body", subject=f"delivery {row.id}")
    provider = registry.provider(row.provider)
    delivery = StoredDelivery(**{name: getattr(row, name) for name in fields_dict(StoredDelivery)})
    content = read_delivery(
        delivery, provider.manifest, headers=row.headers, media_type=row.content_type, body=row.body
    )
    outcome = ask(provider, evolve(content, covers=covers))
    return Interpretation(
        claim=claim, delivery=delivery, app_id=row.app_id or "", manifest=provider.manifest, outcome=outcome
    )


def load_deliveries(connection: Connection, claims: Sequence[Claim]) -> list[tuple[Claim, Row[Any], Covers]]:
    """Return the deliveries of claims, in their order, with what their webhooks were registered for."""
    found = {(row.workspace, row.id): row for row in connection.execute(_stored(claims))}
    own = {(row.workspace, row.endpoint_id) for row in found.values() if row.workspace != OPERATOR}
    covers = covered_by(connection, own) if own else {}
    return [
        (claim, row, covers.get((row.workspace, row.endpoint_id), ()))
        for claim in claims
        if (row := found.get((claim.workspace, claim.id)))
    ]


def _stored(claims: Sequence[Claim]) -> Select[Any]:
    columns = (inbox.c[name] for name in fields_dict(StoredDelivery) if name != "workspace")
    bodies = and_(inbox_bodies.c.workspace_id == inbox.c.workspace_id, inbox_bodies.c.inbox_id == inbox.c.id)
    of_endpoint = and_(endpoints.c.workspace_id == inbox.c.workspace_id, endpoints.c.id == inbox.c.endpoint_id)
    return (
        select(inbox.c.workspace_id.label("workspace"), *columns, endpoints.c.app_id)
        .add_columns(inbox_bodies.c.headers, inbox_bodies.c.content_type, inbox_bodies.c.body)
        .outerjoin(inbox_bodies, bodies)
        .outerjoin(endpoints, of_endpoint)
        .where(tuple_(inbox.c.workspace_id, inbox.c.id).in_([(claim.workspace, claim.id) for claim in claims]))
    )


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
    return evolve(
        reference,
        kind=_identifier(reference.kind),
        id=_identifier(reference.id),
        key=reference.key[:LONGEST_IDENTIFIER],
    )


def _identifier(text: str) -> str:
    if len(text) <= LONGEST_IDENTIFIER:
        return text
    return "sha256:" + hashlib.sha256(text.encode()).hexdigest()
