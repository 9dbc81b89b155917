"""Deliveries that report a change of GitLab's own state ("System hooks", "Webhook events": group events).

A project that moves to another group is only a changed path here: nothing in the delivery says whether that group
belongs to the connected one, so the next listing finds out.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

from speckitty_connectors.plugin import Change, Ignored, Lifecycle, ResourceReference, read_moment, read_text

from .payload import Payload, actor, group, project


def read_lifecycle(kind: str, payload: Payload) -> Lifecycle | Ignored | None:
    """Return the change that a delivery reports, or None where it reports none.

    A delivery of a known kind that doesn't name what it changed is `Ignored`.
    """
    change, find, former = _TABLE.get(kind, (None, None, None))
    if change is None or find is None or former is None:
        return None
    resource = find(payload)
    if resource is None:
        return Ignored(reason=f"{kind} names nothing that {change} could be about")
    return Lifecycle(
        change=change,
        resources=(resource,),
        former=tuple(filter(None, [read_text(former(payload))])),
        actor=actor(payload),
        # What contains it, and what it contains, isn't in the delivery.
        relist=change is not Change.RESOURCE_DELETED,
        occurred_at=read_moment(payload.updated_at) or read_moment(payload.created_at),
    )


def _former_project(payload: Payload) -> object:
    return payload.old_path_with_namespace


def _former_group(payload: Payload) -> object:
    return payload.old_full_path


def _nothing(_: Payload) -> object:
    return None


_Find = Callable[[Payload], ResourceReference | None]
_Former = Callable[[Payload], object]

_TABLE: Mapping[str, tuple[Change, _Find, _Former]] = MappingProxyType(
    {
        "group_create": (Change.RESOURCES_ADDED, group, _nothing),
        "group_destroy": (Change.RESOURCE_DELETED, group, _nothing),
        "group_rename": (Change.RESOURCE_RENAMED, group, _former_group),
        "project_create": (Change.RESOURCES_ADDED, project, _nothing),
        "project_destroy": (Change.RESOURCE_DELETED, project, _nothing),
        "project_rename": (Change.RESOURCE_RENAMED, project, _former_project),
        "project_transfer": (Change.RESOURCE_RENAMED, project, _former_project),
        "project_update": (Change.VISIBILITY_CHANGED, project, _nothing),
        "subgroup_create": (Change.RESOURCES_ADDED, group, _nothing),
        "subgroup_destroy": (Change.RESOURCE_DELETED, group, _nothing),
    }
)
