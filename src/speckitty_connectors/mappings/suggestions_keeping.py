"""Keeps findings as suggestions: new ones are raised, open ones follow their evidence, decided ones stay so."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Final

from attrs import frozen
from sqlalchemy import Connection

from ..identifiers import new_id
from ..installations.types import KnownResource
from ..providers.suggestions import Confidence, Target
from . import suggestions_repository as repository
from .suggestions_adoption import SYSTEM, adopt
from .suggestions_names import Identity
from .suggestions_types import Finding, ResourceSuggestion, Source, SuggestionState, found_again
from .types import Origin

RAISED: Final = "raised"
CHANGED: Final = "changed"
KEPT: Final = "kept"
MAPPED: Final = "mapped"


@frozen(kw_only=True)
class Kept:
    """What became of a finding.

    Attributes:
        suggestion: as it is stored now.
        outcome: `RAISED`, `CHANGED`, `KEPT`, or `MAPPED` where the workspace's opt-in made a mapping of it.
    """

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
    """Write findings, and return what became of each.

    Where the workspace opted in, what is found with high confidence is mapped at once, unless a person has ever
    decided on it.

    Raises:
        sqlalchemy.exc.IntegrityError: another process raised one of them meanwhile; do it again.
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
    adopted = adopt(connection, kept.suggestion, actor=SYSTEM, now=now, origin=Origin.AUTOMATIC)
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
