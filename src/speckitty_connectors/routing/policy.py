"""Layer 4 on an event that found its targets: the policy of each, and which targets don't want it; pure."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

from attrs import evolve

from ..identifiers import InstallationKey
from ..policy.types import EffectivePolicy
from ..providers.deliveries import Event
from ..providers.suggestions import Evidence, Target
from ..suggestions.findings import PROJECT
from .batch import Batch
from .cases import InstallationId
from .types import Conclusion, RoutedTarget, Stage

BLOCKED_BY_POLICY = "blocked_by_policy"
"""The rule of an event that no target wants, by its policy."""


def permit(event: Event, conclusion: Conclusion, policy_of: Callable[[str], EffectivePolicy]) -> Conclusion:
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


def effective_policies(batch: Batch) -> Callable[[InstallationId, str], EffectivePolicy]:
    """Return what finds the effective policy of a project under an installation of a batch."""
    cases = {case.key: case for case in batch.cases}

    @cache
    def policy_of(key: InstallationId, project_id: str) -> EffectivePolicy:
        case = cases[key]
        installation = InstallationKey(workspace=case.workspace, id=key[1])
        return batch.policies.effective(
            case.manifest.policy, installation, provider=case.provider, project_id=project_id
        )

    return policy_of


def project_of(target: Target) -> str:
    """Return the project whose policy applies to a target; empty where the installation's default does."""
    return target.id if target.kind == PROJECT else ""
