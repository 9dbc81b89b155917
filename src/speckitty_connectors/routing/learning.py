"""What an inferred event teaches: a suggestion, and where the workspace opted in, a mapping."""

from __future__ import annotations

from datetime import datetime

from attrs import evolve
from sqlalchemy import Connection

from ..installations import repository as installations
from ..installations.types import KnownResource
from ..mappings.suggestions_keeping import MAPPED, keep
from ..mappings.suggestions_types import Source
from ..providers.resources import ResourceReference
from .types import Conclusion


def learn(
    connection: Connection,
    conclusion: Conclusion,
    *,
    workspace: str,
    installation_id: str,
    resource: ResourceReference,
    now: datetime,
) -> Conclusion:
    """Keep what an event taught of its resource as a suggestion; where that became a mapping, name it."""
    if conclusion.finding is None:
        return conclusion
    known = _known(connection, workspace, installation_id, resource, now)
    (kept,) = keep(
        connection,
        {(resource.kind, resource.id): known},
        [conclusion.finding],
        workspace=workspace,
        source=Source.EVENT,
        now=now,
    )
    if kept.outcome != MAPPED:
        return conclusion
    mapping_id = kept.suggestion.mapping_id
    return evolve(conclusion, targets=tuple(evolve(routed, mapping_id=mapping_id) for routed in conclusion.targets))


def _known(
    connection: Connection, workspace: str, installation_id: str, resource: ResourceReference, now: datetime
) -> KnownResource:
    """Return the event's resource; a verified delivery says that it is there, where no listing has yet."""
    scope = {"workspace": workspace, "installation_id": installation_id}
    known = installations.find_resource(connection, **scope, kind=resource.kind, external_id=resource.id)
    if known is not None:
        return known
    installations.note_references(
        connection, workspace=workspace, installation_id=installation_id, references=[resource], at=now
    )
    return _known(connection, workspace, installation_id, resource, now)
