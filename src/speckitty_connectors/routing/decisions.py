"""Turns rulings into decisions, dispatches and review items."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from attrs import evolve
from sqlalchemy import Connection

from ..identifiers import InstallationKey, new_id
from ..providers.resources import ResourceReference
from ..providers.suggestions import Evidence
from ..resources.repository import find_resource, note_references
from ..resources.types import KnownResource
from ..suggestions.findings import MAPPED, keep
from ..suggestions.types import Source
from . import repository
from .review import items as review
from .types import Conclusion, Decision, Ruling, Stage


def learn(
    connection: Connection,
    conclusion: Conclusion,
    *,
    workspace: str,
    installation_id: str,
    resource: ResourceReference,
    now: datetime,
) -> Conclusion:
    """Keep what an event taught of its resource as a suggestion; where that became a mapping, name it."""
    if conclusion.finding is None:
        return conclusion
    known = _known(connection, workspace, installation_id, resource, now)
    (kept,) = keep(
        connection,
        {(resource.kind, resource.id): known},
        [conclusion.finding],
        workspace=workspace,
        source=Source.EVENT,
        now=now,
    )
    if kept.outcome != MAPPED:
        return conclusion
    mapping_id = kept.suggestion.mapping_id
    return evolve(conclusion, targets=tuple(evolve(routed, mapping_id=mapping_id) for routed in conclusion.targets))


def _known(
    connection: Connection, workspace: str, installation_id: str, resource: ResourceReference, now: datetime
) -> KnownResource:
    """Return the event's resource; a verified delivery says that it is there, where no listing has yet."""
    key = InstallationKey(workspace=workspace, id=installation_id)
    known = find_resource(connection, key, resource.place)
    if known is not None:
        return known
    note_references(connection, key, references=[resource], at=now)
    return _known(connection, workspace, installation_id, resource, now)


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
