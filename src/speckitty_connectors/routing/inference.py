"""The second stage: what git evidence says of an event that nothing is mapped for. It is right or silent; pure.

The rules, in the order in which they are looked at:

1. A project whose git remote names the event's repository, host and all, stands out by the rule ``remote``.
2. What is weaker never decides alone: a slug without a host, a former name, the event's commits, its mission's
   branch. Two of these kinds together do, by the rule ``commit`` or ``feature``.
3. Where several projects fit, only the branch of a mission that exactly one of them has tells them apart: its name
   has part of a ULID. Commits are shared between forks, and between the projects of one repository.
4. A project that is known by other repositories only is left out, whatever commits it shares: it is a fork, or
   another host's namesake. So is one that a person has dismissed for this repository.
5. Everything else is left to a person, with all that was found.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from typing import Final

from attrs import field, frozen

from ..providers.deliveries import Event, GitFacts
from ..providers.resources import ResourceReference
from ..providers.suggestions import Confidence, Evidence, Suggestion, Target
from ..signals.spec_kitty_names import is_unique, mission_of
from ..suggestions.findings import MOST_RIVALS, PROJECT, RIVAL
from ..suggestions.matching import REMOTE, Match, Matches, Strength
from ..suggestions.repository_names import Identity
from ..suggestions.types import Finding
from .types import AMBIGUOUS, LOW_CONFIDENCE, REVIEW_REASONS, Candidate, Conclusion, RoutedTarget, Stage

COMMIT: Final = "commit"
"""The rule of an event whose commits were seen in a project, which something else confirms."""

FEATURE: Final = "feature"
"""The rule of an event on the branch of a mission that one project has, which something else confirms."""

BRANCH: Final = "branch"
"""The evidence of a branch that one project has; anybody may use the name, so it decides nothing."""

ELSEWHERE: Final = "elsewhere"
"""The counter-evidence that a project is known by other repositories only."""

DISMISSED: Final = "dismissed"
"""The counter-evidence that a person has said no."""

MOST_CANDIDATES: Final = 10
"""Candidates that a person is shown."""

MOST_COMMITS: Final = 20
"""Commits of an event that are looked up, the newest; a push may name thousands."""

NO_FACTS: Final = GitFacts()

Seen = Mapping[str, Sequence[str]]
"""Projects by the value that was seen in them."""


@frozen(kw_only=True)
class Contender:
    """A project that has something to do with an event, and what.

    Attributes:
        project_id: the host's project.
        match: how it knows the repository, or None.
        commits: those of the event's commits that were seen in it.
        mission: the mission of the event's branch, where this project has it and its name is unique; or empty.
        branch: the event's branch or numbered mission, where no other project has one of that name; or empty.
        elsewhere: whether it is known by other repositories only.
        dismissed: whether a person has said that the repository isn't this project's.
    """

    project_id: str
    match: Match | None = None
    commits: tuple[str, ...] = ()
    mission: str = ""
    branch: str = ""
    elsewhere: bool = False
    dismissed: bool = False

    @property
    def is_open(self) -> bool:
        """Whether it may be the one."""
        return not (self.elsewhere or self.dismissed) and bool(self.match or self.commits or self.mission)

    @property
    def is_strong(self) -> bool:
        """Whether it would decide alone."""
        return self.match is not None and self.match.strength is Strength.STRONG

    @property
    def holds(self) -> bool:
        """Whether there is enough to decide on."""
        weak = self.match is not None and self.match.strength is Strength.WEAK
        return self.is_strong or sum((weak, bool(self.commits), bool(self.mission))) > 1


@frozen(kw_only=True)
class Knowledge:
    """What is known in one workspace of the git repositories that the events of one installation are about.

    Attributes:
        matches: repository → the projects that know it by its names, and how.
        commits: commit → the projects in which it was seen.
        missions: mission → the projects in which it was seen.
        branches: branch → the projects in which it was seen.
        identified: those of these projects that are known by some repository.
        dismissed: repositories, by kind and id, and targets that a person has said no to.
    """

    matches: Mapping[Identity, Matches] = field(factory=dict)
    commits: Seen = field(factory=dict)
    missions: Seen = field(factory=dict)
    branches: Seen = field(factory=dict)
    identified: Set[str] = frozenset()
    dismissed: Set[tuple[str, str, Target]] = frozenset()

    @property
    def targets(self) -> set[Target]:
        """The targets to which any of these events could be inferred to go."""
        named = (*self.matches.values(), *self.commits.values(), *self.missions.values(), *self.branches.values())
        return {Target(kind=PROJECT, id=project) for projects in named for project in projects}

    def contenders(self, resource: ResourceReference, event: Event) -> list[Contender]:
        """Return the projects that have something to do with an event of a repository."""
        facts, matches = facts_of(event), self.matches.get((resource.kind, resource.id), {})
        commits: dict[str, list[str]] = defaultdict(list)
        for commit in facts.commits[:MOST_COMMITS]:
            for project in self.commits.get(commit, ()):
                commits[project].append(commit)
        missions, branches = self._projects_of(facts.branch)
        return [
            Contender(
                project_id=project,
                match=matches.get(project),
                commits=tuple(commits.get(project, ())),
                mission=missions.get(project, ""),
                branch=branches.get(project, ""),
                elsewhere=self._is_elsewhere(matches, project),
                dismissed=(resource.kind, resource.id, Target(kind=PROJECT, id=project)) in self.dismissed,
            )
            for project in sorted({*matches, *commits, *missions, *branches})
        ]

    def _projects_of(self, branch: str) -> tuple[Mapping[str, str], Mapping[str, str]]:
        """Return the projects that have the unique mission of a branch, and the only one that has its name."""
        mission = mission_of(branch)
        if is_unique(mission):
            return dict.fromkeys(self.missions.get(mission, ()), mission), {}
        for name, seen in ((mission, self.missions), (branch, self.branches)):
            if name and len(projects := seen.get(name, ())) == 1:
                return {}, {projects[0]: name}
        return {}, {}

    def _is_elsewhere(self, matches: Matches, project: str) -> bool:
        match = matches.get(project)
        return project in self.identified if match is None else match.elsewhere


def facts_of(event: Event) -> GitFacts:
    """Return the git facts of an event; the branch and the commits of a fork are no evidence."""
    return NO_FACTS if event.git is None or event.git.from_fork else event.git


def infer(resource: ResourceReference, contenders: Iterable[Contender]) -> Conclusion | None:
    """Return where an event of a repository goes, or why it is left to a person; None where nothing is known.

    >>> board = ResourceReference(kind="board", id="b1", key="kitchen/menu")
    >>> infer(board, ()) is None
    True
    >>> infer(board, [Contender(project_id="apollo", commits=("a" * 40,))]).rule
    'low_confidence'
    """
    known = sorted(contenders, key=lambda each: (not each.is_strong, not each.holds, each.project_id))
    if not known:
        return None
    fitting = [each for each in known if each.is_open]
    narrowed = [each for each in fitting if each.mission] if len(fitting) > 1 else fitting
    if len(narrowed) == 1 and narrowed[0].holds:
        return _decided(resource, narrowed[0], known, by_mission=len(fitting) > 1)
    return _abstained(known, AMBIGUOUS if len(fitting) > 1 else LOW_CONFIDENCE)


def _decided(
    resource: ResourceReference, winner: Contender, known: Sequence[Contender], *, by_mission: bool
) -> Conclusion:
    alone = winner.is_strong and not by_mission
    others = [each for each in known if each is not winner]
    lost = [_against(evidence) for each in others[:MOST_CANDIDATES] for evidence in _told(each)]
    target = Target(kind=PROJECT, id=winner.project_id)
    suggestion = Suggestion(
        resource_kind=resource.kind,
        resource_id=resource.id,
        target=target,
        confidence=Confidence.HIGH if alone else Confidence.MEDIUM,
        evidence=(*_told(winner), *_rivals(winner, known)),
    )
    return Conclusion(
        stage=Stage.INFERRED,
        rule=REMOTE if alone else COMMIT if winner.commits and not by_mission else FEATURE,
        targets=(RoutedTarget(target=target, mapping_id=""),),
        evidence=(*_told(winner), *lost),
        finding=Finding(suggestion=suggestion, grounds=_grounds(winner)),
    )


def _abstained(known: Sequence[Contender], reason: str) -> Conclusion:
    shown = known[:MOST_CANDIDATES]
    why = Evidence(rule=reason, text=REVIEW_REASONS[reason], against=True)
    candidates = [
        Candidate(
            target=Target(kind=PROJECT, id=each.project_id),
            confidence=Confidence.MEDIUM if each.holds else Confidence.LOW,
            evidence=(*_told(each), *_rivals(each, known)),
        )
        for each in shown
        if not (each.elsewhere or each.dismissed)
    ]
    return Conclusion(
        stage=Stage.REVIEW,
        rule=reason,
        evidence=(why, *(evidence for each in shown for evidence in _told(each))),
        candidates=tuple(sorted(candidates, key=lambda each: each.confidence, reverse=True)),
    )


def _rivals(contender: Contender, known: Iterable[Contender]) -> list[Evidence]:
    rivals = [each.project_id for each in known if each is not contender and each.is_open][:MOST_RIVALS]
    return [Evidence(rule=RIVAL, text=f"{rival} fits as well", against=True) for rival in rivals]


def _told(contender: Contender) -> Iterator[Evidence]:
    """Yield what is known of a contender, worded for a person."""
    project = contender.project_id
    if contender.match is not None:
        yield from contender.match.evidence
    for commit in contender.commits[:1]:
        yield Evidence(rule=COMMIT, text=f"commit {commit[:12]} was seen in {project}")
    if contender.mission:
        yield Evidence(rule=FEATURE, text=f"the branch is of {project}'s mission {contender.mission}")
    if contender.branch:
        yield Evidence(rule=BRANCH, text=f"{contender.branch} was seen in no project but {project}")
    if contender.elsewhere:
        text = f"{project} is known by other repositories: a fork, or another host's namesake"
        yield Evidence(rule=ELSEWHERE, text=text, against=True)
    if contender.dismissed:
        yield Evidence(rule=DISMISSED, text=f"a person has said that it isn't {project}'s", against=True)


def _against(evidence: Evidence) -> Evidence:
    return Evidence(rule=evidence.rule, text=evidence.text, against=True)


def _grounds(contender: Contender) -> frozenset[str]:
    """Return what speaks for a contender; which commits those were is no matter, or each push would be news."""
    grounds = {COMMIT} if contender.commits else set()
    if contender.mission:
        grounds.add(f"{FEATURE} {contender.mission}")
    return frozenset(grounds | (contender.match.grounds if contender.match else frozenset()))
