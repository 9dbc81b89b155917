"""Decides anew, in order and once, the events that waited for a person."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime

from attrs import evolve, frozen
from sqlalchemy import Connection

from ...errors import ConflictError
from ...identifiers import InstallationKey
from ...installations import repository as installations
from ...providers.deliveries import Event
from ...providers.manifest import Manifest
from ...providers.suggestions import Evidence
from .. import repository
from ..cases import Case, PlacingStage, open_case
from ..decisions import learn, once_per_change
from ..placement import RECEIVING, place
from ..types import UNTRUSTED, Conclusion, Decision, Stage
from . import items as review_records
from .items import ReviewItem, ReviewState

WAITED = "waited"
"""The evidence that an event was in the review queue before it was decided."""


@frozen(kw_only=True)
class Replay:
    """What became of the events that an item held.

    Attributes:
        decided: stage → how many events left the queue by it.
        waiting: how many still wait.
    """

    decided: Mapping[Stage, int]
    waiting: int


def replay(
    connection: Connection, item: ReviewItem, manifest: Manifest, stages: Sequence[PlacingStage], *, now: datetime
) -> Replay:
    """Decide anew what an item holds, as if it came now; lock the item before.

    An event is decided in the order in which its delivery came, and leaves the queue once. What can't be
    trusted, and what still can't be placed, stays. An item that holds nothing any more is `ReviewState.MAPPED`.

    Raises:
        NotFoundError: the item is of no installation.
        ConflictError: the installation takes no events at this moment.
    """
    installation = installations.get(connection, InstallationKey.of(item), lock=True)
    if installation.status not in RECEIVING:
        raise ConflictError(
            f"the installation is {installation.status}, so nothing of it is routed",
            subject=installation.subject,
            remedy="look at what the installation needs, then replay again; the events keep waiting",
        )
    held = review_records.held_decisions(connection, workspace=item.workspace, item_id=item.id)
    waiting = [
        (decision, open_case(connection, installation, decision.outcome, manifest))
        for decision in held
        if decision.rule not in UNTRUSTED and isinstance(decision.outcome, Event)
    ]
    conclusions = place(connection, [case for _, case in waiting], stages)
    decided = [
        new
        for (decision, case), conclusion in zip(waiting, conclusions, strict=True)
        if conclusion.stage is not Stage.REVIEW
        and (new := _decide(connection, decision, _learnt(connection, case, conclusion, now), item, now))
        is not None
    ]
    review_records.release(connection, item, [decision.id for decision in decided])
    if len(decided) == len(held):
        review_records.set_state(connection, item, ReviewState.MAPPED)
    return Replay(decided=Counter(new.stage for new in decided), waiting=len(held) - len(decided))


def _learnt(connection: Connection, case: Case, conclusion: Conclusion, now: datetime) -> Conclusion:
    return learn(
        connection,
        conclusion,
        workspace=case.installation.workspace,
        installation_id=case.installation.id,
        resource=case.subject,
        now=now,
    )


def _decide(
    connection: Connection, decision: Decision, conclusion: Conclusion, item: ReviewItem, now: datetime
) -> Decision | None:
    waited = Evidence(
        rule=WAITED,
        text=f"until then it waited in review item {item.id}, by rule {decision.rule}",
        against=True,
    )
    new = evolve(
        decision,
        stage=conclusion.stage,
        rule=conclusion.rule,
        targets=conclusion.targets,
        evidence=(*conclusion.evidence, waited),
        decided_at=now,
    )
    new = once_per_change(connection, new)
    return new if repository.redecide(connection, new) else None
