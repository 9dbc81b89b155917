"""Writes and reads decisions, and the dispatches that follow from them."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence

from attrs import frozen
from sqlalchemy import Connection, RowMapping, and_, bindparam, insert, select, update

from ..identifiers import new_id
from ..providers.codec import converter, outcome_from, to_document
from ..providers.deliveries import Event
from ..providers.suggestions import Evidence, Target
from ..resources.hierarchy import IDS_PER_QUERY
from ..signals.repository import batches
from .tables import decisions, dispatches
from .types import Decision, RoutedTarget, Stage, effect_key


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


def find_effects(connection: Connection, keys: Collection[str]) -> set[str]:
    """Return those of some effect keys that are known: what they name has been handed over, or will be."""
    return {
        known
        for some in batches(sorted(keys), IDS_PER_QUERY)
        for known in connection.scalars(select(dispatches.c.effect_key).where(dispatches.c.effect_key.in_(some)))
    }


def add_all(connection: Connection, new: Sequence[Decision]) -> None:
    """Write decisions, and a dispatch for each of their targets."""
    documents = [
        {
            "workspace_id": decision.workspace,
            "id": decision.id,
            "inbox_id": decision.event_id,
            "installation_id": decision.installation_id,
            "outcome": to_document(decision.outcome),
            **_concluded(decision),
        }
        for decision in new
    ]
    if documents:
        connection.execute(insert(decisions), documents)
    _add_dispatches(connection, new)


def redecide_all(connection: Connection, changed: Sequence[Decision]) -> None:
    """Write anew what waited for a person, with its dispatches; lock the review item that holds it before."""
    waiting = and_(
        decisions.c.workspace_id == bindparam("of_workspace"),
        decisions.c.id == bindparam("of_id"),
        decisions.c.stage == Stage.REVIEW,
    )
    documents = [
        {"of_workspace": decision.workspace, "of_id": decision.id, **_concluded(decision)} for decision in changed
    ]
    if documents:
        connection.execute(update(decisions).where(waiting), documents)
    _add_dispatches(connection, changed)


def _concluded(decision: Decision) -> dict[str, object]:
    return {
        "stage": decision.stage,
        "rule": decision.rule,
        "targets": converter.unstructure(decision.targets),
        "evidence": converter.unstructure(decision.evidence),
        "decided_at": decision.decided_at,
    }


def _add_dispatches(connection: Connection, decided: Iterable[Decision]) -> None:
    rows = [_dispatch(decision, routed) for decision in decided for routed in decision.targets]
    if rows:
        connection.execute(insert(dispatches), rows)


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
    change = decision.outcome.fingerprint if isinstance(decision.outcome, Event) else ""
    return {
        "workspace_id": decision.workspace,
        "id": new_id(),
        "decision_id": decision.id,
        "mapping_id": routed.mapping_id,
        "target_kind": routed.target.kind,
        "target_id": routed.target.id,
        "effect_key": effect_key(
            decision.installation_id, routed.target, change=change, event_id=decision.event_id
        ),
        "created_at": decision.decided_at,
    }
