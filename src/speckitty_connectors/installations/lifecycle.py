"""What the provider did to an installation, applied to layer 1: idempotent, and in whatever order it arrives."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from attrs import evolve
from sqlalchemy import Connection

from ..identifiers import InstallationKey
from ..providers.accounts import Account
from ..providers.deliveries import Change, Lifecycle
from ..providers.resources import ResourceReference
from ..resources.rekeying import rekey_resource, successors
from ..resources.repository import (
    PRESENT,
    change_resource,
    find_resources,
    is_same,
    note_references,
    orphan_resources,
)
from ..resources.types import ResourceStatus
from ..store.audit import record_event
from . import grants, repository
from .statuses import GONE, InstallationStatus, StatusReason
from .types import Follow, Installation, follow_nothing


def as_of_the_account(installation: Installation, lifecycle: Lifecycle) -> Lifecycle:
    """Return a change as one of the installation's account, where the resource that it is about is the account.

    That is so where both have one kind and one id. Every other change is returned as it is.
    """
    itself = next(
        (
            resource
            for resource in lifecycle.resources
            if (resource.kind, resource.id) == (installation.account_kind, installation.account_id)
        ),
        None,
    )
    if itself is None:
        return lifecycle
    account = Account(id=itself.id, name=itself.key, kind=itself.kind)
    if lifecycle.change is Change.RESOURCE_DELETED:
        return evolve(lifecycle, change=Change.ACCOUNT_DELETED, account=account)
    return evolve(lifecycle, account=account)


TRANSFERRED: Mapping[str, object] = {"status": ResourceStatus.TRANSFERRED}

TOLD: Mapping[Change, Mapping[str, object]] = {
    Change.INSTALLED: PRESENT,
    Change.RESOURCES_ADDED: PRESENT,
    Change.RESOURCES_REMOVED: {"status": ResourceStatus.WITHDRAWN},
    Change.RESOURCE_DELETED: {"status": ResourceStatus.DELETED},
    Change.RESOURCE_ARCHIVED: {"archived": True},
    Change.RESOURCE_RESTORED: {"archived": False, **PRESENT},
    Change.RESOURCE_RENAMED: {},
}
"""What a change says about the resources that it names, besides their keys of today."""


def apply_to_resources(
    connection: Connection, *, installation: Installation, lifecycle: Lifecycle, at: datetime, now: datetime
) -> list[InstallationKey]:
    """Apply what a lifecycle says of resources; return the other installations that it touched.

    Each change that is one gets its line in the audit.
    """
    left: list[InstallationKey] = []
    match lifecycle.change:
        case Change.RESOURCE_TRANSFERRED if _left(installation, lifecycle):
            touched = _note(connection, installation, lifecycle, TRANSFERRED, at)
        case Change.RESOURCE_TRANSFERRED:
            left = _leave_siblings(connection, installation, lifecycle, at)
            touched = _note(connection, installation, lifecycle, PRESENT, at)
        case Change.VISIBILITY_CHANGED if lifecycle.private is not None:
            touched = _note(connection, installation, lifecycle, {"private": lifecycle.private}, at)
        case Change.RESOURCE_REKEYED:
            touched = _rekey(connection, installation, lifecycle, at)
        case change if change in TOLD:
            touched = _note(connection, installation, lifecycle, TOLD[change], at)
        case _:
            touched = []
    if touched:
        _audit_resource(connection, installation, lifecycle, touched, now)
    return left


def _left(installation: Installation, lifecycle: Lifecycle) -> bool:
    """Return whether the resource went to an account other than this installation's."""
    return lifecycle.account is not None and lifecycle.account.id != installation.account_id


def _note(
    connection: Connection,
    installation: Installation,
    lifecycle: Lifecycle,
    told: Mapping[str, object],
    at: datetime,
) -> list[ResourceReference]:
    """Note what a change says about resources; return those that it changed."""
    references = successors(connection, installation, lifecycle.resources)
    places = [reference.place for reference in references]
    before = find_resources(connection, installation, places)
    note_references(connection, installation, references=references, at=at, told=told)
    after = find_resources(connection, installation, places)
    return [
        reference
        for reference in references
        if not is_same(before.get(reference.place), after.get(reference.place))
    ]


def _leave_siblings(
    connection: Connection, installation: Installation, lifecycle: Lifecycle, at: datetime
) -> list[InstallationKey]:
    """Note that the workspace's other installations have it no more; nobody tells them."""
    siblings = repository.list_all(connection, workspace=installation.workspace, provider=installation.provider)
    return [
        sibling
        for sibling in siblings
        if sibling.host == installation.host
        and sibling.id != installation.id
        and _leave(connection, sibling, lifecycle, at)
    ]


def _leave(connection: Connection, sibling: Installation, lifecycle: Lifecycle, at: datetime) -> bool:
    left = [
        change_resource(connection, sibling, evolve(reference, key=""), at=at, told=TRANSFERRED)
        for reference in lifecycle.resources
    ]
    return any(left)


def _rekey(
    connection: Connection, installation: Installation, lifecycle: Lifecycle, at: datetime
) -> list[ResourceReference]:
    """Give resources their new ids; `former` holds the old ones in the same order."""
    return [
        reference
        for reference, former in zip(lifecycle.resources, lifecycle.former, strict=False)
        if rekey_resource(connection, installation, reference, former_id=former, at=at)
    ]


def _audit_resource(
    connection: Connection,
    installation: Installation,
    lifecycle: Lifecycle,
    touched: list[ResourceReference],
    now: datetime,
) -> None:
    record_event(
        connection,
        installation,
        lifecycle.change,
        actor=f"provider:{installation.provider}",
        at=now,
        reason=f"by {lifecycle.actor.id}" if lifecycle.actor else "",
        before={"former": list(lifecycle.former)} if lifecycle.former else None,
        after={"resources": [f"{reference.kind} {reference.id}" for reference in touched]},
    )


STATUSES: Mapping[Change, tuple[InstallationStatus, str]] = {
    Change.SUSPENDED: (InstallationStatus.SUSPENDED, StatusReason.SUSPENDED_BY_PROVIDER),
    Change.RESUMED: (InstallationStatus.ACTIVE, ""),
    Change.UNINSTALLED: (InstallationStatus.REMOVED, StatusReason.UNINSTALLED),
    Change.ACCOUNT_DELETED: (InstallationStatus.ORPHANED, StatusReason.ACCOUNT_DELETED),
    Change.HOOK_REMOVED: (InstallationStatus.DEGRADED, StatusReason.WEBHOOK_REMOVED),
    Change.LINK_REVOKED: (InstallationStatus.NEEDS_REAUTHORISATION, StatusReason.PERSON_LEFT),
    Change.CREDENTIAL_REVOKED: (InstallationStatus.NEEDS_REAUTHORISATION, StatusReason.CREDENTIAL_REVOKED),
}
"""The status that a change leads to, and why."""

LEADS_FROM: Mapping[Change, frozenset[InstallationStatus]] = {
    Change.SUSPENDED: frozenset(InstallationStatus) - GONE,
    Change.RESUMED: frozenset({InstallationStatus.SUSPENDED, InstallationStatus.DEGRADED}),
    Change.UNINSTALLED: frozenset(InstallationStatus),
    Change.ACCOUNT_DELETED: frozenset(InstallationStatus) - GONE,
    Change.HOOK_REMOVED: frozenset({InstallationStatus.ACTIVE, InstallationStatus.SUSPENDED}),
    Change.LINK_REVOKED: frozenset(InstallationStatus) - GONE,
    Change.CREDENTIAL_REVOKED: frozenset(InstallationStatus) - GONE,
}
"""The statuses in which a change has a meaning; in others only its moment is noted."""

SEVERITY = (
    InstallationStatus.ACTIVE,
    InstallationStatus.DEGRADED,
    InstallationStatus.NEEDS_REAUTHORISATION,
    InstallationStatus.SUSPENDED,
    InstallationStatus.ORPHANED,
    InstallationStatus.REMOVED,
)
"""Which of two changes of the same moment holds: the one that leads further to the end."""


def apply(
    connection: Connection,
    *,
    installation: Installation,
    lifecycle: Lifecycle,
    now: datetime,
    follow: Follow = follow_nothing,
) -> Installation:
    """Apply a lifecycle to an installation and its resources; return the installation as it is now.

    Applying it twice changes nothing more. What occurred before what is known already doesn't undo it; a change
    without a moment of its own is taken for one of now. The grant of what was uninstalled is forgotten. What waits
    for approval is left to `approvals.settle`.
    `follow` is called for every installation that the lifecycle may have touched: a transfer touches two of them.
    """
    known = repository.get(connection, installation, lock=True)
    if known.status is InstallationStatus.PENDING_APPROVAL:
        return known
    at = min(lifecycle.occurred_at or now, now)
    changed = _with_labels(_with_status(known, lifecycle, at), lifecycle, at)
    if changed.status is InstallationStatus.REMOVED:
        changed = evolve(changed, credential_id="")
    if lifecycle.relist or _leaves_open(lifecycle):
        changed = evolve(changed, inventory_synced_at=None)
    if changed != known:
        changed = evolve(changed, updated_at=now)
        repository.save(connection, changed)
        if changed.credential_id != known.credential_id:
            grants.forget_unused(connection, workspace=known.workspace)
        _audit(connection, known, changed, lifecycle, now)
    touched = apply_to_resources(connection, installation=changed, lifecycle=lifecycle, at=at, now=now)
    if changed.status in GONE and known.status not in GONE:
        orphan_resources(connection, changed)
    for key in (changed, *touched):
        follow(connection, key, now)
    return changed


def _leaves_open(lifecycle: Lifecycle) -> bool:
    """Return whether a change never carries everything that a listing would show."""
    hidden = lifecycle.change is Change.VISIBILITY_CHANGED and lifecycle.private is None
    return hidden or lifecycle.change is Change.INSTALLED


def _with_status(known: Installation, lifecycle: Lifecycle, at: datetime) -> Installation:
    """Return the installation with the status of the latest change; what came late changes nothing."""
    if lifecycle.change not in STATUSES or at < known.status_at:
        return known
    people = {person.id for person in lifecycle.identities}
    if lifecycle.change is Change.LINK_REVOKED and known.granted_by not in people:
        return known
    status, reason = STATUSES[lifecycle.change]
    if known.status is status or (known.status not in LEADS_FROM[lifecycle.change] and known.status not in GONE):
        return evolve(known, status_at=at)
    milder = known.status in SEVERITY and SEVERITY.index(status) < SEVERITY.index(known.status)
    if known.status not in LEADS_FROM[lifecycle.change] or (at == known.status_at and milder):
        return known
    return evolve(known, status=status, status_reason=reason, status_at=at)


def with_name(known: Installation, account: Account, at: datetime) -> Installation:
    """Return the installation with the latest name of its account; nothing but the id says which account it is."""
    if account.id != known.account_id or not account.name:
        return known
    told = max((known.account_name_at, known.account_name), (at, account.name))
    return evolve(known, account_name_at=told[0], account_name=told[1])


def _with_labels(known: Installation, lifecycle: Lifecycle, at: datetime) -> Installation:
    """Return the installation with the latest name and scopes; of one moment, the greater."""
    if lifecycle.account is not None:
        known = with_name(known, lifecycle.account, at)
    if lifecycle.scopes is None or (at, lifecycle.scopes) <= (known.scopes_at, known.scopes):
        return known
    known = evolve(known, scopes=lifecycle.scopes, scopes_at=at)
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
    record_event(
        connection,
        after,
        lifecycle.change,
        actor=f"provider:{after.provider}",
        at=now,
        reason=f"by {lifecycle.actor.id}" if lifecycle.actor else after.status_reason,
        before={name: getattr(before, name) for name in shown},
        after={name: getattr(after, name) for name in shown},
    )
