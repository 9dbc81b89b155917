"""What the state of its webhooks means for an installation: without them it is degraded, and it says why."""

from __future__ import annotations

from typing import Final

from ..installations import repository
from ..installations.lifecycle import STATUSES
from ..installations.types import Installation, InstallationStatus
from ..providers.deliveries import Change
from ..store.audit import record
from ..store.engine import Store

NO_DELIVERIES: Final = "not all deliveries arrive: "
"""What the reasons begin with that only these webhooks can end."""


def conclude(store: Store, installation: Installation, fault: str) -> None:
    """Degrade an active installation that has a fault, and end the degradation where there is none any more."""
    with store.transaction() as connection:
        known = repository.get(
            connection, workspace=installation.workspace, installation_id=installation.id, lock=True
        )
        reason = f"{NO_DELIVERIES}{fault}" if fault else ""
        if fault and known.status is InstallationStatus.ACTIVE:
            status = InstallationStatus.DEGRADED
        elif known.status is InstallationStatus.DEGRADED and _is_ours(known.status_reason):
            status = InstallationStatus.DEGRADED if fault else InstallationStatus.ACTIVE
        else:
            return
        if (status, reason) == (known.status, known.status_reason):
            return
        now = store.now()
        repository.set_status(
            connection,
            workspace=known.workspace,
            installation_id=known.id,
            status=status,
            reason=reason,
            at=now,
        )
        record(
            connection,
            workspace=known.workspace,
            at=now,
            actor="subscriptions",
            verb=f"installation.{'degraded' if fault else 'recovered'}",
            entity="installation",
            entity_id=known.id,
            reason=reason,
            before={"status": known.status},
            after={"status": status},
        )


def _is_ours(reason: str) -> bool:
    """Return whether missing webhooks are why an installation is degraded, and not something else."""
    return reason.startswith(NO_DELIVERIES) or reason == STATUSES[Change.HOOK_REMOVED][1]
