"""What the provider did to the resources of an installation, applied to the inventory."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import Connection

from ..providers.deliveries import Change, Lifecycle
from ..providers.resources import ResourceReference
from ..store.audit import record
from . import repository
from .sightings import PRESENT
from .types import Installation, ResourceStatus

TRANSFERRED: Mapping[str, Any] = {"status": ResourceStatus.TRANSFERRED}

TOLD: Mapping[Change, Mapping[str, object]] = {
    Change.INSTALLED: PRESENT,
    Change.RESOURCES_ADDED: PRESENT,
    Change.RESOURCES_REMOVED: {"status": ResourceStatus.WITHDRAWN},
    Change.RESOURCE_DELETED: {"status": ResourceStatus.DELETED},
    Change.RESOURCE_ARCHIVED: {"archived": True},
    Change.RESOURCE_RESTORED: {"archived": False, **PRESENT},
    Change.RESOURCE_RENAMED: {},
}
"""What a change tells of the resources that it names, besides their keys of today."""


def apply_to_resources(
    connection: Connection, *, installation: Installation, lifecycle: Lifecycle, at: datetime, now: datetime
) -> list[str]:
    """Apply what a lifecycle says of resources; return the other installations that it touched.

    Each change that is one gets its line in the audit.
    """
    left: list[str] = []
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
        _audit(connection, installation, lifecycle, touched, now)
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
    """Note what a change tells of resources; return those that it changed."""
    scope = {"workspace": installation.workspace, "installation_id": installation.id}
    references = repository.successors(connection, **scope, references=lifecycle.resources)
    places = [reference.place for reference in references]
    before = {each.place: each for each in repository.find_resources(connection, **scope, places=places)}
    repository.note_references(connection, **scope, references=references, at=at, told=told)
    after = {each.place: each for each in repository.find_resources(connection, **scope, places=places)}
    return [
        reference
        for reference in references
        if not repository.is_same(before.get(reference.place), after.get(reference.place))
    ]


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
        and _leave(connection, sibling, lifecycle, at)
    ]


def _leave(connection: Connection, sibling: Installation, lifecycle: Lifecycle, at: datetime) -> bool:
    left = [
        repository.change_resource(
            connection,
            workspace=sibling.workspace,
            installation_id=sibling.id,
            kind=reference.kind,
            external_id=reference.id,
            at=at,
            **TRANSFERRED,
        )
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
