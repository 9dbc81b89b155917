"""What the router concludes for a delivery, and why."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

from attrs import field, frozen

from ..mappings.suggestions_types import Finding
from ..overrides.types import Statements
from ..providers.deliveries import Outcome
from ..providers.suggestions import Confidence, Evidence, Target


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
