"""Asks the stages, then what people said of events that none of them places; for the router and for replays."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection

from .rulings import NO_MAPPING, for_review
from .screening import screen
from .stages import Case, PlacingStage, PreparedStage
from .types import Conclusion, Stage


def place(connection: Connection, cases: Sequence[Case], stages: Sequence[PlacingStage]) -> list[Conclusion]:
    """Return what becomes of each case: the stages are asked in their order, the first answer holds.

    What would go to the review queue is held against the ignore rules and the dismissals of people first.
    Nothing is written.
    """
    if not cases:
        return []
    prepared = [stage(connection, cases) for stage in stages]
    concluded = [(case, _conclude(case, prepared)) for case in cases]
    waiting = [(case, conclusion) for case, conclusion in concluded if conclusion.stage is Stage.REVIEW]
    screened = iter(screen(connection, waiting))
    return [next(screened) if each.stage is Stage.REVIEW else each for _, each in concluded]


def _conclude(case: Case, stages: Sequence[PreparedStage]) -> Conclusion:
    for stage in stages:
        conclusion = stage(case)
        if conclusion is not None:
            return conclusion
    return for_review(NO_MAPPING)
