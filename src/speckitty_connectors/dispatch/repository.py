"""Reads dispatches with what their handlers need, and ends those that lost their authority."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Connection, and_, bindparam, select, update

from ..errors import NotFoundError
from ..identifiers import InstallationKey
from ..inbox.tables import inbox
from ..installations.statuses import InstallationStatus
from ..installations.tables import installations
from ..loading.registry import Registry
from ..mappings.tables import resource_mappings
from ..mappings.types import Direction, MappingState
from ..policy.repository import effective
from ..providers.codec import outcome_from
from ..providers.deliveries import Event
from ..providers.suggestions import Target
from ..routing.batch import RECEIVING
from ..routing.decide import project_of
from ..routing.tables import decisions, dispatches
from ..store.claims import PENDING, Claim
from ..suggestions import repository as suggestions
from .handlers import Dispatch

REVOKED = "revoked"
"""The state of a dispatch whose installation or mapping ended before it was handed over."""

ROUTING = frozenset({MappingState.ACTIVE, MappingState.DEGRADED})
"""The states of a mapping over which events still go to its target."""


def load(connection: Connection, claim: Claim, registry: Registry) -> Dispatch:
    """Return the dispatch of a claim, with the policy as it is now.

    Raises:
        NotFoundError: its decision, or the event that it tells of, isn't there.
    """
    row = connection.execute(_DISPATCH, {"workspace": claim.workspace, "dispatch": claim.id}).one_or_none()
    event = outcome_from(row.outcome) if row else None
    if row is None or not isinstance(event, Event):
        raise NotFoundError("there is no event to hand over", subject=f"dispatch {claim.id}")
    target = Target(kind=row.target_kind, id=row.target_id)
    return Dispatch(
        id=row.id,
        workspace=row.workspace_id,
        provider=row.provider,
        host=row.host,
        installation_id=row.installation_id,
        event_id=row.inbox_id,
        decision_id=row.decision_id,
        mapping_id=row.mapping_id,
        event=event,
        target=target,
        policy=effective(
            connection,
            registry,
            InstallationKey(workspace=row.workspace_id, id=row.installation_id),
            provider=row.provider,
            project_id=project_of(target),
        ),
        effect_key=row.effect_key,
        attempt=claim.attempts,
    )


def find_waiting(connection: Connection, workspace: str, inbox_id: str) -> list[tuple[str, str]]:
    """Return workspace and id of each dispatch of a delivery that nobody has handed over."""
    found = (
        select(dispatches.c.workspace_id, dispatches.c.id)
        .join(
            decisions,
            and_(decisions.c.workspace_id == dispatches.c.workspace_id, decisions.c.id == dispatches.c.decision_id),
        )
        .join(inbox, inbox.c.id == decisions.c.inbox_id)
        .where(inbox.c.workspace_id == workspace, decisions.c.inbox_id == inbox_id, dispatches.c.state == PENDING)
        .order_by(dispatches.c.id)
    )
    return [(row.workspace_id, row.id) for row in connection.execute(found)]


def revocation(connection: Connection, dispatch: Dispatch) -> str:
    """Return why a dispatch may no longer be handed over, or empty where it may.

    What it looks at of installation and mapping stays as it is until the transaction ends: who disconnects in the
    meantime waits, and has no effect behind their back afterwards.
    """
    if dispatch.policy.core.mutes(dispatch.event):
        return f"its target doesn't want it any more: {dispatch.policy.why('muted_kinds')}"
    if dispatch.mapping_id:
        return _revocation_of_mapped(connection, dispatch)
    return _revocation_of_inferred(connection, dispatch)


def revoke(connection: Connection, claim: Claim, *, reason: str, now: datetime) -> None:
    """End a dispatch that is held without handing it over."""
    connection.execute(
        update(dispatches)
        .where(
            dispatches.c.workspace_id == claim.workspace,
            dispatches.c.id == claim.id,
            dispatches.c.generation == claim.generation,
        )
        .values(state=REVOKED, last_error=reason, finished_at=now)
    )


def _revocation_of_mapped(connection: Connection, dispatch: Dispatch) -> str:
    """Return why what a mapping says may no longer be handed over."""
    row = connection.execute(
        select(
            installations.c.status,
            resource_mappings.c.state,
            resource_mappings.c.direction,
            resource_mappings.c.target_kind,
            resource_mappings.c.target_id,
        )
        .join(
            resource_mappings,
            and_(
                resource_mappings.c.workspace_id == installations.c.workspace_id,
                resource_mappings.c.installation_id == installations.c.id,
            ),
        )
        .where(
            resource_mappings.c.workspace_id == dispatch.workspace,
            resource_mappings.c.id == dispatch.mapping_id,
        )
        .with_for_update(read=True)
    ).one_or_none()
    if row is None:
        return "the mapping was removed"
    if InstallationStatus(row.status) not in RECEIVING:
        return f"the installation is {row.status}"
    if Direction(row.direction) is Direction.OUT:
        return "the mapping leads outwards only"
    if Target(kind=row.target_kind, id=row.target_id) != dispatch.target:
        return "the mapping leads to another target now"
    return "" if MappingState(row.state) in ROUTING else f"the mapping is {row.state}"


def _revocation_of_inferred(connection: Connection, dispatch: Dispatch) -> str:
    """Return why what was inferred, and has no mapping, may no longer be handed over."""
    status = connection.execute(
        select(installations.c.status)
        .where(installations.c.workspace_id == dispatch.workspace, installations.c.id == dispatch.installation_id)
        .with_for_update(read=True)
    ).scalar_one()
    if InstallationStatus(status) not in RECEIVING:
        return f"the installation is {status}"
    dismissed = suggestions.dismissed(
        connection,
        InstallationKey.of(dispatch),
        external_ids={resource.id for resource in dispatch.event.resources},
    )
    pairs = {(resource.kind, resource.id, dispatch.target) for resource in dispatch.event.resources}
    return "a person has dismissed what it was inferred from" if pairs & dismissed else ""


_DISPATCH = (
    select(dispatches, decisions.c.inbox_id, decisions.c.outcome, decisions.c.installation_id)
    .add_columns(installations.c.provider, installations.c.host)
    .join(
        decisions,
        and_(
            decisions.c.workspace_id == dispatches.c.workspace_id,
            decisions.c.id == dispatches.c.decision_id,
        ),
    )
    .join(
        installations,
        and_(
            installations.c.workspace_id == decisions.c.workspace_id,
            installations.c.id == decisions.c.installation_id,
        ),
    )
    .where(dispatches.c.workspace_id == bindparam("workspace"), dispatches.c.id == bindparam("dispatch"))
)
