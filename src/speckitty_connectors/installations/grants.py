"""An installation follows its grant: degraded, in need of a person, well again, renewed; and unused ones go."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Final

from attrs import evolve
from sqlalchemy import Connection, delete, select

from ..credentials.tables import credentials
from ..store.audit import record_change
from ..tokens.grants import GRANT, GrantCondition
from . import repository
from .statuses import InstallationStatus, StatusReason
from .tables import installations
from .types import Installation

FOLLOWED: Final[Mapping[GrantCondition, tuple[InstallationStatus, str]]] = {
    GrantCondition.GOOD: (InstallationStatus.ACTIVE, ""),
    GrantCondition.FAILING: (InstallationStatus.DEGRADED, StatusReason.RENEWAL_FAILING),
    GrantCondition.SUSPECT: (InstallationStatus.DEGRADED, StatusReason.CREDENTIAL_SUSPECT),
    GrantCondition.REFUSED: (InstallationStatus.NEEDS_REAUTHORISATION, StatusReason.CREDENTIAL_REFUSED),
}
"""The status that a grant's condition leads to, and why."""

OURS: Final = frozenset(reason for _, reason in FOLLOWED.values())
"""The reasons of statuses that a grant led to; a status with another reason isn't a grant's to change."""

RENEWED: Final = OURS - {""} | {StatusReason.ACCESS_REFUSED}
"""The reasons that are over when a person consented again."""

VERBS: Final[Mapping[InstallationStatus, str]] = {
    InstallationStatus.ACTIVE: "recovered",
    InstallationStatus.DEGRADED: "degraded",
    InstallationStatus.NEEDS_REAUTHORISATION: "refused",
}

LEADS_FROM: Final = frozenset(
    {InstallationStatus.ACTIVE, InstallationStatus.DEGRADED, InstallationStatus.NEEDS_REAUTHORISATION}
)


def follow(
    connection: Connection, *, workspace: str, credential_id: str, condition: GrantCondition, now: datetime
) -> list[Installation]:
    """Bring the installations that share a credential in line with it; return those that changed.

    What is suspended, removed or waits for consent stays so, and what is degraded for another reason is only made
    worse, never better.
    """
    found = repository.find_sharing(connection, workspace=workspace, credential_id=credential_id)
    return [
        _follow_one(connection, installation, condition, now)
        for installation in found
        if _concerns(installation, condition)
    ]


def share(connection: Connection, installation: Installation, *, actor: str, now: datetime) -> None:
    """Let the newest consent of a person serve all that they connected through the same app in the workspace.

    For providers that keep one grant a person: its older tokens may end when newer ones are given. What had no
    grant any more is active again; the next listing finds out if its account isn't reached.
    """
    if not installation.granted_by:
        return
    for other in repository.list_all(connection, workspace=installation.workspace, provider=installation.provider):
        same_grant = (other.app_id, other.granted_by) == (installation.app_id, installation.granted_by)
        if not same_grant or not other.is_live:
            continue
        shared = evolve(other, credential_id=installation.credential_id, updated_at=now)
        if other.status is not InstallationStatus.ACTIVE and other.status_reason in RENEWED:
            shared = evolve(shared, status=InstallationStatus.ACTIVE, status_reason="", status_at=now)
            _record(connection, other, shared, actor, now)
        repository.save(connection, shared)


def _concerns(installation: Installation, condition: GrantCondition) -> bool:
    known = (installation.status, installation.status_reason)
    is_news = installation.status in LEADS_FROM and known != FOLLOWED[condition]
    return is_news and (condition is GrantCondition.REFUSED or installation.status_reason in OURS)


def forget_unused(connection: Connection, *, workspace: str) -> None:
    """Delete the grants that no installation of the workspace holds any more."""
    held = select(installations.c.credential_id).where(installations.c.workspace_id == workspace)
    connection.execute(
        delete(credentials).where(
            credentials.c.workspace_id == workspace, credentials.c.kind == GRANT, credentials.c.id.not_in(held)
        )
    )


def _follow_one(
    connection: Connection, known: Installation, condition: GrantCondition, now: datetime
) -> Installation:
    status, reason = FOLLOWED[condition]
    changed = evolve(known, status=status, status_reason=reason, updated_at=now)
    repository.save(connection, changed)
    _record(connection, known, changed, "system", now)
    return changed


def _record(connection: Connection, before: Installation, after: Installation, actor: str, now: datetime) -> None:
    verb, reason = VERBS[after.status], after.status_reason
    record_change(connection, before, after, verb, actor=actor, at=now, reason=reason)
