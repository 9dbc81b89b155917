"""What the provider did to the resources of an installation, applied to the inventory."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from sqlalchemy import Connection

from ..providers.deliveries import Change, Lifecycle
from ..providers.resources import ResourceReference
from ..store.audit import record
from . import repository
from .types import Installation, ResourceStatus

TRANSFERRED: Mapping[str, object] = {"status": ResourceStatus.TRANSFERRED}

CHANGED_COLUMNS: Mapping[Change, Mapping[str, object]] = {
    Change.RESOURCES_REMOVED: {"status": ResourceStatus.WITHDRAWN},
    Change.RESOURCE_DELETED: {"status": ResourceStatus.DELETED},
    Change.RESOURCE_ARCHIVED: {"archived": True},
    Change.RESOURCE_RESTORED: {"archived": False, "status": ResourceStatus.ACTIVE},
}
"""What a change that names a resource says of it."""


def apply_to_resources(
    connection: Connection, *, installation: Installation, lifecycle: Lifecycle, at: datetime, now: datetime
) -> list[str]:
    """Apply what a lifecycle says of resources; return the other installations that it touched.

    Each change that is one gets its line in the audit.
    """
    left: list[str] = []
    match lifecycle.change:
        case Change.RESOURCE_TRANSFERRED if _left(installation, lifecycle):
            touched = _set(connection, installation, lifecycle, TRANSFERRED, at)
        case Change.RESOURCE_TRANSFERRED:
            left = _leave_siblings(connection, installation, lifecycle, at)
            touched = _arrive(connection, installation, lifecycle, at)
        case Change.INSTALLED | Change.RESOURCES_ADDED:
            touched = _arrive(connection, installation, lifecycle, at)
        case Change.RESOURCE_RENAMED:
            touched = _rename(connection, installation, lifecycle, at)
        case Change.RESOURCE_REKEYED:
            touched = _rekey(connection, installation, lifecycle, at)
        case change if change in CHANGED_COLUMNS:
            touched = _set(connection, installation, lifecycle, CHANGED_COLUMNS[change], at)
        case _:
            touched = []
    if touched:
        _audit(connection, installation, lifecycle, touched, now)
    return left


def _left(installation: Installation, lifecycle: Lifecycle) -> bool:
    """Return whether the resource went to an account other than this installation's."""
    return lifecycle.account is not None and lifecycle.account.id != installation.account_id


def _arrive(
    connection: Connection, installation: Installation, lifecycle: Lifecycle, at: datetime
) -> list[ResourceReference]:
    """Note what is here from now on; return what wasn't before."""
    known = {
        (resource.kind, resource.external_id)
        for resource in repository.list_resources(
            connection,
            workspace=installation.workspace,
            installation_id=installation.id,
            status=ResourceStatus.ACTIVE,
        )
    }
    repository.note_references(
        connection,
        workspace=installation.workspace,
        installation_id=installation.id,
        references=lifecycle.resources,
        at=at,
    )
    return [reference for reference in lifecycle.resources if (reference.kind, reference.id) not in known]


def _leave_siblings(
    connection: Connection, installation: Installation, lifecycle: Lifecycle, at: datetime
) -> list[str]:
    """Note that the workspace's other installations have it no more; nobody tells them."""
    siblings = repository.list_all(connection, workspace=installation.workspace, provider=installation.provider)
    return [
        sibling.id
        for sibling in siblings
        if sibling.host == installation.host
        and sibling.id != installation.id
        and _set(connection, sibling, lifecycle, TRANSFERRED, at)
    ]


def _set(
    connection: Connection,
    installation: Installation,
    lifecycle: Lifecycle,
    columns: Mapping[str, object],
    at: datetime,
) -> list[ResourceReference]:
    return [
        reference
        for reference in lifecycle.resources
        if repository.change_resource(
            connection,
            workspace=installation.workspace,
            installation_id=installation.id,
            kind=reference.kind,
            external_id=reference.id,
            at=at,
            **columns,
        )
    ]


def _rename(
    connection: Connection, installation: Installation, lifecycle: Lifecycle, at: datetime
) -> list[ResourceReference]:
    return [
        reference
        for reference in lifecycle.resources
        if repository.rename_resource(
            connection,
            workspace=installation.workspace,
            installation_id=installation.id,
            kind=reference.kind,
            external_id=reference.id,
            key=reference.key,
            at=at,
        )
    ]


def _rekey(
    connection: Connection, installation: Installation, lifecycle: Lifecycle, at: datetime
) -> list[ResourceReference]:
    """Give resources their new ids; `former` holds the old ones in the same order."""
    return [
        reference
        for reference, former in zip(lifecycle.resources, lifecycle.former, strict=False)
        if repository.rekey_resource(
            connection,
            workspace=installation.workspace,
            installation_id=installation.id,
            kind=reference.kind,
            former_id=former,
            external_id=reference.id,
            at=at,
        )
    ]


def _audit(
    connection: Connection,
    installation: Installation,
    lifecycle: Lifecycle,
    touched: list[ResourceReference],
    now: datetime,
) -> None:
    record(
        connection,
        workspace=installation.workspace,
        at=now,
        actor=f"provider:{installation.provider}",
        verb=f"installation.{lifecycle.change}",
        entity="installation",
        entity_id=installation.id,
        reason=f"by {lifecycle.actor.id}" if lifecycle.actor else "",
        before={"former": list(lifecycle.former)} if lifecycle.former else None,
        after={"resources": [f"{reference.kind} {reference.id}" for reference in touched]},
    )
