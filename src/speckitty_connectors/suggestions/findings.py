"""Keeps findings as suggestions: new ones are raised, open ones follow their evidence, decided ones stay so."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Final

from attrs import frozen
from sqlalchemy import Connection

from ..identifiers import new_id
from ..mappings.types import MappingOrigin
from ..providers.suggestions import Confidence, Evidence, Signal, Suggestion, Target
from ..resources.types import KnownResource
from ..signals.observations import SignalKind
from ..signals.repository import Sighting
from . import repository
from .decisions import SYSTEM, adopt
from .matching import Match, Matches, Strength
from .repository_names import Identity
from .types import Finding, ResourceSuggestion, Source, SuggestionState, found_again

PROJECT: Final = "project"
"""The kind of target that signals are from."""

RIVAL: Final = "rival"
"""The counter-evidence that another project fits as well."""

MOST_RIVALS: Final = 5
"""Rivals that a suggestion names one by one."""


@frozen(kw_only=True)
class _Fit:
    confidence: Confidence
    evidence: tuple[Evidence, ...]
    grounds: frozenset[str]


def findings_of(
    resource: Identity, *, git: bool, matches: Matches, proposed: Iterable[Suggestion], plugin: str
) -> list[Finding]:
    """Return a finding for each project that a resource fits, the surest first; pure.

    Of a git repository, what core has seen says how sure it is, and what only the plugin has seen is medium at
    most. Where several projects fit, none is more than medium: a person chooses.
    """
    fits = {project: _of_match(match) for project, match in matches.items() if not match.elsewhere}
    for suggestion in proposed:
        project = suggestion.target.id
        fits[project] = _with_proposal(fits.get(project), suggestion, git=git, plugin=plugin)
    found = [_finding(resource, project, fits) for project in sorted(fits)]
    return sorted(found, key=lambda each: each.suggestion.confidence, reverse=True)


def as_signals(sightings: Iterable[Sighting]) -> tuple[Signal, ...]:
    """Return what was seen as a plugin is given it."""
    return tuple(map(_as_signal, sightings))


def by_resource(proposed: Sequence[Suggestion]) -> Mapping[Identity, list[Suggestion]]:
    """Return what a plugin suggests, by resource."""
    grouped: dict[Identity, list[Suggestion]] = defaultdict(list)
    for suggestion in proposed:
        grouped[suggestion.resource_kind, suggestion.resource_id].append(suggestion)
    return grouped


def _as_signal(sighting: Sighting) -> Signal:
    project_id, label, observed_at = sighting.project_id, sighting.label, sighting.last_seen
    if sighting.kind is SignalKind.REMOTE:
        return Signal(project_id=project_id, remote_url=label, observed_at=observed_at)
    if sighting.kind is SignalKind.SLUG:
        return Signal(project_id=project_id, repo_slug=label, observed_at=observed_at)
    return Signal(project_id=project_id, feature_slugs=(label,), observed_at=observed_at)


def _finding(resource: Identity, project: str, fits: Mapping[str, _Fit]) -> Finding:
    limit = Confidence.HIGH if len(fits) == 1 else Confidence.MEDIUM
    suggestion = Suggestion(
        resource_kind=resource[0],
        resource_id=resource[1],
        target=Target(kind=PROJECT, id=project),
        confidence=min(fits[project].confidence, limit),
        evidence=(*fits[project].evidence, *_rivals(project, fits)),
    )
    return Finding(suggestion=suggestion, grounds=fits[project].grounds)


def _of_match(match: Match) -> _Fit:
    confidence = Confidence.HIGH if match.strength is Strength.STRONG else Confidence.LOW
    return _Fit(confidence=confidence, evidence=match.evidence, grounds=match.grounds)


def _with_proposal(known: _Fit | None, suggestion: Suggestion, *, git: bool, plugin: str) -> _Fit:
    if known is not None:
        evidence = tuple(dict.fromkeys([*known.evidence, *suggestion.evidence]))
        return _Fit(confidence=known.confidence, evidence=evidence, grounds=known.grounds)
    rules = {evidence.rule for evidence in suggestion.evidence if not evidence.against}
    return _Fit(
        confidence=min(suggestion.confidence, Confidence.MEDIUM) if git else suggestion.confidence,
        evidence=suggestion.evidence,
        grounds=frozenset(f"{plugin} {rule}" for rule in rules or {"suggestion"}),
    )


def _rivals(project: str, fits: Iterable[str]) -> Iterator[Evidence]:
    others = sorted(other for other in fits if other != project)
    for other in others[:MOST_RIVALS]:
        yield Evidence(rule=RIVAL, text=f"{other} fits as well", against=True)
    if len(others) > MOST_RIVALS:
        text = f"{len(others) - MOST_RIVALS} more projects fit as well"
        yield Evidence(rule=RIVAL, text=text, against=True)


RAISED, CHANGED, KEPT, MAPPED = "raised", "changed", "kept", "mapped"
"""What becomes of a finding; it is mapped where the workspace opted in."""


@frozen(kw_only=True)
class Kept:
    """A finding as it is stored now, and what became of it."""

    suggestion: ResourceSuggestion
    outcome: str


def keep(
    connection: Connection,
    resources: Mapping[Identity, KnownResource],
    findings: Sequence[Finding],
    *,
    workspace: str,
    source: Source,
    now: datetime,
) -> list[Kept]:
    """Write findings, and return what became of each; do it again after an IntegrityError.

    Where the workspace opted in, what is found with high confidence is mapped at once, unless a person has ever
    decided on it.
    """
    ids = [resource.id for resource in resources.values()]
    known = {
        (each.resource_id, each.target): each
        for each in repository.of_resources(connection, workspace=workspace, resource_ids=ids)
    }
    kept = [_kept(resources[_identity(finding)], finding, known, source, now) for finding in findings]
    repository.add_all(connection, [each.suggestion for each in kept if each.outcome == RAISED])
    for each in kept:
        if each.outcome == CHANGED:
            repository.save(connection, each.suggestion)
    found = [each.suggestion.id for each in kept if each.outcome != RAISED]
    repository.mark_found(connection, workspace=workspace, ids=found, at=now)
    if kept and repository.is_automatic(connection, workspace=workspace):
        return [_mapped(connection, each, now) for each in kept]
    return kept


def _kept(
    resource: KnownResource,
    finding: Finding,
    known: Mapping[tuple[str, Target], ResourceSuggestion],
    source: Source,
    now: datetime,
) -> Kept:
    before = known.get((resource.id, finding.suggestion.target))
    if before is None:
        return Kept(suggestion=_new(resource, finding, source, now), outcome=RAISED)
    suggestion = found_again(before, finding, source, now)
    return Kept(suggestion=suggestion, outcome=KEPT if suggestion == before else CHANGED)


def _mapped(connection: Connection, kept: Kept, now: datetime) -> Kept:
    """Map what is certain, and what nobody has decided on."""
    if not _is_certain(kept.suggestion):
        return kept
    adopted = adopt(connection, kept.suggestion, actor=SYSTEM, now=now, origin=MappingOrigin.AUTOMATIC)
    return Kept(suggestion=adopted, outcome=MAPPED)


def _is_certain(suggestion: ResourceSuggestion) -> bool:
    untouched = suggestion.state is SuggestionState.OPEN and not suggestion.decided_by
    return untouched and suggestion.confidence is Confidence.HIGH


def _new(resource: KnownResource, finding: Finding, source: Source, now: datetime) -> ResourceSuggestion:
    return ResourceSuggestion(
        workspace=resource.workspace,
        id=new_id(),
        installation_id=resource.installation_id,
        resource_id=resource.id,
        resource_kind=resource.kind,
        resource_external_id=resource.external_id,
        resource_key=resource.key,
        target=finding.suggestion.target,
        confidence=finding.suggestion.confidence,
        source=source,
        evidence=finding.suggestion.evidence,
        grounds=finding.grounds,
        created_at=now,
        updated_at=now,
    )


def _identity(finding: Finding) -> Identity:
    return finding.suggestion.resource_kind, finding.suggestion.resource_id
