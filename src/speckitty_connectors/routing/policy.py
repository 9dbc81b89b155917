"""Layer 4 on an event that found its targets: the policy in force for each, and which targets don't want it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Sequence
from functools import cache, partial

from attrs import evolve
from sqlalchemy import Connection

from ..installations.types import Installation
from ..policy import repository as policy_rows
from ..policy.resolution import LoadedPolicies
from ..policy.types import EffectivePolicy
from ..providers.suggestions import Evidence, Target
from ..suggestions.findings import PROJECT
from .cases import Case
from .types import Conclusion, RoutedTarget, Stage

BLOCKED_BY_POLICY = "blocked_by_policy"
"""The rule of an event that no target wants, by the policy that applies to it."""

ProposePolicy = Callable[[LoadedPolicies], LoadedPolicies]
"""Returns policies as somebody proposes that they be."""

PlacedCase = tuple[Case, Conclusion]
"""A case, and what the stages concluded."""


def as_it_is(policies: LoadedPolicies) -> LoadedPolicies:
    """Propose nothing."""
    return policies


def permit(
    connection: Connection, placed: Sequence[PlacedCase], *, propose: ProposePolicy = as_it_is
) -> list[Conclusion]:
    """Return each conclusion with the policy of its targets, without those that mute the event.

    An event whose every target mutes it is ignored by the rule ``blocked_by_policy``. What was inferred of its
    resource stays a finding: where it would have gone is right, whether or not it is wanted there.
    """
    policies = propose(_load(connection, placed))
    cases = {case.installation.id: case for case, _ in placed}

    @cache
    def policy_of(installation_id: str, project_id: str) -> EffectivePolicy:
        case = cases[installation_id]
        installation, own = case.installation, case.manifest.policy
        return policies.effective(own, installation, provider=installation.provider, project_id=project_id)

    return [_permitted(case, conclusion, partial(policy_of, case.installation.id)) for case, conclusion in placed]


def project_of(target: Target) -> str:
    """Return the project whose policy applies to a target; empty where the installation's default does."""
    return target.id if target.kind == PROJECT else ""


def _load(connection: Connection, placed: Sequence[PlacedCase]) -> LoadedPolicies:
    """Load the policies, with one query for each installation that has targets."""
    wanted: dict[str, set[str]] = defaultdict(set)
    seen: dict[str, Installation] = {}
    for case, conclusion in placed:
        for routed in conclusion.targets:
            seen[case.installation.id] = case.installation
            wanted[case.installation.id].add(project_of(routed.target))
    loaded = (_load_of(connection, seen[installation_id], projects) for installation_id, projects in wanted.items())
    return LoadedPolicies(scoped={scope: here for each in loaded for scope, here in each.scoped.items()})


def _load_of(connection: Connection, installation: Installation, projects: Collection[str]) -> LoadedPolicies:
    return policy_rows.find(
        connection,
        workspace=installation.workspace,
        provider=installation.provider,
        installation_ids=[installation.id],
        project_ids=projects,
    )


def _permitted(case: Case, conclusion: Conclusion, policy_of: Callable[[str], EffectivePolicy]) -> Conclusion:
    wanted: list[RoutedTarget] = []
    blocked: list[Evidence] = []
    for routed in conclusion.targets:
        policy = policy_of(project_of(routed.target))
        if policy.core.mutes(case.event):
            text = f"{routed.target} doesn't want it: {policy.why('muted_kinds')}"
            blocked.append(Evidence(rule=BLOCKED_BY_POLICY, text=text, against=True))
        else:
            wanted.append(evolve(routed, policy=policy.exceptions))
    if not wanted and blocked:
        conclusion = evolve(conclusion, stage=Stage.IGNORED, rule=BLOCKED_BY_POLICY)
    return evolve(conclusion, targets=tuple(wanted), evidence=(*conclusion.evidence, *blocked))
