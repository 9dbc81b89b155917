"""What an inferred event teaches: a suggestion, and where the workspace opted in, a mapping."""

from __future__ import annotations

from datetime import datetime

from attrs import evolve
from sqlalchemy import Connection

from ..installations import repository as installations
from ..installations.types import KnownResource
from ..mappings.suggestions_keeping import MAPPED, keep
from ..mappings.suggestions_types import Finding, Source
from .rulings import Ruling


def learn(connection: Connection, ruling: Ruling, now: datetime) -> Ruling:
    """Keep what a ruling found as a suggestion; where that became a mapping, the ruling names it."""
    finding = ruling.conclusion.finding
    if finding is None:
        return ruling
    resource = _resource(connection, ruling, finding, now)
    (kept,) = keep(
        connection,
        {(resource.kind, resource.external_id): resource},
        [finding],
        workspace=ruling.workspace,
        source=Source.EVENT,
        now=now,
    )
    if kept.outcome != MAPPED:
        return ruling
    targets = tuple(evolve(routed, mapping_id=kept.suggestion.mapping_id) for routed in ruling.conclusion.targets)
    return evolve(ruling, conclusion=evolve(ruling.conclusion, targets=targets))


def _resource(connection: Connection, ruling: Ruling, finding: Finding, now: datetime) -> KnownResource:
    """Return the event's repository; a verified delivery says that it is there, where no listing has yet."""
    identity = {
        "workspace": ruling.workspace,
        "installation_id": ruling.installation_id,
        "kind": finding.suggestion.resource_kind,
        "external_id": finding.suggestion.resource_id,
    }
    known = installations.find_resource(connection, **identity)
    if known is None:
        installations.note_references(
            connection,
            workspace=ruling.workspace,
            installation_id=ruling.installation_id,
            references=[ruling.subject],
            at=now,
        )
        known = installations.find_resource(connection, **identity)
    assert known is not None  # noqa: S101 - it was written a line above
    return known
