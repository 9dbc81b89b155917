"""Asks the stages, then what people said of events that none of them places; for the router and for replays."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection

from ..installations.types import InstallationStatus
from ..providers.suggestions import Evidence
from .rulings import NO_MAPPING, NO_RESOURCE, for_review
from .screening import screen
from .stages import Case, PlacingStage, PreparedStage
from .types import Conclusion, Stage

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


def place(connection: Connection, cases: Sequence[Case], stages: Sequence[PlacingStage]) -> list[Conclusion]:
    """Return what becomes of each case: the stages are asked in their order, the first answer holds.

    What would go to the review queue is held against the ignore rules and the dismissals of people first.
    Nothing is written.
    """
    beforehand = [_beforehand(case) for case in cases]
    asked = [case for case, known in zip(cases, beforehand, strict=True) if known is None]
    prepared = [stage(connection, asked) for stage in stages] if asked else []
    concluded = [(case, known or _conclude(case, prepared)) for case, known in zip(cases, beforehand, strict=True)]
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


def _conclude(case: Case, stages: Sequence[PreparedStage]) -> Conclusion:
    for stage in stages:
        conclusion = stage(case)
        if conclusion is not None:
            return conclusion
    return for_review(NO_MAPPING)
