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
from .types import Conclusion, Decision, Stage

SAME_CHANGE = "same_change"
"""The rule of an event whose targets have all been told of its change by another delivery."""


def write(connection: Connection, rulings: Iterable[Ruling], now: datetime) -> None:
    """Write a decision for each ruling, with what it teaches, and its dispatches or its review item."""
    for ruling in rulings:
        conclusion = learn(
            connection,
            ruling.conclusion,
            workspace=ruling.workspace,
            installation_id=ruling.installation_id,
            resource=ruling.subject,
            now=now,
        )
        decision = once_per_change(connection, _decision(ruling, conclusion, now))
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


def _decision(ruling: Ruling, conclusion: Conclusion, now: datetime) -> Decision:
    return Decision(
        id=new_id(),
        workspace=ruling.workspace,
        event_id=ruling.interpretation.delivery.id,
        installation_id=ruling.installation_id,
        stage=conclusion.stage,
        rule=conclusion.rule,
        outcome=ruling.interpretation.outcome,
        targets=conclusion.targets,
        evidence=conclusion.evidence,
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
