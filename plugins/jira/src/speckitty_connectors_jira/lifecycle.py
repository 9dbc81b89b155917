"""Deliveries that report a change of Jira's own state; only admin webhooks are sent them ("Webhooks")."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from attrs import evolve

from speckitty_connectors.plugin import Change, Ignored, Lifecycle

from .payload import Payload, Person, account, identity, moment, project_of

_OF_PROJECTS: Mapping[str, Change] = MappingProxyType(
    {
        "project_created": Change.RESOURCES_ADDED,
        # Its key may be another one now; the id is the same.
        "project_updated": Change.RESOURCE_RENAMED,
        "project_archived": Change.RESOURCE_ARCHIVED,
        "project_restored_archived": Change.RESOURCE_RESTORED,
        # In the bin, from which it may come back.
        "project_soft_deleted": Change.RESOURCE_DELETED,
        "project_restored_deleted": Change.RESOURCE_RESTORED,
        "project_deleted": Change.RESOURCE_DELETED,
    }
)


def read_lifecycle(kind: str, payload: Payload) -> Lifecycle | Ignored | None:
    """Return the change that a delivery reports, or None where it reports none.

    A delivery of a known kind that doesn't name what it changed is `Ignored`.
    """
    if kind in _OF_PROJECTS:
        return _of_project(kind, payload)
    if kind == "user_deleted" or (kind == "user_updated" and _is_inactive(payload)):
        return _of_person(kind, payload)
    return None


def _of_project(kind: str, payload: Payload) -> Lifecycle | Ignored:
    project = project_of(payload)
    if project is None or not project.id:
        return Ignored(reason=f"{kind} names no project")
    lifecycle = Lifecycle(
        change=_OF_PROJECTS[kind],
        account=account(payload),
        resources=(project,),
        actor=identity(payload.user),
        occurred_at=moment(payload.timestamp),
    )
    # What comes back from the bin may be archived, and what was added has details that only a listing tells.
    told_whole = lifecycle.change not in {Change.RESOURCE_RESTORED, Change.RESOURCES_ADDED}
    return lifecycle if told_whole else evolve(lifecycle, relist=True)


def _is_inactive(payload: Payload) -> bool:
    return isinstance(payload.user, Person) and payload.user.active is False


def _of_person(kind: str, payload: Payload) -> Lifecycle | Ignored:
    person = identity(payload.user)
    if person is None:
        return Ignored(reason=f"{kind} names nobody")
    return Lifecycle(
        change=Change.LINK_REVOKED,
        account=account(payload),
        identities=(person,),
        occurred_at=moment(payload.timestamp),
    )
