"""What the provider did to an installation, applied to layer 1: idempotent, and in whatever order it arrives."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from attrs import evolve
from sqlalchemy import Connection

from ..providers.deliveries import Change, Lifecycle
from ..store.audit import record
from . import repository
from .resource_changes import apply_to_resources
from .types import GONE, Follow, Installation, InstallationStatus, follow_nothing

STATUSES: Mapping[Change, tuple[InstallationStatus, str]] = {
    Change.SUSPENDED: (InstallationStatus.SUSPENDED, "suspended on the provider's side"),
    Change.RESUMED: (InstallationStatus.ACTIVE, ""),
    Change.UNINSTALLED: (InstallationStatus.REMOVED, "uninstalled on the provider's side"),
    Change.ACCOUNT_DELETED: (InstallationStatus.ORPHANED, "the account was deleted on the provider's side"),
    Change.HOOK_REMOVED: (InstallationStatus.DEGRADED, "the webhook was removed, so no deliveries arrive"),
    Change.LINK_REVOKED: (
        InstallationStatus.NEEDS_REAUTHORISATION,
        "the person whose grant it speaks with left or withdrew it; somebody has to connect the account again",
    ),
    Change.CREDENTIAL_REVOKED: (
        InstallationStatus.NEEDS_REAUTHORISATION,
        "its credential was revoked on the provider's side; connect the account again",
    ),
}
"""The status that a change leads to, and the reason that people are shown."""

LEADS_FROM: Mapping[Change, frozenset[InstallationStatus]] = {
    Change.SUSPENDED: frozenset(
        {
            InstallationStatus.ACTIVE,
            InstallationStatus.DEGRADED,
            InstallationStatus.NEEDS_REAUTHORISATION,
            InstallationStatus.NEEDS_RECONSENT,
        }
    ),
    Change.RESUMED: frozenset({InstallationStatus.SUSPENDED}),
    Change.UNINSTALLED: frozenset(InstallationStatus),
    Change.ACCOUNT_DELETED: frozenset(InstallationStatus) - GONE,
    Change.HOOK_REMOVED: frozenset({InstallationStatus.ACTIVE}),
    Change.LINK_REVOKED: frozenset({InstallationStatus.ACTIVE, InstallationStatus.DEGRADED}),
    Change.CREDENTIAL_REVOKED: frozenset(
        {InstallationStatus.ACTIVE, InstallationStatus.DEGRADED, InstallationStatus.NEEDS_RECONSENT}
    ),
}
"""The statuses in which a change has a meaning; in others it came late, or says nothing new."""

UNLISTED = frozenset({Change.INSTALLED, Change.VISIBILITY_CHANGED})
"""Changes that never carry everything a listing would show."""


def apply(
    connection: Connection,
    *,
    installation: Installation,
    lifecycle: Lifecycle,
    now: datetime,
    follow: Follow = follow_nothing,
) -> Installation:
    """Apply a lifecycle to an installation and its resources; return the installation as it is now.

    Applying it twice changes nothing more. A change of status, or of a resource, that occurred before what is
    known already doesn't undo it; of names and scopes the last to arrive holds. What waits for approval is
    left to `approvals.settle`. `follow` is told of every installation that the lifecycle may have touched: a
    transfer touches two of them.
    """
    known = repository.get(connection, workspace=installation.workspace, installation_id=installation.id, lock=True)
    if known.status is InstallationStatus.PENDING_APPROVAL:
        return known
    at = min(lifecycle.occurred_at or now, now)
    changed = _with_labels(_with_status(known, lifecycle, at), lifecycle)
    if lifecycle.relist or lifecycle.change in UNLISTED:
        changed = evolve(changed, inventory_synced_at=None)
    if changed != known:
        changed = evolve(changed, updated_at=now)
        repository.save(connection, changed)
        _audit(connection, known, changed, lifecycle, now)
    touched = apply_to_resources(connection, installation=changed, lifecycle=lifecycle, at=at, now=now)
    if changed.status in GONE and known.status not in GONE:
        repository.orphan_resources(connection, workspace=changed.workspace, installation_id=changed.id)
    for installation_id in (changed.id, *touched):
        follow(connection, workspace=changed.workspace, installation_id=installation_id, now=now)
    return changed


def _with_status(known: Installation, lifecycle: Lifecycle, at: datetime) -> Installation:
    if lifecycle.change not in STATUSES or at < known.status_at:
        return known
    people = {person.id for person in lifecycle.identities}
    if lifecycle.change is Change.LINK_REVOKED and known.granted_by not in people:
        return known
    status, reason = STATUSES[lifecycle.change]
    if known.status is status:
        return evolve(known, status_at=at)
    if known.status not in LEADS_FROM[lifecycle.change]:
        return known
    return evolve(known, status=status, status_reason=reason, status_at=at)


def _with_labels(known: Installation, lifecycle: Lifecycle) -> Installation:
    account = lifecycle.account
    if account is not None and account.id == known.account_id and account.name:
        known = evolve(known, account_name=account.name)
    if lifecycle.scopes is None:
        return known
    known = evolve(known, scopes=lifecycle.scopes)
    if known.status is InstallationStatus.NEEDS_RECONSENT:
        return evolve(known, status=InstallationStatus.ACTIVE, status_reason="")
    return known


def _audit(
    connection: Connection, before: Installation, after: Installation, lifecycle: Lifecycle, now: datetime
) -> None:
    """Record what people see of the change; a mere moment or a stale inventory is no change of theirs."""
    shown = [name for name in ("status", "account_name", "scopes") if getattr(before, name) != getattr(after, name)]
    if not shown:
        return
    record(
        connection,
        workspace=after.workspace,
        at=now,
        actor=f"provider:{after.provider}",
        verb=f"installation.{lifecycle.change}",
        entity="installation",
        entity_id=after.id,
        reason=f"by {lifecycle.actor.id}" if lifecycle.actor else after.status_reason,
        before={name: getattr(before, name) for name in shown},
        after={name: getattr(after, name) for name in shown},
    )
