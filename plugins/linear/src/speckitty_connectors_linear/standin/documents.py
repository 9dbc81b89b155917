"""What the stand-in's Linear consists of: mona, her workspace, its 20 teams and 5 projects.

The shapes are those of Linear's published schema.
"""

from __future__ import annotations

from typing import Any
from uuid import NAMESPACE_URL, uuid5

Document = dict[str, Any]

WORKSPACE = "octo-org"
"""The workspace's key in addresses."""

WEB = f"https://linear.app/{WORKSPACE}"
"""Where its pages would be; they aren't served."""

TEAM_COUNT = 20
PROJECT_COUNT = 5
KEYS = ("HEL", "MEN", "ORD")
"""The keys of the first teams; the others are numbered."""


def uuid_of(name: str) -> str:
    """Return the id of a thing, always the same."""
    return str(uuid5(NAMESPACE_URL, f"{WEB}/{name}"))


ORGANIZATION_ID = uuid_of("organization")
USER_ID = uuid_of("mona")
APP_USER_ID = uuid_of("the app's user")
WEBHOOK_ID = uuid_of("webhook")


def organization() -> Document:
    """Return the "Organization"."""
    return {"id": ORGANIZATION_ID, "name": WORKSPACE, "urlKey": WORKSPACE}


def user(*, is_app: bool) -> Document:
    """Return the "User" in whose name a token speaks: mona, or the app's own."""
    return {"id": APP_USER_ID, "displayName": "kitty"} if is_app else {"id": USER_ID, "displayName": "mona"}


def actor() -> Document:
    """Return mona as deliveries name her ("UserActorWebhookPayload")."""
    return {
        "id": USER_ID,
        "name": "mona",
        "email": "mona@octo.example",
        "url": f"{WEB}/profiles/mona",
        "type": "user",
    }


def team(index: int) -> Document:
    """Return the "Team" at a position of the listing, from 0."""
    key = KEYS[index] if index < len(KEYS) else f"T{index:02}"
    return {
        "id": uuid_of(f"team {index}"),
        "key": key,
        "name": f"Team {key}",
        "visibility": "public",
        "retiredAt": None,
        "archivedAt": None,
        "parent": None,
    }


def project(index: int) -> Document:
    """Return the "Project" at a position of the listing, from 0."""
    number = index + 1
    return {
        "id": uuid_of(f"project {index}"),
        "name": f"Project {number}",
        "url": f"{WEB}/project/project-{number}-{number:012}",
        "slugId": f"{number:012}",
        "trashed": None,
        "archivedAt": None,
    }


def issue(team: Document, number: int, project: Document | None = None) -> Document:
    """Return an issue as deliveries hold it ("IssueWebhookPayload")."""
    identifier = f"{team['key']}-{number}"
    return {
        "id": uuid_of(identifier),
        "identifier": identifier,
        "number": number,
        "title": "Add the soup of the day",
        "teamId": team["id"],
        "team": {name: team[name] for name in ("id", "key", "name")},
        "projectId": project["id"] if project else None,
        "project": {name: project[name] for name in ("id", "name", "url")} if project else None,
        "previousIdentifiers": [],
        "trashed": None,
        "archivedAt": None,
        "url": f"{WEB}/issue/{identifier}/add-the-soup-of-the-day",
    }


def told_project(project: Document) -> Document:
    """Return a project of the first team as deliveries hold it ("ProjectWebhookPayload")."""
    kept = {name: project[name] for name in ("id", "name", "slugId", "url", "trashed", "archivedAt")}
    return {**kept, "teamIds": [team(0)["id"]], "memberIds": [USER_ID]}
