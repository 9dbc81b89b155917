"""What the router concludes for a delivery, and why."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum

from attrs import field, frozen

from ..policy.types import Statements
from ..providers.deliveries import Outcome
from ..providers.resources import ResourceReference
from ..providers.suggestions import Confidence, Evidence, Target
from ..suggestions.types import Finding

InstallationId = tuple[str, str]
"""The workspace of an installation, and our id of it."""


class Stage(StrEnum):
    """Which part of the router decided: exactly one of them for every delivery and installation."""

    EXPLICIT = "explicit"
    INFERRED = "inferred"
    REVIEW = "review"
    IGNORED = "ignored"
    LIFECYCLE = "lifecycle"


@frozen(kw_only=True)
class RoutedTarget:
    """A target that a decision hands an event to.

    Attributes:
        target: the target.
        mapping_id: the mapping that says so; empty where it was inferred.
        policy: what people set or locked of the policy that held for it at the decision; the library's defaults
            aren't repeated.

    >>> str(RoutedTarget(target=Target(kind="project", id="apollo"), mapping_id="0195").target)
    'project:apollo'
    """

    target: Target
    mapping_id: str
    policy: Statements = field(factory=dict, hash=False)

    def policy_lines(self) -> list[str]:
        """Return the policy in words, one field a line."""
        return [f"  policy of {self.target}: {name} = {said}" for name, said in self.policy.items()]


@frozen(kw_only=True)
class Candidate:
    """A target that an event could have gone to, shown to the person who decides; never chosen for them.

    >>> from speckitty_connectors import Confidence
    >>> str(Candidate(target=Target(kind="project", id="apollo"), confidence=Confidence.MEDIUM).target)
    'project:apollo'
    """

    target: Target
    confidence: Confidence
    evidence: tuple[Evidence, ...] = ()


@frozen(kw_only=True)
class Conclusion:
    """What one stage makes of an event.

    Attributes:
        stage: the stage that concluded it.
        rule: stable name of the rule that decided.
        targets: where the event goes; empty unless the stage places events.
        evidence: what won, and what lost (`Evidence.against`), worded for a person.
        candidates: where a person must decide, the targets that are worth a look, the best first.
        finding: what an inferred event teaches of its resource, or None.

    >>> Conclusion(stage=Stage.IGNORED, rule="mapping_paused").targets
    ()
    """

    stage: Stage
    rule: str
    targets: tuple[RoutedTarget, ...] = ()
    evidence: tuple[Evidence, ...] = ()
    candidates: tuple[Candidate, ...] = ()
    finding: Finding | None = None


@frozen(kw_only=True)
class Decision:
    """What the router concluded for one delivery and one installation, as it is stored.

    Attributes:
        id: its id.
        workspace: whose decision it is; the operator's where no installation was found.
        event_id: id of the delivery in the inbox.
        installation_id: the installation, or empty where none was found.
        stage: the stage that concluded it.
        rule: stable name of the rule that decided.
        outcome: what the plugin said that the delivery means.
        targets: where the event goes.
        evidence: what won, and what lost, worded for a person.
        decided_at: when, in UTC.
    """

    id: str
    workspace: str
    event_id: str
    installation_id: str
    stage: Stage
    rule: str
    outcome: Outcome
    targets: tuple[RoutedTarget, ...]
    evidence: tuple[Evidence, ...]
    decided_at: datetime


UNKNOWN_INSTALLATION = "unknown_installation"

PRINCIPAL_CONFLICT = "principal_conflict"

CONFLICT = "conflict"

REPLAY_SUSPECT = "replay_suspect"

NO_RESOURCE = "no_resource"

NO_MAPPING = "no_mapping"

ORPHANED = "orphaned"

AMBIGUOUS = "ambiguous"

LOW_CONFIDENCE = "low_confidence"

REVIEW_REASONS: Mapping[str, str] = {
    UNKNOWN_INSTALLATION: "no workspace has connected the app to the account that the delivery names",
    PRINCIPAL_CONFLICT: "the body names another installation or account than the credential speaks for",
    CONFLICT: "another delivery came under the same id with other content",
    REPLAY_SUSPECT: "the same content came before under another id, and nothing signed tells the two apart",
    NO_RESOURCE: "the event names no resource",
    NO_MAPPING: "none of the event's resources is mapped",
    ORPHANED: "the resource is mapped, but its mappings are orphaned",
    AMBIGUOUS: "nothing is mapped, and several projects fit",
    LOW_CONFIDENCE: "nothing is mapped, and what was seen isn't enough to tell a project",
}
"""The rules that send a delivery to the review queue, and the words in which people read of each."""

UNTRUSTED = frozenset({UNKNOWN_INSTALLATION, PRINCIPAL_CONFLICT, CONFLICT, REPLAY_SUSPECT})
"""The rules of deliveries that nobody vouches for by mapping a resource: they are never replayed, nor ignored."""

NOTHING = ResourceReference(kind="", id="")
"""The subject of what names no resource and no account."""


def effect_key(installation_id: str, target: Target, *, change: str = "", event_id: str = "") -> str:
    """Return the key of what a decision does to a target: the same for each delivery of the same change.

    Args:
        installation_id: the installation.
        target: the target.
        change: the fingerprint of the change that the event reports; or empty.
        event_id: id of the delivery in the inbox, which counts where there is no fingerprint.
    """
    parts = [installation_id, bool(change), change or event_id, target.kind, target.id]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


def for_review(rule: str) -> Conclusion:
    """Return the conclusion that a person must decide, for one of `REVIEW_REASONS`."""
    evidence = Evidence(rule=rule, text=REVIEW_REASONS[rule], against=True)
    return Conclusion(stage=Stage.REVIEW, rule=rule, evidence=(evidence,))
