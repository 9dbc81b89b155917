"""Suggestions as they are stored, and what becomes of one when evidence is found again; pure."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import ClassVar

from attrs import evolve, frozen

from ..providers.suggestions import Confidence, Evidence, Suggestion, Target


class SuggestionState(StrEnum):
    """What people decided about a suggestion."""

    OPEN = "open"
    CONFIRMED = "confirmed"
    DISMISSED = "dismissed"


class Source(StrEnum):
    """What raised a suggestion: a look at the whole inventory, or an event that was routed by inference."""

    INVENTORY = "inventory"
    EVENT = "event"


@frozen(kw_only=True)
class Finding:
    """A suggestion, and what speaks for it in a form that no rename changes.

    Attributes:
        suggestion: the resource, the target and the evidence in words.
        grounds: what was seen, for example ``remote https://github.com/octo-org/hello``.
    """

    suggestion: Suggestion
    grounds: frozenset[str]


@frozen(kw_only=True)
class ResourceSuggestion:
    """A resource that probably belongs to a target, and what people decided.

    Attributes:
        workspace: the host's workspace.
        id: our id.
        installation_id: the installation that the resource is seen through.
        resource_id: our id of the resource.
        resource_kind: its kind.
        resource_external_id: the provider's immutable id of it.
        resource_key: its display key of today.
        target: where its events would go.
        confidence: how sure the evidence makes it.
        state: what people decided about it.
        source: what raised it.
        evidence: what speaks for and against it, worded for a person.
        grounds: what speaks for it, in a form that no rename changes.
        mapping_id: the mapping that was made of it, or empty.
        decided_by: who confirmed, changed, dismissed or took that back, as the audit names them; or empty.
        reason: why it was dismissed, for a person; or empty.
        created_at: when it was first raised, in UTC.
        updated_at: when it last changed, in UTC.

    >>> from datetime import UTC, datetime
    >>> moment = datetime(2026, 1, 2, tzinfo=UTC)
    >>> suggestion = ResourceSuggestion(
    ...     workspace="w1", id="s1", installation_id="i1", resource_id="r1", resource_kind="board",
    ...     resource_external_id="9", resource_key="plans", target=Target(kind="project", id="apollo"),
    ...     confidence=Confidence.HIGH, source=Source.INVENTORY, created_at=moment, updated_at=moment)
    >>> suggestion.state.value, str(suggestion.target)
    ('open', 'project:apollo')
    """

    entity: ClassVar[str] = "suggestion"

    workspace: str
    id: str
    installation_id: str
    resource_id: str
    resource_kind: str
    resource_external_id: str
    resource_key: str
    target: Target
    confidence: Confidence
    source: Source
    created_at: datetime
    updated_at: datetime
    state: SuggestionState = SuggestionState.OPEN
    evidence: tuple[Evidence, ...] = ()
    grounds: frozenset[str] = frozenset()
    mapping_id: str = ""
    decided_by: str = ""
    reason: str = ""

    def audited(self) -> dict[str, object]:
        """Return what an entry of the audit shows of it."""
        return {"state": self.state, "mapping": self.mapping_id}


def found_again(known: ResourceSuggestion, finding: Finding, source: Source, now: datetime) -> ResourceSuggestion:
    """Return a suggestion as it is after its evidence was found again; equal to `known` where nothing changes.

    - Confirmed stays confirmed.
    - Dismissed stays dismissed until something speaks for it that didn't when it was dismissed. What a person
      dismissed without evidence in sight learns its grounds from the first finding.
    - Open takes the new evidence, but a look at the inventory doesn't take away what an event has shown.
    """
    fresh = finding.grounds - known.grounds
    if known.state is SuggestionState.CONFIRMED:
        return known
    if known.state is SuggestionState.DISMISSED:
        if not known.grounds:
            return evolve(known, grounds=finding.grounds)
        if not fresh:
            return known
        return evolve(_with(known, finding, source, now), state=SuggestionState.OPEN, mapping_id="", reason="")
    if known.source is Source.EVENT and source is Source.INVENTORY and not fresh:
        return known
    return _with(known, finding, source, now)


def _with(known: ResourceSuggestion, finding: Finding, source: Source, now: datetime) -> ResourceSuggestion:
    """Return an open suggestion with new evidence."""
    changed = evolve(
        known,
        confidence=finding.suggestion.confidence,
        evidence=finding.suggestion.evidence,
        grounds=finding.grounds | (known.grounds if known.source is Source.EVENT else frozenset()),
        source=Source.EVENT if Source.EVENT in {known.source, source} else source,
    )
    return changed if changed == known else evolve(changed, updated_at=now)
