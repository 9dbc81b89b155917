"""What the stand-in's GitLab consists of: mona, her group with a group in it, and their 25 projects.

The shapes are those of "Users API", "Groups API" and "Projects API".
"""

from __future__ import annotations

from typing import Any

Document = dict[str, Any]

USER_ID = 1001
USER = "mona"
GROUP_ID = 2001
GROUP = "kitchen"
SUBGROUP_ID = 2002
SUBGROUP = "kitchen/pastry"
GROUPS = (GROUP_ID, SUBGROUP_ID)
PROJECT_COUNT = 25
FIRST_PROJECT_ID = 7001
NAMES = ("hello", "menu", "orders")
"""The names of the first projects; the others are numbered, and every fifth is in the subgroup."""

_SINCE = "2026-01-02T03:04:05.000Z"


def person(web: str) -> Document:
    """Return mona."""
    return {
        "id": USER_ID,
        "username": USER,
        "name": "Mona",
        "state": "active",
        "locked": False,
        "web_url": f"{web}/{USER}",
    }


def group(web: str, group_id: int) -> Document:
    """Return the group, or the group in it."""
    path = GROUP if group_id == GROUP_ID else SUBGROUP
    return {
        "id": group_id,
        "name": path.rpartition("/")[2],
        "path": path.rpartition("/")[2],
        "full_path": path,
        "full_name": path.replace("/", " / "),
        "parent_id": None if group_id == GROUP_ID else GROUP_ID,
        "visibility": "private",
        "web_url": f"{web}/groups/{path}",
        "created_at": _SINCE,
        "archived": False,
        "marked_for_deletion_on": None,
    }


def project(web: str, index: int) -> Document:
    """Return the project at a position of the listing, from 0."""
    name = NAMES[index] if index < len(NAMES) else f"project-{index:02}"
    group_id, namespace = (SUBGROUP_ID, SUBGROUP) if index % 5 == 4 else (GROUP_ID, GROUP)
    path = f"{namespace}/{name}"
    return {
        "id": FIRST_PROJECT_ID + index,
        "name": name,
        "path": name,
        "path_with_namespace": path,
        "name_with_namespace": path.replace("/", " / "),
        "default_branch": "main",
        "visibility": "private",
        "archived": False,
        "web_url": f"{web}/{path}",
        "http_url_to_repo": f"{web}/{path}.git",
        "ssh_url_to_repo": f"git@{web.partition('://')[2].partition(':')[0]}:{path}.git",
        "created_at": _SINCE,
        "last_activity_at": _SINCE,
        "marked_for_deletion_on": None,
        "namespace": {
            "id": group_id,
            "kind": "group",
            "name": namespace.rpartition("/")[2],
            "path": namespace.rpartition("/")[2],
            "full_path": namespace,
            "web_url": f"{web}/groups/{namespace}",
        },
    }


def hook(hook_id: int, given: Document, *, signs: bool) -> Document:
    """Return a webhook as it is read back: which secrets it has, and never what they are."""
    secrets = {"token_present": bool(given.get("token"))}
    if signs:
        secrets["signing_token_present"] = bool(given.get("signing_token"))
    shown = {name: value for name, value in given.items() if name not in {"token", "signing_token"}}
    return {
        **shown,
        **secrets,
        "id": hook_id,
        "created_at": _SINCE,
        "alert_status": "executable",
        "disabled_until": None,
        "url_variables": [],
        "custom_headers": [],
    }
