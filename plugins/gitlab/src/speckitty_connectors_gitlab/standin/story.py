"""The deliveries that the stand-in can send: a small story, each in the shape of "Webhook events"."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from uuid import NAMESPACE_URL, uuid5

from speckitty_connectors.standin import SampleDelivery

from . import documents
from .documents import Document

_BEFORE = "1b6d0c4e7f2a59830b1c2d3e4f5061728394a5b6"
_HEAD = "5f20ba2c8d1e4a7b90c3d6e5f4a1b2c3d4e5f607"
_NEXT = "8c3f1d9ab2e47650c1d2e3f4a5b6978089a1b2c3"


def deliveries(web: str) -> Sequence[SampleDelivery]:
    """Return the story: it happens in the first project of the listing, where nothing else is said."""
    mapped, other, third = (documents.project(web, index) for index in range(3))
    renamed = {**mapped, "path_with_namespace": "kitchen/hello-world"}
    return (
        _delivery(web, "mona pushes to main", "Push Hook", _push(mapped, _BEFORE, _HEAD)),
        _delivery(
            web,
            "mona opens a merge request in a project that nobody mapped",
            "Merge Request Hook",
            _merge_request(other),
        ),
        _delivery(web, "mona pushes to another one", "Push Hook", _push(third, _BEFORE, _HEAD)),
        _delivery(
            web,
            "somebody joins GitLab, which concerns no project and no group",
            "System Hook",
            {"event_name": "user_create", "user_id": 1002, "username": "lisa", "created_at": _now()},
        ),
        _delivery(
            web,
            "mona pushes again: the project has another path, and the same id",
            "Push Hook",
            _push(renamed, _HEAD, _NEXT),
        ),
        _delivery(web, "mona makes a group in the group", "Subgroup Hook", _subgroup()),
        _delivery(web, "an owner deletes a fourth project", "Project Hook", _destroyed(documents.project(web, 3))),
    )


def _delivery(web: str, title: str, kind: str, document: Document) -> SampleDelivery:
    return SampleDelivery(
        title=title,
        kind=kind,
        delivery_id=str(uuid5(NAMESPACE_URL, title)),
        content=json.dumps(document).encode(),
        headers={"X-Gitlab-Instance": web, "User-Agent": "GitLab/19.0.0"},
    )


def _push(project: Document, before: str, after: str) -> Document:
    commit = {
        "id": after,
        "message": "Greet the world in more words",
        "timestamp": _now(),
        "added": ["greetings/long.md"],
        "modified": ["README.md"],
        "removed": [],
    }
    return {
        "object_kind": "push",
        "event_name": "push",
        "ref": "refs/heads/main",
        "before": before,
        "after": after,
        "checkout_sha": after,
        "user_id": documents.USER_ID,
        "user_username": documents.USER,
        "project_id": project["id"],
        "project": project,
        "commits": [commit],
        "total_commits_count": 1,
    }


def _merge_request(project: Document) -> Document:
    return {
        "object_kind": "merge_request",
        "event_type": "merge_request",
        "user": {"id": documents.USER_ID, "username": documents.USER, "name": "Mona"},
        "project": project,
        "object_attributes": {
            "id": 9012,
            "iid": 12,
            "action": "open",
            "title": "Add the soup of the day",
            "source_branch": "kitty/mission-012-soup",
            "target_branch": "main",
            "source_project_id": project["id"],
            "target_project_id": project["id"],
            "last_commit": {"id": _HEAD},
            "updated_at": _now(),
        },
    }


def _subgroup() -> Document:
    return {
        "event_name": "subgroup_create",
        "name": "grill",
        "path": "grill",
        "full_path": "kitchen/grill",
        "group_id": 2003,
        "parent_group_id": documents.GROUP_ID,
        "parent_full_path": documents.GROUP,
        "created_at": _now(),
        "updated_at": _now(),
    }


def _destroyed(project: Document) -> Document:
    return {
        "event_name": "project_destroy",
        "name": project["name"],
        "path": project["path"],
        "path_with_namespace": project["path_with_namespace"],
        "project_id": project["id"],
        "project_namespace_id": documents.GROUP_ID,
        "project_visibility": "private",
        "created_at": _now(),
        "updated_at": _now(),
    }


def _now() -> str:
    """Return the present moment to the microsecond.

    What happened before an account was connected changes nothing, and a demo takes less than a second.
    """
    return datetime.now(UTC).isoformat()
