"""Makes a mapping of a suggestion, and takes it back; inside the caller's transaction, and audited."""

from __future__ import annotations

from datetime import datetime

from attrs import evolve
from sqlalchemy import Connection

from ..errors import NotFoundError
from ..identifiers import new_id
from ..mappings import repository as mappings
from ..mappings.changes import create, remove
from ..mappings.types import RESOURCE, MappingOrigin, ResourceMapping
from ..providers.suggestions import Confidence, Target
from ..store.audit import record_change
from . import repository as suggestions
from .types import ResourceSuggestion, Source, SuggestionState

SYSTEM = "system"
"""What the audit calls us where a workspace opted in and no person acted."""

MAPPING_REMOVED = "its mapping was removed"
"""Why a suggestion counts as dismissed whose mapping a person removed."""


def adopt(
    connection: Connection,
    suggestion: ResourceSuggestion,
    *,
    actor: str,
    now: datetime,
    target: Target | None = None,
    origin: MappingOrigin = MappingOrigin.SUGGESTED,
) -> ResourceSuggestion:
    """Map the resource to the suggested target, or to another one; return the suggestion as it is now.

    Mapped to another target, the suggestion counts as dismissed: a person has decided otherwise. Where the mapping
    is there already, nothing is written twice.
    """
    chosen = target or suggestion.target
    mapping_id = _mapped(connection, suggestion, chosen) or _map(connection, suggestion, chosen, origin, actor, now)
    otherwise = chosen != suggestion.target
    return decide(
        connection,
        suggestion,
        state=SuggestionState.DISMISSED if otherwise else SuggestionState.CONFIRMED,
        verb="changed" if otherwise else "confirmed",
        mapping_id=mapping_id,
        reason=f"mapped to {chosen} instead" if otherwise else "",
        actor=actor,
        now=now,
    )


def remove_mapping(connection: Connection, suggestion: ResourceSuggestion, *, actor: str, now: datetime) -> None:
    """Remove the mapping that was made of a suggestion, unless it is gone already."""
    try:
        mapping = mappings.get(connection, workspace=suggestion.workspace, mapping_id=suggestion.mapping_id)
    except NotFoundError:
        return
    remove(connection, mapping, "removed", actor=actor, at=now, reason="the suggestion's confirmation was undone")


def turn_down(connection: Connection, mapping: ResourceMapping, actor: str, now: datetime) -> None:
    """Remember that a person removed a mapping, so that nothing suggests or infers the same again by itself.

    It is dismissed without evidence in sight: the first evidence found afterwards counts as known.
    """
    known = suggestions.of_resources(connection, workspace=mapping.workspace, resource_ids=[mapping.resource_id])
    found = next((each for each in known if each.target == mapping.target), None)
    if found is None:
        suggestions.add(connection, _unseen(mapping, actor, now))
    else:
        dismiss(connection, found, actor=actor, now=now, reason=MAPPING_REMOVED)


def dismiss(
    connection: Connection, suggestion: ResourceSuggestion, *, actor: str, now: datetime, reason: str
) -> ResourceSuggestion:
    """Remember that a suggestion is wrong, and why."""
    dismissed = SuggestionState.DISMISSED
    return decide(connection, suggestion, state=dismissed, verb="dismissed", actor=actor, now=now, reason=reason)


def decide(
    connection: Connection,
    suggestion: ResourceSuggestion,
    *,
    state: SuggestionState,
    verb: str,
    actor: str,
    now: datetime,
    mapping_id: str = "",
    reason: str = "",
) -> ResourceSuggestion:
    """Write what was decided of a suggestion, and by whom."""
    decided = evolve(
        suggestion, state=state, mapping_id=mapping_id, decided_by=actor, reason=reason, updated_at=now
    )
    suggestions.save(connection, decided)
    record_change(connection, suggestion, decided, verb, actor=actor, at=now, reason=reason)
    return decided


def _unseen(mapping: ResourceMapping, actor: str, now: datetime) -> ResourceSuggestion:
    return ResourceSuggestion(
        **{name: getattr(mapping, name) for name in RESOURCE},
        id=new_id(),
        target=mapping.target,
        confidence=Confidence.LOW,
        source=Source.INVENTORY,
        state=SuggestionState.DISMISSED,
        decided_by=actor,
        reason=MAPPING_REMOVED,
        created_at=now,
        updated_at=now,
    )


def _mapped(connection: Connection, suggestion: ResourceSuggestion, target: Target) -> str:
    found = mappings.list_all(
        connection, workspace=suggestion.workspace, installation_id=suggestion.installation_id, target=target
    )
    return next((mapping.id for mapping in found if mapping.resource_id == suggestion.resource_id), "")


def _map(
    connection: Connection,
    suggestion: ResourceSuggestion,
    target: Target,
    origin: MappingOrigin,
    actor: str,
    now: datetime,
) -> str:
    mapping = ResourceMapping.of_resource(suggestion, actor=actor, at=now, target=target, origin=origin)
    return create(connection, mapping, actor=actor, at=now).id
