"""What people decided beforehand on events that no stage places: ignore rules and dismissed items; pure."""

from __future__ import annotations

from collections.abc import Mapping

from ...installations.types import Installation
from ...providers.deliveries import Event
from ...providers.suggestions import Evidence
from ..batch import Case, CaseBatch
from ..types import Conclusion, Stage

IGNORE_RULE = "ignore_rule"
"""The rule of an event that an ignore rule of the workspace names."""

DISMISSED = "dismissed"
"""The rule of an event whose review item a person dismissed for this very reason."""


def ignored_by_rule(batch: CaseBatch, case: Case, event: Event, installation: Installation) -> Conclusion | None:
    """Return that an event is ignored, where a rule of its workspace names it."""
    known = (
        batch.surroundings[case.key].resources.get(case.subject.place) if case.key in batch.surroundings else None
    )
    for rule in batch.ignore_rules.get(case.key[0], ()):
        if rule.conditions.meets(
            event, case.subject, installation=installation, archived=known is not None and known.archived
        ):
            why = f" ({rule.note})" if rule.note else ""
            return _ignored(IGNORE_RULE, f"ignore rule {rule.id} names it: {rule.conditions}{why}")
    return None


def ignored_by_dismissal(conclusion: Conclusion, dismissed: Mapping[str, str]) -> Conclusion | None:
    """Return that an event is ignored, where a person dismissed its item for the reason of this conclusion.

    Args:
        conclusion: that a person must look at the event.
        dismissed: each reason for which its item was dismissed, and in what words.
    """
    if conclusion.rule not in dismissed:
        return None
    text = f"events like this were dismissed: {dismissed[conclusion.rule]}"
    return _ignored(DISMISSED, text, *conclusion.evidence)


def _ignored(rule: str, text: str, *lost: Evidence) -> Conclusion:
    evidence = (Evidence(rule=rule, text=text, against=True), *lost)
    return Conclusion(stage=Stage.IGNORED, rule=rule, evidence=evidence)
