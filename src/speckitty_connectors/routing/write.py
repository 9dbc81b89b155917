"""Writes what was decided of a batch: what it teaches, decisions, dispatches and review items."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime

from attrs import evolve
from sqlalchemy import Connection, and_, bindparam, insert, update

from ..identifiers import InstallationKey, new_id
from ..providers.codec import converter, to_document
from ..providers.deliveries import Event
from ..providers.resources import ResourceReference
from ..resources.repository import NOTHING_MORE, find_resource, note_references
from ..resources.types import KnownResource
from ..suggestions.findings import MAPPED, keep
from ..suggestions.types import Source
from .batch import Case
from .review.holding import HeldDecision, hold_all
from .tables import decisions, dispatches
from .types import Conclusion, Decision, RoutedTarget, Stage, effect_key


def write(connection: Connection, decided: Sequence[tuple[Case, Conclusion]], now: datetime) -> None:
    """Write a decision for each case, with what it teaches, and its dispatches or its review item."""
    conclusions = learn(connection, decided, now)
    made = [_decision(case, each, now) for (case, _), each in zip(decided, conclusions, strict=True)]
    add_all(connection, made)
    waiting = [
        HeldDecision(
            decision=decision,
            provider=case.provider,
            host=case.host,
            subject=case.subject,
            candidates=conclusion.candidates,
        )
        for (case, conclusion), decision in zip(decided, made, strict=True)
        if decision.stage is Stage.REVIEW
    ]
    if waiting:
        hold_all(connection, waiting)


def _decision(case: Case, conclusion: Conclusion, now: datetime) -> Decision:
    workspace, installation_id = case.key
    return Decision(
        id=new_id(),
        workspace=workspace,
        event_id=case.delivery.id if case.delivery else "",
        installation_id=installation_id,
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
        workspace=case.key[0],
        source=Source.EVENT,
        now=now,
    )
    if kept.outcome != MAPPED:
        return conclusion
    mapping_id = kept.suggestion.mapping_id
    return evolve(conclusion, targets=tuple(evolve(routed, mapping_id=mapping_id) for routed in conclusion.targets))


def _known(connection: Connection, case: Case, now: datetime) -> KnownResource:
    """Return the event's resource; a verified delivery proves that it is there, where no listing has yet."""
    key = InstallationKey(workspace=case.key[0], id=case.key[1])
    known = find_resource(connection, key, case.subject.place)
    if known is not None:
        return known
    note_references(connection, key, references=[case.subject], at=now)
    return _known(connection, case, now)


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


def rename(connection: Connection, called: Iterable[tuple[InstallationKey, ResourceReference, datetime]]) -> None:
    """Give resources the keys that events call them by, one after the other; see `renamed`."""
    for installation, reference, at in called:
        note_references(connection, installation, references=[reference], at=at, told=NOTHING_MORE)
