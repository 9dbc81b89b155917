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
from ...installations.types import Installation
from ...loading.registry import Registry
from ...mappings.lifecycle import update_states
from ...providers.deliveries import Event
from ...providers.manifest import Manifest
from ...providers.suggestions import Evidence
from ...store.audit import record
from ..admission import open_cases
from ..batch import RECEIVING, Case
from ..decide import decide
from ..loading import load
from ..types import ORPHANED, UNTRUSTED, Conclusion, Decision, Stage
from ..write import learn, redecide_all
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

    def audited(self) -> dict[str, object]:
        """Return what an entry of the audit shows of it."""
        return {"decided": {stage.value: count for stage, count in self.decided.items()}}


def replay(connection: Connection, item: ReviewItem, manifest: Manifest, *, now: datetime) -> Replay:
    """Decide anew what an item holds, as if it came now; lock the item before.

    An event is decided in the order in which its delivery came, and leaves the queue once. What can't be
    trusted, and what still can't be placed, stays. An item that holds nothing any more is `ReviewState.MAPPED`.

    Raises:
        NotFoundError: the item is of no installation.
        ConflictError: the installation takes no events at this moment.
    """
    installation = installations.get(connection, InstallationKey.of(item), lock=True)
    return _replay(connection, installation, item, manifest, now)


def _replay(
    connection: Connection, installation: Installation, item: ReviewItem, manifest: Manifest, now: datetime
) -> Replay:
    if installation.status not in RECEIVING:
        raise ConflictError(
            f"the installation is {installation.status}, so nothing of it is routed",
            subject=installation.subject,
            remedy="look at what the installation needs, then replay again; the events keep waiting",
        )
    held = review_records.held_decisions(connection, workspace=item.workspace, item_id=item.id)
    waiting = [each for each in held if each.rule not in UNTRUSTED and isinstance(each.outcome, Event)]
    events = [each.outcome for each in waiting if isinstance(each.outcome, Event)]
    cases = open_cases(connection, installation, events, manifest)
    past = [evolve(case, past=(_waited(item, before),)) for case, before in zip(cases, waiting, strict=True)]
    decided = _decide_again(connection, waiting, past, now)
    review_records.release(connection, item, [decision.id for decision in decided])
    if len(decided) == len(held):
        review_records.set_state(connection, item, ReviewState.MAPPED)
    return Replay(decided=Counter(new.stage for new in decided), waiting=len(held) - len(decided))


@frozen(kw_only=True)
class Following:
    """Brings mappings in line with an installation, and places what waited for those that route again.

    It is what layers 1 and 3 are joined by; see `speckitty_connectors.installations.types.Follow`.

    Attributes:
        registry: the plugins, whose manifests say what contains what.
    """

    registry: Registry

    def __call__(self, connection: Connection, key: InstallationKey, now: datetime) -> None:
        """Do both, in the transaction that changed the installation or its resources."""
        if update_states(connection, key, now) == 0:
            return
        installation = installations.get(connection, key, lock=True)
        held = review_records.list_held_for(connection, key, reason=ORPHANED, lock=True)
        if held and installation.status in RECEIVING:
            manifest = self.registry.provider(installation.provider).manifest
            for item in held:
                _note(connection, item, _replay(connection, installation, item, manifest, now), now)


def _note(connection: Connection, item: ReviewItem, replayed: Replay, now: datetime) -> None:
    if replayed.decided:
        record(
            connection,
            workspace=item.workspace,
            at=now,
            actor=f"provider:{item.provider}",
            verb="review.replayed",
            entity="review_item",
            entity_id=item.id,
            reason="a mapping of its resource routes again",
            after=replayed.audited(),
        )


def _decide_again(
    connection: Connection, waiting: Sequence[Decision], cases: Sequence[Case], now: datetime
) -> list[Decision]:
    """Decide what waited, and write what leaves the queue by that."""
    decided = zip(waiting, cases, decide(load(connection, cases)), strict=True)
    left = [each for each in decided if each[2].stage is not Stage.REVIEW]
    learnt = learn(connection, [(case, conclusion) for _, case, conclusion in left], now)
    anew = [_redecided(before, new, now) for (before, _, _), new in zip(left, learnt, strict=True)]
    redecide_all(connection, anew)
    return anew


def _waited(item: ReviewItem, before: Decision) -> Evidence:
    text = f"until then it waited in review item {item.id}, by rule {before.rule}"
    return Evidence(rule=WAITED, text=text, against=True)


def _redecided(before: Decision, conclusion: Conclusion, now: datetime) -> Decision:
    return evolve(
        before,
        stage=conclusion.stage,
        rule=conclusion.rule,
        targets=conclusion.targets,
        evidence=conclusion.evidence,
        decided_at=now,
    )
