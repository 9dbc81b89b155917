"""Turns rulings into decisions, dispatches and review items."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from attrs import evolve
from sqlalchemy import Connection

from ..identifiers import new_id
from ..providers.suggestions import Evidence
from . import repository, review
from .learning import learn
from .rulings import Ruling
from .types import Decision, Stage

SAME_CHANGE = "same_change"
"""The rule of an event whose targets have all been told of its change by another delivery."""


def write(connection: Connection, rulings: Iterable[Ruling], now: datetime) -> None:
    """Write a decision for each ruling, with its dispatches or in its review item."""
    for ruling in rulings:
        decision = once_per_change(connection, _decision(learn(connection, ruling, now), now))
        repository.add(connection, decision)
        if decision.stage is Stage.REVIEW:
            delivery = ruling.interpretation.delivery
            review.hold(
                connection,
                decision,
                provider=delivery.provider,
                host=delivery.host,
                subject=ruling.subject,
                candidates=ruling.conclusion.candidates,
            )


def _decision(ruling: Ruling, now: datetime) -> Decision:
    return Decision(
        id=new_id(),
        workspace=ruling.workspace,
        event_id=ruling.interpretation.delivery.id,
        installation_id=ruling.installation_id,
        stage=ruling.conclusion.stage,
        rule=ruling.conclusion.rule,
        outcome=ruling.interpretation.outcome,
        targets=ruling.conclusion.targets,
        evidence=ruling.conclusion.evidence,
        decided_at=now,
    )


def once_per_change(connection: Connection, decision: Decision) -> Decision:
    """Leave out the targets that another delivery of the same change has reached."""
    told = repository.told_before(connection, decision)
    if not told:
        return decision
    evidence = tuple(
        Evidence(rule=SAME_CHANGE, text=f"another delivery has told {target} of the same change", against=True)
        for target in told
    )
    remaining = tuple(routed for routed in decision.targets if routed.target not in told)
    decision = evolve(decision, targets=remaining, evidence=decision.evidence + evidence)
    return decision if remaining else evolve(decision, stage=Stage.IGNORED, rule=SAME_CHANGE)
