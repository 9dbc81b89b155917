"""Reads dispatches with what their handlers need, and ends those that lost their authority."""

from __future__ import annotations

from datetime import datetime
from functools import cache
from typing import Any

from attrs import frozen
from sqlalchemy import CTE, Connection, Row, ScalarSelect, Select, and_, bindparam, select, true, update

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
from ..store.claims import PENDING, Claim, ClaimQueue, key_of
from ..suggestions import repository as suggestions
from .handlers import Dispatch

REVOKED = "revoked"
"""The state of a dispatch whose installation or mapping ended before it was handed over."""

ROUTING = frozenset({MappingState.ACTIVE, MappingState.DEGRADED})
"""The states of a mapping over which events still go to its target."""


@frozen(kw_only=True)
class HeldDispatch:
    """A dispatch that is locked, together with all that says whether it may be handed over.

    Attributes:
        dispatch: what its handler gets.
        revocation: why it may no longer be handed over; empty where it may.
    """

    dispatch: Dispatch
    revocation: str


def hold(connection: Connection, queue: ClaimQueue, claim: Claim, registry: Registry) -> HeldDispatch | None:
    """Lock the dispatch of a claim, and load it with today's policy; None when the claim is no longer ours.

    What is looked at of installation and mapping stays as it is until the transaction ends: who disconnects in the
    meantime waits, and has no effect behind their back afterwards.

    Raises:
        NotFoundError: its decision tells of no event.
    """
    row = connection.execute(_held(queue), key_of(claim)).one_or_none()
    if row is None:
        return None
    dispatch = _dispatch(connection, row, claim, registry)
    return HeldDispatch(dispatch=dispatch, revocation=_revocation(connection, dispatch, row))


def _dispatch(connection: Connection, row: Row[Any], claim: Claim, registry: Registry) -> Dispatch:
    event = outcome_from(row.outcome)
    if not isinstance(event, Event):
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


def _revocation(connection: Connection, dispatch: Dispatch, row: Row[Any]) -> str:
    """Return why a dispatch may no longer be handed over, or empty where it may."""
    if dispatch.policy.core.mutes(dispatch.event):
        return f"its target doesn't want it any more: {dispatch.policy.why('muted_kinds')}"
    if dispatch.mapping_id and row.mapping_state is None:
        return "the mapping was removed"
    if InstallationStatus(row.status) not in RECEIVING:
        return f"the installation is {row.status}"
    return _revocation_of_mapped(dispatch, row) if dispatch.mapping_id else _dismissal(connection, dispatch)


def _revocation_of_mapped(dispatch: Dispatch, row: Row[Any]) -> str:
    """Return why what a mapping says may no longer be handed over."""
    if Direction(row.mapping_direction) is Direction.OUT:
        return "the mapping leads outwards only"
    if Target(kind=row.mapping_target_kind, id=row.mapping_target_id) != dispatch.target:
        return "the mapping leads to another target now"
    return "" if MappingState(row.mapping_state) in ROUTING else f"the mapping is {row.mapping_state}"


def _dismissal(connection: Connection, dispatch: Dispatch) -> str:
    """Return why what was inferred, and has no mapping, may no longer be handed over."""
    dismissed = suggestions.dismissed(
        connection,
        InstallationKey.of(dispatch),
        external_ids={resource.id for resource in dispatch.event.resources},
    )
    pairs = {(resource.kind, resource.id, dispatch.target) for resource in dispatch.event.resources}
    return "a person has dismissed what it was inferred from" if pairs & dismissed else ""


@cache
def _held(queue: ClaimQueue) -> Select[*tuple[Any, ...]]:
    """Return the one statement that locks a dispatch, then its installation, then its mapping, and loads them.

    Each lock waits for the one before it, because it asks for what that has found.
    """
    held = queue.holding().cte("held")
    decided = and_(decisions.c.workspace_id == held.c.workspace_id, decisions.c.id == held.c.decision_id)
    through = select(decisions.c.installation_id).join(held, decided).scalar_subquery()
    installation = (
        select(installations.c.workspace_id, installations.c.id, installations.c.provider)
        .add_columns(installations.c.host, installations.c.status)
        .where(installations.c.workspace_id == bindparam("of_workspace"), installations.c.id == through)
        .with_for_update(read=True)
        .cte("installation")
    )
    chosen = select(held.c.mapping_id).where(held.c.workspace_id == installation.c.workspace_id).scalar_subquery()
    mapping = _mapping(select(chosen.label("id")).select_from(installation).scalar_subquery())
    named = ("state", "direction", "target_kind", "target_id")
    return (
        select(held, decisions.c.inbox_id, decisions.c.outcome, decisions.c.installation_id)
        .add_columns(installation.c.provider, installation.c.host, installation.c.status)
        .add_columns(*(mapping.c[name].label(f"mapping_{name}") for name in named))
        .select_from(held)
        .join(decisions, decided)
        .join(installation, true())
        .outerjoin(mapping, true())
    )


def _mapping(of_id: ScalarSelect[Any]) -> CTE:
    columns = resource_mappings.c
    return (
        select(columns.state, columns.direction, columns.target_kind, columns.target_id)
        .where(columns.workspace_id == bindparam("of_workspace"), columns.id == of_id)
        .with_for_update(read=True)
        .cte("mapping")
    )
