"""Loads what inference needs for a batch of events, with a few queries per installation; writes nothing."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence, Set
from datetime import UTC, datetime
from typing import Final

from attrs import frozen
from sqlalchemy import Connection

from ..providers.deliveries import GitFacts
from ..providers.resources import ResourceReference
from ..providers.suggestions import Target
from ..signals import repository as signals
from ..signals.observations import LONGEST_VALUE, SignalKind
from ..signals.spec_kitty_names import is_unique, mission_of
from ..suggestions import repository as suggestions
from ..suggestions.findings import PROJECT
from ..suggestions.matching import Matches, find_matches
from ..suggestions.repository_names import Identity
from .cases import Case, PreparedStage
from .inference import Contender, infer
from .types import Conclusion

MOST_COMMITS: Final = 20
"""Commits of an event that are looked up, the newest; a push may name thousands."""

UNKNOWN_MOMENT: Final = datetime.max.replace(tzinfo=UTC)
"""When a name is borne since an event that has no time: later than anything that was seen of it."""

NO_FACTS: Final = GitFacts()

Seen = Mapping[str, Sequence[str]]
"""Projects by the value that was seen in them."""


@frozen(kw_only=True)
class _Knowledge:
    """What is known in one workspace of the events of one installation."""

    matches: Mapping[Identity, Matches]
    commits: Seen
    missions: Seen
    branches: Seen
    identified: Set[str]
    dismissed: Set[tuple[str, str, Target]]

    def contenders(self, resource: ResourceReference, facts: GitFacts) -> list[Contender]:
        """Return the projects that have something to do with an event."""
        matches = self.matches.get((resource.kind, resource.id), {})
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


def inference(connection: Connection, cases: Sequence[Case]) -> PreparedStage:
    """Prepare the stage of git inference, for events whose most specific resource is one git repository.

    The branch and the commits of a fork are no evidence: only the repository's own name is looked at.
    """
    grouped: dict[str, list[Case]] = defaultdict(list)
    for case in cases:
        if _repository(case) is not None:
            grouped[case.installation.id].append(case)
    known = {installation_id: _load(connection, group) for installation_id, group in grouped.items()}

    def decide(case: Case) -> Conclusion | None:
        resource = _repository(case)
        if resource is None:
            return None
        return infer(resource, known[case.installation.id].contenders(resource, _facts(case)))

    return decide


def _repository(case: Case) -> ResourceReference | None:
    """Return the one git repository that an event is most specifically about, or None."""
    resource = case.subject
    git = {kind.name for kind in case.manifest.resource_kinds if kind.git}
    peers = {each.id for each in case.event.resources if each.kind == resource.kind}
    return resource if resource.kind in git and len(peers) == 1 else None


def _facts(case: Case) -> GitFacts:
    facts = case.event.git
    return NO_FACTS if facts is None or facts.from_fork else facts


def _load(connection: Connection, cases: Sequence[Case]) -> _Knowledge:
    installation, manifest = cases[0].installation, cases[0].manifest
    workspace, facts = installation.workspace, [_facts(case) for case in cases]
    called = _called(cases)
    found = find_matches(connection, installation, manifest, called)
    branches = {each.branch for each in facts if 0 < len(each.branch) <= LONGEST_VALUE}
    commits = {commit for each in facts for commit in each.commits[:MOST_COMMITS]}
    by_commit = _seen(connection, workspace, SignalKind.COMMIT, commits)
    by_mission = _seen(connection, workspace, SignalKind.FEATURE, {*map(mission_of, branches)} - {""})
    by_branch = _seen(connection, workspace, SignalKind.BRANCH, branches)
    projects = {each for seen in (by_commit, by_mission, by_branch) for some in seen.values() for each in some}
    return _Knowledge(
        matches=found.matches,
        commits=by_commit,
        missions=by_mission,
        branches=by_branch,
        identified=set(
            signals.kinds_seen(
                connection, workspace=workspace, projects=projects, kinds=[SignalKind.REMOTE, SignalKind.SLUG]
            )
        ),
        dismissed=suggestions.dismissed(
            connection,
            installation,
            external_ids={external_id for _, external_id in called},
        ),
    )


def _called(cases: Sequence[Case]) -> Mapping[Identity, tuple[str, datetime]]:
    """Return what the events call each repository; the latest of them knows best."""
    called: dict[Identity, tuple[str, datetime]] = {}
    for case in cases:
        resource = _repository(case)
        if resource is not None:
            at = case.event.occurred_at or UNKNOWN_MOMENT
            known = called.get((resource.kind, resource.id))
            if known is None or at >= known[1]:
                called[resource.kind, resource.id] = (resource.key, at)
    return called


def _seen(connection: Connection, workspace: str, kind: SignalKind, values: Set[str]) -> Seen:
    seen: dict[str, list[str]] = defaultdict(list)
    for sighting in signals.find(connection, workspace=workspace, kind=kind, values=values):
        seen[sighting.value].append(sighting.project_id)
    return seen
