"""Loads what inference needs for a batch of events, with a few queries an installation; writes nothing."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence, Set
from datetime import UTC, datetime
from typing import Final

from sqlalchemy import Connection

from ..providers.deliveries import Event
from ..providers.resources import ResourceReference
from ..signals import repository as signals
from ..signals.observations import LONGEST_VALUE, SignalKind
from ..signals.spec_kitty_names import mission_of
from ..suggestions import repository as suggestions
from ..suggestions.matching import find_matches
from ..suggestions.repository_names import Identity
from .batch import Case
from .inference import MOST_COMMITS, Knowledge, Seen, facts_of
from .types import InstallationId

UNKNOWN_MOMENT: Final = datetime.max.replace(tzinfo=UTC)
"""When a name is borne since an event that has no time: later than anything that was seen of it."""


def load_knowledge(connection: Connection, cases: Iterable[Case]) -> Mapping[InstallationId, Knowledge]:
    """Return what is known of the git repositories that events are about, by installation."""
    grouped: dict[InstallationId, list[tuple[Case, ResourceReference]]] = defaultdict(list)
    for case in cases:
        if case.repository is not None:
            grouped[case.key].append((case, case.repository))
    return {key: _load(connection, group) for key, group in grouped.items()}


def _load(connection: Connection, about: Sequence[tuple[Case, ResourceReference]]) -> Knowledge:
    (first, _), events = about[0], [case.event for case, _ in about if case.event is not None]
    installation = first.installation
    if installation is None:
        return Knowledge()
    workspace, facts = installation.workspace, [facts_of(event) for event in events]
    called = _called(zip(events, (resource for _, resource in about), strict=True))
    found = find_matches(connection, installation, first.manifest, called)
    branches = {each.branch for each in facts if 0 < len(each.branch) <= LONGEST_VALUE}
    commits = {commit for each in facts for commit in each.commits[:MOST_COMMITS]}
    by_commit = _seen(connection, workspace, SignalKind.COMMIT, commits)
    by_mission = _seen(connection, workspace, SignalKind.FEATURE, {*map(mission_of, branches)} - {""})
    by_branch = _seen(connection, workspace, SignalKind.BRANCH, branches)
    projects = {each for seen in (by_commit, by_mission, by_branch) for some in seen.values() for each in some}
    return Knowledge(
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
            connection, installation, external_ids={external_id for _, external_id in called}
        ),
    )


def _called(about: Iterable[tuple[Event, ResourceReference]]) -> Mapping[Identity, tuple[str, datetime]]:
    """Return what the events call each repository; the latest of them knows best."""
    called: dict[Identity, tuple[str, datetime]] = {}
    for event, resource in about:
        at = event.occurred_at or UNKNOWN_MOMENT
        known = called.get((resource.kind, resource.id))
        if known is None or at >= known[1]:
            called[resource.kind, resource.id] = (resource.key, at)
    return called


def _seen(connection: Connection, workspace: str, kind: SignalKind, values: Set[str]) -> Seen:
    seen: dict[str, list[str]] = defaultdict(list)
    for sighting in signals.find(connection, workspace=workspace, kind=kind, values=values):
        seen[sighting.value].append(sighting.project_id)
    return seen
