"""Reads decisions, and the dispatches that follow from them."""

from __future__ import annotations

from attrs import frozen
from sqlalchemy import Connection, RowMapping, select

from ..providers.codec import converter, outcome_from
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
