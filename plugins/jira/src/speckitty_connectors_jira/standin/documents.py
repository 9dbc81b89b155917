"""What the stand-in's Jira consists of: mona, her site, and its 25 projects.

The shapes are those of Atlassian's description of the REST API.
"""

from __future__ import annotations

from typing import Any

Document = dict[str, Any]

CLOUD_ID = "35273b54-3f06-40d2-880f-dd28cf8daafa"
SITE = "https://octo-org.atlassian.net"
"""The address of the site; its pages aren't served."""

ACCOUNT_ID = "5b10ac8d82e05b22cc7d4ef5"
USER_KEY = "JIRAUSER10100"
PROJECT_COUNT = 25
FIRST_PROJECT_ID = 10001
KEYS = ("HELLO", "MENU", "ORDERS")
"""The keys of the first projects; the others are numbered."""


def sites(scopes: tuple[str, ...]) -> list[Document]:
    """Return the site as two products reach it: both entries have one id, only the scopes differ."""
    jira = [scope for scope in scopes if "jira" in scope]
    return [_site(scopes=["read:confluence-content.summary"]), _site(scopes=jira)]


def _site(*, scopes: list[str]) -> Document:
    return {
        "id": CLOUD_ID,
        "name": "octo-org",
        "url": SITE,
        "scopes": scopes,
        "avatarUrl": f"{SITE}/avatars/site.png",
    }


def person() -> Document:
    """Return mona as "User identity API" shows her."""
    return {"account_id": ACCOUNT_ID, "account_type": "atlassian", "account_status": "active", "name": "Mona"}


def server(web: str) -> Document:
    """Return the "ServerInformation" of the Data Center instance."""
    return {"baseUrl": web, "serverTitle": "Octo Jira", "version": "10.3.0", "deploymentType": "Server"}


def server_person(web: str) -> Document:
    """Return mona as a user of the Data Center instance."""
    return {"self": f"{web}/rest/api/2/user?key={USER_KEY}", "key": USER_KEY, "name": "mona", "displayName": "Mona"}


def user() -> Document:
    """Return mona as deliveries name her."""
    link = f"{SITE}/rest/api/2/user?accountId={ACCOUNT_ID}"
    return {
        "self": link,
        "accountId": ACCOUNT_ID,
        "accountType": "atlassian",
        "displayName": "Mona",
        "active": True,
    }


def project(index: int, *, former_keys: tuple[str, ...] = (), key: str = "") -> Document:
    """Return the "Project" at a position of the listing, from 0."""
    number = FIRST_PROJECT_ID + index
    key = key or (KEYS[index] if index < len(KEYS) else f"PRJ{index:02}")
    return {
        "self": f"{SITE}/rest/api/3/project/{number}",
        "id": str(number),
        "key": key,
        "name": key.title(),
        "projectKeys": [key, *former_keys],
        "projectTypeKey": "software",
        "simplified": False,
        "style": "classic",
        "isPrivate": False,
    }


def issue(project: Document, number: int) -> Document:
    """Return an issue of a project as deliveries hold it."""
    issue_id = 20000 + number
    fields = {"summary": "Add the soup of the day", "issuetype": {"id": "10001", "name": "Task"}}
    short = {name: project[name] for name in ("self", "id", "key", "name", "projectTypeKey")}
    return {
        "id": str(issue_id),
        "key": f"{project['key']}-{number}",
        "self": f"{SITE}/rest/api/2/issue/{issue_id}",
        "fields": {**fields, "project": short},
    }
