"""Changes of GitLab's own state, each with the delivery that tells of it ("System hooks", "Webhook events")."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from speckitty_connectors.plugin import Change, Ignored, Lifecycle, Outcome, ResourceReference

AT = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
TIMES = {"created_at": "2025-01-01T00:00:00Z", "updated_at": "2026-01-02T03:04:05Z"}
PROJECT = {"project_id": 7001, "path_with_namespace": "kitchen/hello", "name": "Hello", "path": "hello", **TIMES}
GROUP = {"group_id": 2002, "full_path": "kitchen/pastry", "name": "Pastry", "path": "pastry", **TIMES}
HELLO = ResourceReference(kind="project", id="7001", key="kitchen/hello")
PASTRY = ResourceReference(kind="group", id="2002", key="kitchen/pastry")
FORMER_PROJECT = {"old_path_with_namespace": "kitchen/hi"}
FORMER_GROUP = {"old_full_path": "kitchen/cakes"}

TABLE: list[tuple[str, str, dict[str, Any], Change, ResourceReference, tuple[str, ...]]] = [
    ("System Hook", "project_create", PROJECT, Change.RESOURCES_ADDED, HELLO, ()),
    ("Project Hook", "project_create", PROJECT, Change.RESOURCES_ADDED, HELLO, ()),
    ("Project Hook", "project_destroy", PROJECT, Change.RESOURCE_DELETED, HELLO, ()),
    (
        "System Hook",
        "project_rename",
        {**PROJECT, **FORMER_PROJECT},
        Change.RESOURCE_RENAMED,
        HELLO,
        ("kitchen/hi",),
    ),
    (
        "System Hook",
        "project_transfer",
        {**PROJECT, **FORMER_PROJECT},
        Change.RESOURCE_RENAMED,
        HELLO,
        ("kitchen/hi",),
    ),
    ("System Hook", "project_update", PROJECT, Change.VISIBILITY_CHANGED, HELLO, ()),
    ("System Hook", "group_create", GROUP, Change.RESOURCES_ADDED, PASTRY, ()),
    ("System Hook", "group_destroy", GROUP, Change.RESOURCE_DELETED, PASTRY, ()),
    (
        "System Hook",
        "group_rename",
        {**GROUP, **FORMER_GROUP},
        Change.RESOURCE_RENAMED,
        PASTRY,
        ("kitchen/cakes",),
    ),
    ("Subgroup Hook", "subgroup_create", GROUP, Change.RESOURCES_ADDED, PASTRY, ()),
    ("Subgroup Hook", "subgroup_destroy", GROUP, Change.RESOURCE_DELETED, PASTRY, ()),
]


@pytest.mark.parametrize(("header", "name", "document", "change", "resource", "former"), TABLE)
def test_each_change_is_read_whole(
    header: str,
    name: str,
    document: dict[str, Any],
    change: Change,
    resource: ResourceReference,
    former: tuple[str, ...],
    route: Callable[..., Outcome],
) -> None:
    """What changed, of which thing by its id, what it was called before, and when; a listing finds out the rest."""
    outcome = route(header, {"event_name": name, **document})
    assert outcome == Lifecycle(
        change=change,
        resources=(resource,),
        former=former,
        relist=change is not Change.RESOURCE_DELETED,
        occurred_at=AT,
    )


@pytest.mark.parametrize("name", sorted({row[1] for row in TABLE}))
def test_a_change_of_nothing_is_ignored(name: str, route: Callable[..., Outcome]) -> None:
    """Without an id nobody knows what changed, whatever path stands there."""
    outcome = route("System Hook", {"event_name": name, "path_with_namespace": "kitchen/hello", "full_path": "a"})
    assert isinstance(outcome, Ignored)
    assert name in outcome.reason
