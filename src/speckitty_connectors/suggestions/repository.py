"""Reads and writes suggestions; every function is bound to one workspace."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from datetime import datetime

from sqlalchemy import Connection, Row, Select, and_, case, delete, insert, select, update

from ..errors import NotFoundError
from ..identifiers import InstallationKey
from ..providers.codec import converter
from ..providers.suggestions import Confidence, Evidence, Target
from ..resources.tables import resources
from ..store.rows import from_row, is_row, is_under
from .tables import suggestion_settings, suggestions
from .types import ResourceSuggestion, Source, SuggestionState


def add(connection: Connection, suggestion: ResourceSuggestion) -> None:
    """Write a new suggestion; see `add_all`."""
    add_all(connection, [suggestion])


def add_all(connection: Connection, new: Iterable[ResourceSuggestion]) -> None:
    """Write new suggestions.

    Raises:
        sqlalchemy.exc.IntegrityError: there is one of that resource and target, or the resource isn't the
            installation's in this workspace.
    """
    rows = [
        {
            "workspace_id": suggestion.workspace,
            "id": suggestion.id,
            "installation_id": suggestion.installation_id,
            "resource_id": suggestion.resource_id,
            "target_kind": suggestion.target.kind,
            "target_id": suggestion.target.id,
            "created_at": suggestion.created_at,
            "found_at": suggestion.updated_at,
            **_said(suggestion),
        }
        for suggestion in new
    ]
    if rows:
        connection.execute(insert(suggestions), rows)


def save(connection: Connection, suggestion: ResourceSuggestion) -> None:
    """Write a changed suggestion back."""
    connection.execute(
        update(suggestions)
        .where(is_row(suggestions, suggestion.workspace, suggestion.id))
        .values(_said(suggestion))
    )


def mark_found(connection: Connection, *, workspace: str, ids: Collection[str], at: datetime) -> None:
    """Remember that the evidence of suggestions was found at a moment."""
    if ids:
        connection.execute(
            update(suggestions)
            .where(suggestions.c.workspace_id == workspace, suggestions.c.id.in_(ids))
            .values(found_at=at)
        )


def get(connection: Connection, *, workspace: str, suggestion_id: str) -> ResourceSuggestion:
    """Return the suggestion of that id; locked on a database that locks rows."""
    query = _of(workspace).where(suggestions.c.id == suggestion_id).with_for_update(of=suggestions)
    row = connection.execute(query).one_or_none()
    if row is None:
        raise NotFoundError.of("suggestion", suggestion_id)
    return _suggestion(row)


def list_all(
    connection: Connection,
    *,
    workspace: str,
    installation_id: str | None = None,
    state: SuggestionState | None = None,
    public_only: Collection[str] = (),
    limit: int,
) -> list[ResourceSuggestion]:
    """Return suggestions, the surest first; under `public_only` installations none of private resources."""
    places = {word.value: place for place, word in enumerate(sorted(Confidence, reverse=True))}
    surest = case(places, value=suggestions.c.confidence)
    query = _of(workspace).order_by(surest, resources.c.key, suggestions.c.target_id, suggestions.c.id).limit(limit)
    if installation_id is not None:
        query = query.where(suggestions.c.installation_id == installation_id)
    if state is not None:
        query = query.where(suggestions.c.state == state)
    if public_only:
        query = query.where(suggestions.c.installation_id.not_in(public_only) | resources.c.private.is_(False))
    return [_suggestion(row) for row in connection.execute(query)]


def of_resources(
    connection: Connection, *, workspace: str, resource_ids: Collection[str]
) -> list[ResourceSuggestion]:
    """Return every suggestion of some resources, whatever its state; the ids are ours."""
    query = _of(workspace).where(suggestions.c.resource_id.in_(resource_ids)).order_by(suggestions.c.id)
    return [_suggestion(row) for row in connection.execute(query)]


def dismissed(
    connection: Connection, installation: InstallationKey, *, external_ids: Iterable[str]
) -> set[tuple[str, str, Target]]:
    """Return the dismissed pairs of some resources: kind and external id of the resource, and the target."""
    rows = connection.execute(
        _of(installation.workspace).where(
            is_under(suggestions, installation),
            suggestions.c.state == SuggestionState.DISMISSED,
            resources.c.external_id.in_(list(external_ids)),
        )
    )
    return {
        (row.resource_kind, row.resource_external_id, Target(kind=row.target_kind, id=row.target_id))
        for row in rows
    }


def close_unfound(connection: Connection, installation: InstallationKey, *, since: datetime) -> int:
    """Close the open suggestions of an inventory whose evidence a look since a moment didn't find any more."""
    closed = connection.execute(
        delete(suggestions).where(
            is_under(suggestions, installation),
            suggestions.c.state == SuggestionState.OPEN,
            suggestions.c.source == Source.INVENTORY,
            suggestions.c.found_at < since,
        )
    )
    return closed.rowcount


def is_automatic(connection: Connection, *, workspace: str) -> bool:
    """Return whether the workspace wants suggestions of high confidence to become mappings by themselves."""
    return bool(
        connection.scalar(
            select(suggestion_settings.c.automatic).where(suggestion_settings.c.workspace_id == workspace)
        )
    )


def set_automatic(connection: Connection, *, workspace: str, automatic: bool, actor: str, at: datetime) -> None:
    """Write whether the workspace wants that."""
    values = {"automatic": automatic, "changed_by": actor, "changed_at": at}
    changed = connection.execute(
        update(suggestion_settings).where(suggestion_settings.c.workspace_id == workspace).values(values)
    )
    if not changed.rowcount:
        connection.execute(insert(suggestion_settings).values(workspace_id=workspace, **values))


def _of(workspace: str) -> Select[tuple[object, ...]]:
    """Return the suggestions of a workspace, each with what its resource is called."""
    same_resource = and_(
        resources.c.workspace_id == suggestions.c.workspace_id, resources.c.id == suggestions.c.resource_id
    )
    return (
        select(
            suggestions,
            resources.c.kind.label("resource_kind"),
            resources.c.external_id.label("resource_external_id"),
            resources.c.key.label("resource_key"),
        )
        .join(resources, same_resource)
        .where(suggestions.c.workspace_id == workspace)
    )


def _said(suggestion: ResourceSuggestion) -> dict[str, object]:
    return {
        "confidence": suggestion.confidence,
        "state": suggestion.state,
        "source": suggestion.source,
        "evidence": converter.unstructure(suggestion.evidence),
        "grounds": sorted(suggestion.grounds),
        "mapping_id": suggestion.mapping_id,
        "decided_by": suggestion.decided_by,
        "reason": suggestion.reason,
        "updated_at": suggestion.updated_at,
    }


def _suggestion(row: Row[tuple[object, ...]]) -> ResourceSuggestion:
    return from_row(
        ResourceSuggestion,
        row,
        target=Target(kind=row.target_kind, id=row.target_id),
        confidence=Confidence(row.confidence),
        state=SuggestionState(row.state),
        source=Source(row.source),
        evidence=converter.structure(row.evidence, tuple[Evidence, ...]),
        grounds=frozenset(row.grounds),
    )
