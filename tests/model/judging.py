"""Holds what is stored of a delivery against what must have become of it."""

from __future__ import annotations

from collections.abc import Mapping

from model.memory import Place, Told, Verdict
from model.world import World
from speckitty_connectors.dispatch.repository import REVOKED
from speckitty_connectors.routing.decide import BLOCKED_BY_POLICY
from speckitty_connectors.routing.explanation import ExplainedDecision
from speckitty_connectors.routing.review.screening import DISMISSED
from speckitty_connectors.routing.types import PRINCIPAL_CONFLICT, UNKNOWN_INSTALLATION, Stage
from speckitty_connectors.store.claims import DONE
from speckitty_connectors.store.metadata import OPERATOR

PLACED = frozenset({Stage.EXPLICIT, Stage.INFERRED})
"""The stages that hand an event over; all others hand over nothing."""


def expected_of(world: World, told: Told) -> Mapping[str, Verdict | None]:
    """Take note of a delivery, and return what must become of it for each installation that it concerns."""
    if told.change:
        return {place.id: Verdict(Stage.LIFECYCLE) for place in world.memory.take(told)}
    concerned = list(world.memory.concerned(told.account))
    return expected_of_event(world, told, concerned)


def expected_of_event(world: World, told: Told, concerned: list[Place]) -> Mapping[str, Verdict | None]:
    """Take note of an event, and return what must become of it for each of these installations."""
    for place in concerned:
        world.memory.hear(place, told)
    return {place.id: world.memory.verdict(place, told) for place in concerned}


def judge(world: World, told: Told, expected: Mapping[str, Verdict | None], *, alone: bool = True) -> None:
    """Hold a delivery that arrived against what was expected of it.

    There is one decision for each installation that its credential speaks for, in that one's workspace, and none
    anywhere else; where there is no such installation, one with the operator.
    """
    decided = world.decided(told.id)
    tenants = [(workspace, each.decision.installation_id) for workspace, found in decided.items() for each in found]
    places = [world.memory.place(installation_id) for installation_id in expected]
    principals = [(place.workspace, place.id) for place in places] or [(OPERATOR, "")]
    assert sorted(tenants) == sorted(principals), told
    if not places:
        (unplaced,) = decided[OPERATOR]
        stage = Stage.IGNORED if told.change else Stage.REVIEW
        assert (unplaced.decision.stage, unplaced.decision.rule) == (stage, UNKNOWN_INSTALLATION)
    for place in places:
        judge_one(world, told, place, expected[place.id], alone=alone)


def judge_one(world: World, told: Told, place: Place, expected: Verdict | None, *, alone: bool = True) -> None:
    """Hold the decision on a delivery for one installation against what was expected of it."""
    (explained,) = (
        each
        for each in world.decided(told.id).get(place.workspace, [])
        if each.decision.installation_id == place.id
    )
    decision = explained.decision
    projects = frozenset(routed.target.id for routed in decision.targets)
    assert bool(projects) == (decision.stage in PLACED)
    if expected is None:
        _check_inferred(world, told, place, explained)
    elif decision.rule == DISMISSED:
        assert expected.stage is Stage.REVIEW
    else:
        assert (decision.stage, projects) == (expected.stage, expected.projects), (told, decision)
    if decision.stage is Stage.REVIEW:
        world.waiting[told.id, place.id] = told
        assert explained.review_item is not None
    _check_handed_over(world, explained, alone=alone)


def judge_conflict(world: World, told: Told, place: Place) -> None:
    """Hold an event that came by one installation's hook and claims to be of another account against that."""
    ((workspace, (explained,)),) = world.decided(told.id).items()
    assert (workspace, explained.decision.rule) == (place.workspace, PRINCIPAL_CONFLICT)
    assert explained.decision.stage is Stage.REVIEW


def _check_inferred(world: World, told: Told, place: Place, explained: ExplainedDecision) -> None:
    """Check an event that nothing is mapped for: what this workspace reported places it, or people are asked."""
    decision, memory = explained.decision, world.memory
    if decision.stage is not Stage.INFERRED:
        muting = memory.muting(place.workspace, told.kind)
        ignored = {DISMISSED, BLOCKED_BY_POLICY} if muting else {DISMISSED}
        assert decision.stage is Stage.REVIEW or decision.rule in ignored, decision
        if decision.rule == BLOCKED_BY_POLICY:
            _learn(world, told, place)
        return
    (routed,) = decision.targets
    assert routed.mapping_id == ""
    assert routed.target.id in memory.reports[place.workspace].projects()
    assert not memory.is_turned_down(place, told.board, routed.target.id), "a person said no to that"
    _learn(world, told, place)


def _learn(world: World, told: Told, place: Place) -> None:
    """Remember that an inferred event has shown its board, where nothing else had."""
    if told.board not in place.seen:
        place.note(told.board, world.office.clock(), gone=False, key=told.key)


def _check_handed_over(world: World, explained: ExplainedDecision, *, alone: bool) -> None:
    """Check that each target was handed the event once, or not at all where it lost its authority meanwhile."""
    decision = explained.decision
    states = {dispatch.target.id: dispatch.state for dispatch in explained.dispatches}
    assert states.keys() == {routed.target.id for routed in decision.targets}
    for project, state in states.items():
        assert state in ({DONE} if alone else {DONE, REVOKED}), (decision, state)
        times = world.handed[decision.event_id, decision.installation_id, project]
        assert times == (1 if state == DONE else 0), f"handed over {times} times"
