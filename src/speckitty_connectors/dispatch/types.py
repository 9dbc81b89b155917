"""What the host's handler gets, and the two kinds of handlers."""

from __future__ import annotations

from collections.abc import Callable

from attrs import field, frozen
from sqlalchemy import Connection

from ..overrides.types import EffectivePolicy
from ..providers.deliveries import Event
from ..providers.suggestions import Target


@frozen(kw_only=True)
class Dispatch:
    """An event on its way to one target.

    Attributes:
        id: its id.
        workspace: the workspace that mapped the resource.
        provider: provider key of the installation.
        host: host of the installation.
        installation_id: the installation that the event came through.
        event_id: id of the delivery in the inbox; `explain` takes it.
        decision_id: the decision that placed the event.
        mapping_id: the mapping that says so; empty where it was inferred.
        event: what happened.
        target: where it goes.
        effect_key: equal on every attempt, and for every delivery that tells of the same change: the key by
            which a receiver outside this database leaves out what it has seen.
        policy: what holds for a project at this moment, or by default for every other kind of target.
        attempt: 1 for the first start; starts that ended in a crash count.

    >>> from speckitty_connectors.providers.resources import ResourceReference
    >>> Dispatch(id="1", workspace="w", provider="acme", host="acme.example", installation_id="2", event_id="3",
    ...          decision_id="4", mapping_id="5", target=Target(kind="project", id="apollo"), effect_key="6",
    ...          event=Event(kind="push", resources=(ResourceReference(kind="board", id="7"),)), attempt=1).attempt
    1
    """

    id: str
    workspace: str
    provider: str
    host: str
    installation_id: str
    event_id: str
    decision_id: str
    mapping_id: str
    event: Event
    target: Target
    effect_key: str
    attempt: int
    policy: EffectivePolicy = field(factory=EffectivePolicy)


TransactionalHandler = Callable[[Dispatch, Connection], None]
"""Handles a dispatch in the transaction that marks it done: what it writes through that connection is written
exactly once. It must not commit or roll back, nor wait for anything outside the database. The first line of the
error that it raises is stored, so keep secrets out of it."""

EffectHandler = Callable[[Dispatch], None]
"""Handles a dispatch outside any transaction, at least once: after a crash it is called again with the same
`Dispatch.effect_key`."""
