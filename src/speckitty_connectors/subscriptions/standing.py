"""What the state of its webhooks means for an installation: without them it is degraded, and it says why."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from sqlalchemy import Connection

from ..installations import repository
from ..installations.statuses import StatusReason, with_detail
from ..installations.types import Installation, InstallationStatus
from ..store.audit import record
from ..store.engine import Store

OURS: Final = (StatusReason.WEBHOOKS_INCOMPLETE, StatusReason.WEBHOOK_REMOVED)
"""The reasons that webhooks alone can end."""


def conclude(store: Store, installation: Installation, fault: str) -> None:
    """Degrade an active installation that has a fault, and end the degradation where there is none any more."""
    with store.transaction() as connection:
        known = repository.get(
            connection, workspace=installation.workspace, installation_id=installation.id, lock=True
        )
        status = InstallationStatus.DEGRADED if fault else InstallationStatus.ACTIVE
        reason = with_detail(StatusReason.WEBHOOKS_INCOMPLETE, fault) if fault else ""
        if _may_change(known) and (status, reason) != (known.status, known.status_reason):
            _change(connection, known, status, reason, store.now())


def _may_change(known: Installation) -> bool:
    """Return whether webhooks have a say in the status: not where something else is wrong."""
    if known.status is InstallationStatus.DEGRADED:
        return known.status_reason.startswith(OURS)
    return known.status is InstallationStatus.ACTIVE


def _change(
    connection: Connection, known: Installation, status: InstallationStatus, reason: str, now: datetime
) -> None:
    repository.set_status(
        connection, workspace=known.workspace, installation_id=known.id, status=status, reason=reason, at=now
    )
    record(
        connection,
        workspace=known.workspace,
        at=now,
        actor="subscriptions",
        verb=f"installation.{'degraded' if reason else 'recovered'}",
        entity="installation",
        entity_id=known.id,
        reason=reason,
        before={"status": known.status},
        after={"status": status},
    )
