"""Changes of Jira's own state, each with the admin webhook that tells of it ("Webhooks")."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from speckitty_connectors.plugin import (
    Account,
    Change,
    ExternalIdentity,
    Ignored,
    Lifecycle,
    Outcome,
    ResourceReference,
)

SITE = "https://octo-org.atlassian.net"
AT = datetime(2026, 1, 2, 3, 4, 5, 250_000, tzinfo=UTC)
HELLO = {"id": 10001, "key": "HELLO", "name": "Hello", "self": f"{SITE}/rest/api/2/project/10001"}
MONA = {"self": f"{SITE}/rest/api/2/user?accountId=5b10", "accountId": "5b10", "displayName": "Mona"}


@pytest.mark.parametrize(
    ("kind", "change", "relist"),
    [
        ("project_created", Change.RESOURCES_ADDED, True),
        ("project_updated", Change.RESOURCE_RENAMED, False),
        ("project_archived", Change.RESOURCE_ARCHIVED, False),
        ("project_restored_archived", Change.RESOURCE_RESTORED, True),
        ("project_soft_deleted", Change.RESOURCE_DELETED, False),
        ("project_restored_deleted", Change.RESOURCE_RESTORED, True),
        ("project_deleted", Change.RESOURCE_DELETED, False),
    ],
)
def test_a_change_of_a_project_is_told_by_its_id(
    route: Callable[..., Outcome], kind: str, change: Change, relist: bool
) -> None:
    """The id is the same whatever the key; where details may be others now, a listing follows."""
    document = {"timestamp": 1_767_323_045_250, "webhookEvent": kind, "project": HELLO}
    assert route(document) == Lifecycle(
        change=change,
        account=Account(id="", url=SITE),
        resources=(ResourceReference(kind="project", id="10001", key="HELLO"),),
        relist=relist,
        occurred_at=AT,
    )


@pytest.mark.parametrize(
    ("kind", "fields"), [("user_deleted", {}), ("user_updated", {"active": False})], ids=["deleted", "inactive"]
)
def test_who_left_is_told_by_their_id(route: Callable[..., Outcome], kind: str, fields: dict[str, Any]) -> None:
    """Links of that person end, and what speaks with their grant has to be connected again."""
    document = {"timestamp": 1_767_323_045_250, "webhookEvent": kind, "user": {**MONA, **fields}}
    assert route(document) == Lifecycle(
        change=Change.LINK_REVOKED,
        account=Account(id="", url=SITE),
        identities=(ExternalIdentity(id="5b10", name="Mona"),),
        occurred_at=AT,
    )


@pytest.mark.parametrize(
    "document",
    [
        {"webhookEvent": "project_deleted"},
        {"webhookEvent": "project_updated", "project": {"key": "HELLO"}},
        {"webhookEvent": "project_archived", "project": "HELLO"},
        {"webhookEvent": "project_created", "issue": {"key": "HELLO-1"}},
        {"webhookEvent": "user_deleted", "user": {"displayName": "Mona"}},
        {"webhookEvent": "user_updated", "user": {**MONA, "active": True}},
        {"webhookEvent": "user_updated", "user": MONA},
    ],
)
def test_a_change_that_names_nothing_is_ignored(route: Callable[..., Outcome], document: dict[str, Any]) -> None:
    """Without the immutable id of what changed nothing is changed, and a person who is still there didn't leave."""
    assert isinstance(route(document), Ignored)
