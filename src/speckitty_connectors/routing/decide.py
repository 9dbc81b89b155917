"""Decides a batch from top to bottom: mappings, inference, policy, ignore rules, review; pure."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache, partial

from attrs import evolve

from ..identifiers import InstallationKey
from ..installations.types import Installation
from ..policy.types import EffectivePolicy
from ..providers.deliveries import Event
from ..providers.suggestions import Evidence, Target
from ..suggestions.findings import PROJECT
from .batch import RECEIVING, Case, CaseBatch, Surroundings
from .explicit import explicit
from .inference import Knowledge, infer
from .review.screening import ignored_by_dismissal, ignored_by_rule
from .types import (
    NO_MAPPING,
    NO_RESOURCE,
    Conclusion,
    InstallationId,
    RoutedTarget,
    Stage,
    effect_key,
    for_review,
)

BLOCKED_BY_POLICY = "blocked_by_policy"
"""The rule of an event that no target wants, by its policy."""

SAME_CHANGE = "same_change"
"""The rule of an event whose targets were all handed its change by another delivery."""


def decide(batch: CaseBatch) -> list[Conclusion]:
    """Return what becomes of each case of a batch, in their order.

    Nothing is asked and nothing is written: the same batch is decided in the same way for ever. A simulation is
    this of a changed batch, and a replay is this of what waited.
    """
    policy_of, handed_over = _effective_policies(batch), set(batch.handed_over)
    conclusions = []
    for case in batch.cases:
        conclusion = _conclude(batch, case, partial(policy_of, case.key))
        conclusion = evolve(conclusion, evidence=conclusion.evidence + case.past)
        conclusions.append(_once_per_change(case, conclusion, handed_over))
    return conclusions


def _conclude(batch: CaseBatch, case: Case, policy_of: Callable[[str], EffectivePolicy]) -> Conclusion:
    installation, event = case.installation, case.event
    if installation is None or event is None:
        return for_review(case.doubt)
    if installation.status not in RECEIVING:
        return _not_received(installation)
    surroundings = batch.surroundings.get(case.key, Surroundings())
    conclusion = (
        (None if event.resources else for_review(NO_RESOURCE))
        or explicit(event, surroundings, case.manifest.rank)
        or _infer(case, event, batch.knowledge.get(case.key, Knowledge()))
        or for_review(NO_MAPPING)
    )
    conclusion = _permit(event, conclusion, policy_of)
    if conclusion.stage is not Stage.REVIEW:
        return conclusion
    return (
        ignored_by_rule(batch, case, event, installation)
        or ignored_by_dismissal(conclusion, batch.dismissed.get((case.key, case.subject.place), {}))
        or conclusion
    )


def _infer(case: Case, event: Event, known: Knowledge) -> Conclusion | None:
    repository = case.repository
    return infer(repository, known.contenders(repository, event)) if repository else None


def _not_received(installation: Installation) -> Conclusion:
    rule = f"installation_{installation.status}"
    evidence = Evidence(rule=rule, text=f"the installation is {installation.status}", against=True)
    return Conclusion(stage=Stage.IGNORED, rule=rule, evidence=(evidence,))


def _permit(event: Event, conclusion: Conclusion, policy_of: Callable[[str], EffectivePolicy]) -> Conclusion:
    """Return a conclusion with the policy of its targets, without those that mute the event.

    An event whose every target mutes it is ignored by the rule ``blocked_by_policy``. What was inferred of its
    resource stays a finding: where it would have gone is right, whether or not it is wanted there.

    Args:
        event: the event.
        conclusion: where it goes, and why.
        policy_of: returns the effective policy of a project; of the installation where that is empty.
    """
    wanted: list[RoutedTarget] = []
    blocked: list[Evidence] = []
    for routed in conclusion.targets:
        policy = policy_of(project_of(routed.target))
        if policy.core.mutes(event):
            text = f"{routed.target} doesn't want it: {policy.why('muted_kinds')}"
            blocked.append(Evidence(rule=BLOCKED_BY_POLICY, text=text, against=True))
        else:
            wanted.append(evolve(routed, policy=policy.exceptions))
    if not wanted and blocked:
        conclusion = evolve(conclusion, stage=Stage.IGNORED, rule=BLOCKED_BY_POLICY)
    return evolve(conclusion, targets=tuple(wanted), evidence=(*conclusion.evidence, *blocked))


def project_of(target: Target) -> str:
    """Return the project whose policy applies to a target; empty where the installation's default does."""
    return target.id if target.kind == PROJECT else ""


def _effective_policies(batch: CaseBatch) -> Callable[[InstallationId, str], EffectivePolicy]:
    """Return what finds the effective policy of a project under an installation of a batch."""
    cases = {case.key: case for case in batch.cases}

    @cache
    def policy_of(key: InstallationId, project_id: str) -> EffectivePolicy:
        case = cases[key]
        installation = InstallationKey(workspace=key[0], id=key[1])
        return batch.policies.effective(
            case.manifest.policy, installation, provider=case.provider, project_id=project_id
        )

    return policy_of


def _once_per_change(case: Case, conclusion: Conclusion, handed_over: set[str]) -> Conclusion:
    """Leave out the targets that another delivery of the same change has reached, here or before."""
    change = case.event.fingerprint if case.event else ""
    if not change or not conclusion.targets:
        return conclusion
    keys = {routed: effect_key(case.key[1], routed.target, change=change) for routed in conclusion.targets}
    reached = sorted((routed.target for routed, key in keys.items() if key in handed_over), key=str)
    handed_over.update(keys.values())
    if not reached:
        return conclusion
    evidence = tuple(
        Evidence(rule=SAME_CHANGE, text=f"another delivery has told {target} of the same change", against=True)
        for target in reached
    )
    remaining = tuple(routed for routed in conclusion.targets if routed.target not in reached)
    conclusion = evolve(conclusion, targets=remaining, evidence=conclusion.evidence + evidence)
    return conclusion if remaining else evolve(conclusion, stage=Stage.IGNORED, rule=SAME_CHANGE)
