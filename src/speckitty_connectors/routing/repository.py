"""Writes and reads decisions, and the dispatches that follow from them."""

from __future__ import annotations

import hashlib
import json

from attrs import frozen
from sqlalchemy import Connection, RowMapping, insert, select, update

from ..identifiers import new_id
from ..providers.codec import converter, outcome_from, to_document
from ..providers.deliveries import Event
from ..providers.suggestions import Evidence, Target
from .tables import decisions, dispatches
from .types import Decision, RoutedTarget, Stage


@frozen(kw_only=True)
class DispatchState:
    """How far the handing over of one target has come.

    Attributes:
        target: where the event goes.
        state: ``pending``, ``running``, ``done``, ``parked`` or ``revoked``.
        attempts: how often it was started.
        last_error: why the latest attempt failed; or empty.
    """

    target: Target
    state: str
    attempts: int
    last_error: str


def effect_key(decision: Decision, target: Target) -> str:
    """Return the key of what a decision does to a target: the same for each delivery of the same change."""
    event = decision.outcome
    change = isinstance(event, Event) and event.fingerprint
    parts = [decision.installation_id, bool(change), change or decision.event_id, target.kind, target.id]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


def told_before(connection: Connection, decision: Decision) -> list[Target]:
    """Return those of a decision's targets that another delivery of the same change has reached."""
    if not isinstance(decision.outcome, Event) or not decision.outcome.fingerprint:
        return []
    keys = {effect_key(decision, routed.target): routed.target for routed in decision.targets}
    known = connection.scalars(select(dispatches.c.effect_key).where(dispatches.c.effect_key.in_(keys)))
    return sorted((keys[key] for key in known), key=str)


def add(connection: Connection, decision: Decision) -> None:
    """Write a decision, and a dispatch for each of its targets."""
    document = {
        "outcome": to_document(decision.outcome),
        "targets": converter.unstructure(decision.targets),
        "evidence": converter.unstructure(decision.evidence),
    }
    connection.execute(
        insert(decisions).values(
            workspace_id=decision.workspace,
            id=decision.id,
            inbox_id=decision.event_id,
            installation_id=decision.installation_id,
            stage=decision.stage,
            rule=decision.rule,
            decided_at=decision.decided_at,
            **document,
        )
    )
    _add_dispatches(connection, decision)


def redecide(connection: Connection, decision: Decision) -> bool:
    """Decide anew what waited for a person, and write its dispatches; return False where it waits no more.

    The same decision can leave the review queue once, so no replay hands an event over twice.
    """
    changed = connection.execute(
        update(decisions)
        .where(
            decisions.c.workspace_id == decision.workspace,
            decisions.c.id == decision.id,
            decisions.c.stage == Stage.REVIEW,
        )
        .values(
            stage=decision.stage,
            rule=decision.rule,
            targets=converter.unstructure(decision.targets),
            evidence=converter.unstructure(decision.evidence),
            decided_at=decision.decided_at,
        )
    )
    if changed.rowcount:
        _add_dispatches(connection, decision)
    return bool(changed.rowcount)


def _add_dispatches(connection: Connection, decision: Decision) -> None:
    if decision.targets:
        connection.execute(insert(dispatches), [_dispatch(decision, routed) for routed in decision.targets])


def find(connection: Connection, *, workspace: str, event_id: str) -> list[Decision]:
    """Return the workspace's decisions on a delivery, one per installation."""
    rows = connection.execute(
        select(decisions)
        .where(decisions.c.workspace_id == workspace, decisions.c.inbox_id == event_id)
        .order_by(decisions.c.installation_id)
    ).mappings()
    return [read_decision(row) for row in rows]


def dispatch_states(connection: Connection, *, workspace: str, decision_id: str) -> list[DispatchState]:
    """Return how far each target of a decision has come."""
    rows = connection.execute(
        select(dispatches)
        .where(dispatches.c.workspace_id == workspace, dispatches.c.decision_id == decision_id)
        .order_by(dispatches.c.target_kind, dispatches.c.target_id)
    ).mappings()
    return [
        DispatchState(
            target=Target(kind=row["target_kind"], id=row["target_id"]),
            state=row["state"],
            attempts=row["attempts"],
            last_error=row["last_error"],
        )
        for row in rows
    ]


def read_decision(row: RowMapping) -> Decision:
    """Return the decision of a row of `decisions`."""
    return Decision(
        id=row["id"],
        workspace=row["workspace_id"],
        event_id=row["inbox_id"],
        installation_id=row["installation_id"],
        stage=Stage(row["stage"]),
        rule=row["rule"],
        outcome=outcome_from(row["outcome"]),
        targets=converter.structure(row["targets"], tuple[RoutedTarget, ...]),
        evidence=converter.structure(row["evidence"], tuple[Evidence, ...]),
        decided_at=row["decided_at"],
    )


def _dispatch(decision: Decision, routed: RoutedTarget) -> dict[str, object]:
    return {
        "workspace_id": decision.workspace,
        "id": new_id(),
        "decision_id": decision.id,
        "mapping_id": routed.mapping_id,
        "target_kind": routed.target.kind,
        "target_id": routed.target.id,
        "effect_key": effect_key(decision, routed.target),
        "created_at": decision.decided_at,
    }
