"""Writes what was decided of a batch: what it teaches, decisions, dispatches and review items."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime

from attrs import evolve
from sqlalchemy import Connection

from ..identifiers import InstallationKey, new_id
from ..resources.repository import find_resource, note_references
from ..resources.types import KnownResource
from ..suggestions.findings import MAPPED, keep
from ..suggestions.types import Source
from . import repository
from .cases import Case
from .review.holding import Waiting, hold_all
from .types import Conclusion, Decision, Stage


def write(connection: Connection, decided: Sequence[tuple[Case, Conclusion]], now: datetime) -> None:
    """Write a decision for each case, with what it teaches, and its dispatches or its review item."""
    conclusions = learn(connection, decided, now)
    made = [_decision(case, each, now) for (case, _), each in zip(decided, conclusions, strict=True)]
    repository.add_all(connection, made)
    waiting = [
        Waiting(
            decision=decision,
            provider=case.provider,
            host=case.host,
            subject=case.subject,
            candidates=conclusion.candidates,
        )
        for (case, conclusion), decision in zip(decided, made, strict=True)
        if decision.stage is Stage.REVIEW
    ]
    hold_all(connection, waiting)


def _decision(case: Case, conclusion: Conclusion, now: datetime) -> Decision:
    return Decision(
        id=new_id(),
        workspace=case.workspace,
        event_id=case.delivery.id if case.delivery else "",
        installation_id=case.key[1],
        stage=conclusion.stage,
        rule=conclusion.rule,
        outcome=case.outcome,
        targets=conclusion.targets,
        evidence=conclusion.evidence,
        decided_at=now,
    )


def learn(connection: Connection, decided: Iterable[tuple[Case, Conclusion]], now: datetime) -> list[Conclusion]:
    """Return conclusions with the mappings that what they teach became."""
    return [_learn(connection, case, conclusion, now) for case, conclusion in decided]


def _learn(connection: Connection, case: Case, conclusion: Conclusion, now: datetime) -> Conclusion:
    """Keep what an event taught of its resource as a suggestion; where that became a mapping, name it."""
    if conclusion.finding is None:
        return conclusion
    (kept,) = keep(
        connection,
        {case.subject.place: _known(connection, case, now)},
        [conclusion.finding],
        workspace=case.workspace,
        source=Source.EVENT,
        now=now,
    )
    if kept.outcome != MAPPED:
        return conclusion
    mapping_id = kept.suggestion.mapping_id
    return evolve(conclusion, targets=tuple(evolve(routed, mapping_id=mapping_id) for routed in conclusion.targets))


def _known(connection: Connection, case: Case, now: datetime) -> KnownResource:
    """Return the event's resource; a verified delivery proves that it is there, where no listing has yet."""
    key = InstallationKey(workspace=case.workspace, id=case.key[1])
    known = find_resource(connection, key, case.subject.place)
    if known is not None:
        return known
    note_references(connection, key, references=[case.subject], at=now)
    return _known(connection, case, now)
