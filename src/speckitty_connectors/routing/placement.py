"""Asks the stages, then what people said of events that none of them places; for the router and for replays."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection

from ..installations.statuses import InstallationStatus
from ..providers.suggestions import Evidence
from .cases import Case, PlacingStage
from .policy import ProposePolicy, as_it_is, permit
from .review.screening import screen
from .types import NO_MAPPING, NO_RESOURCE, Conclusion, Stage, for_review

RECEIVING = frozenset(
    {
        InstallationStatus.ACTIVE,
        InstallationStatus.DEGRADED,
        InstallationStatus.NEEDS_REAUTHORISATION,
        InstallationStatus.NEEDS_RECONSENT,
    }
)
"""The statuses in which events are handed on: a token that ended, or a scope that is missing, stops our calls to
the provider, not the provider's deliveries to us."""


def place(
    connection: Connection,
    cases: Sequence[Case],
    stages: Sequence[PlacingStage],
    *,
    propose: ProposePolicy = as_it_is,
) -> list[Conclusion]:
    """Return what becomes of each case: the stages are asked in their order, the first answer holds.

    What found its targets is held against their policies. What would go to the review queue is held against the
    ignore rules and the dismissals of people first. Nothing is written.

    Args:
        connection: the transaction.
        cases: the events.
        stages: what is asked, in this order.
        propose: returns what is said of policies as it would be.
    """
    beforehand = [_beforehand(case) for case in cases]
    asked = [case for case, known in zip(cases, beforehand, strict=True) if known is None]
    answers = iter(_ask(connection, asked, stages))
    placed = [(case, known or next(answers)) for case, known in zip(cases, beforehand, strict=True)]
    concluded = list(zip(cases, permit(connection, placed, propose=propose), strict=True))
    waiting = [(case, conclusion) for case, conclusion in concluded if conclusion.stage is Stage.REVIEW]
    screened = iter(screen(connection, waiting))
    return [next(screened) if each.stage is Stage.REVIEW else each for _, each in concluded]


def _beforehand(case: Case) -> Conclusion | None:
    """Return what is concluded without asking any stage."""
    status = case.installation.status
    if status not in RECEIVING:
        rule = f"installation_{status}"
        evidence = Evidence(rule=rule, text=f"the installation is {status}", against=True)
        return Conclusion(stage=Stage.IGNORED, rule=rule, evidence=(evidence,))
    return None if case.event.resources else for_review(NO_RESOURCE)


def _ask(connection: Connection, cases: Sequence[Case], stages: Sequence[PlacingStage]) -> list[Conclusion]:
    """Ask each stage about what those before it left."""
    concluded: dict[int, Conclusion] = {}
    for stage in stages:
        left = {place: case for place, case in enumerate(cases) if place not in concluded}
        decide = stage(connection, list(left.values())) if left else None
        for place, case in left.items():
            if decide is not None and (conclusion := decide(case)) is not None:
                concluded[place] = conclusion
    return [concluded.get(place) or for_review(NO_MAPPING) for place in range(len(cases))]
