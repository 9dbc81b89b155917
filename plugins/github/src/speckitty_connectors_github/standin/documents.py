"""What the stand-in's GitHub consists of: mona, her organization, and its 25 repositories.

The shapes are those of GitHub's REST API description.
"""

from __future__ import annotations

from typing import Any

Document = dict[str, Any]

APP_ID = 31
APP_SLUG = "kitty-stand-in"
INSTALLATION_ID = 4242
ORGANIZATION_ID = 2001
ORGANIZATION = "octo-org"
USER_ID = 1001
USER = "mona"
REPOSITORY_COUNT = 25
FIRST_REPOSITORY_ID = 7001
PERMISSIONS = {"contents": "read", "issues": "read", "members": "read", "metadata": "read", "pull_requests": "read"}
NAMES = ("hello", "menu", "orders")
"""The names of the first repositories; the others are numbered."""

_SINCE = "2026-01-02T03:04:05Z"
_OWNER_LINKS = "events followers following gists organizations received_events repos starred subscriptions"
_REPOSITORY_LINKS = (
    "archive assignees blobs branches collaborators comments commits compare contents contributors deployments "
    "downloads events forks git_commits git_refs git_tags hooks issue_comment issue_events issues keys labels "
    "languages merges milestones notifications pulls releases stargazers statuses subscribers subscription tags "
    "teams trees"
)


def owner(web: str, *, login: str, owner_id: int, kind: str) -> Document:
    """Return a "simple-user", which an organization is too."""
    api = f"{web}/api/v3/users/{login}"
    return {
        "id": owner_id,
        "node_id": f"node-{owner_id}",
        "login": login,
        "type": kind,
        "site_admin": False,
        "avatar_url": f"{web}/avatars/{owner_id}",
        "gravatar_id": "",
        "html_url": f"{web}/{login}",
        "url": api,
        **{f"{name}_url": f"{api}/{name}" for name in _OWNER_LINKS.split()},
    }


def organization(web: str) -> Document:
    """Return the organization that has the app."""
    return owner(web, login=ORGANIZATION, owner_id=ORGANIZATION_ID, kind="Organization")


def person(web: str) -> Document:
    """Return mona as a "simple-user"."""
    return owner(web, login=USER, owner_id=USER_ID, kind="User")


def profile(web: str) -> Document:
    """Return mona as a "public-user", which is what a GitHub App sees."""
    nothing = dict.fromkeys(("bio", "blog", "company", "email", "hireable", "location"))
    counts = dict.fromkeys(("followers", "following", "public_gists", "public_repos"), 0)
    times = {"created_at": _SINCE, "updated_at": _SINCE}
    return {**person(web), **nothing, **counts, **times, "name": "Mona", "user_view_type": "public"}


def membership(web: str) -> Document:
    """Return mona's "org-membership": she owns the organization."""
    api = f"{web}/api/v3/orgs/{ORGANIZATION}"
    return {
        "url": f"{api}/memberships/{USER}",
        "state": "active",
        "role": "admin",
        "organization_url": api,
        "organization": {"id": ORGANIZATION_ID, "login": ORGANIZATION, "url": api},
        "user": person(web),
    }


def installation(web: str, client_id: str) -> Document:
    """Return the one "installation" of the app."""
    api = f"{web}/api/v3"
    return {
        "id": INSTALLATION_ID,
        "account": organization(web),
        "repository_selection": "all",
        "access_tokens_url": f"{api}/app/installations/{INSTALLATION_ID}/access_tokens",
        "repositories_url": f"{api}/installation/repositories",
        "html_url": f"{web}/organizations/{ORGANIZATION}/settings/installations/{INSTALLATION_ID}",
        "app_id": APP_ID,
        "app_slug": APP_SLUG,
        "client_id": client_id,
        "target_id": ORGANIZATION_ID,
        "target_type": "Organization",
        "permissions": PERMISSIONS,
        "events": ["push", "pull_request", "repository"],
        "created_at": _SINCE,
        "updated_at": _SINCE,
        "single_file_name": None,
        "suspended_by": None,
        "suspended_at": None,
    }


def repository(web: str, index: int) -> Document:
    """Return the "repository" at a position of the listing, from 0."""
    name = NAMES[index] if index < len(NAMES) else f"project-{index:02}"
    full_name = f"{ORGANIZATION}/{name}"
    api, html = f"{web}/api/v3/repos/{full_name}", f"{web}/{full_name}"
    flags = ("archived", "disabled", "fork", "has_pages", "private")
    features = ("has_downloads", "has_issues", "has_projects", "has_wiki")
    counts = ("forks", "forks_count", "open_issues", "open_issues_count", "size", "stargazers_count")
    times = ("created_at", "pushed_at", "updated_at")
    return {
        **dict.fromkeys(flags, False),
        **dict.fromkeys(features, True),
        **dict.fromkeys((*counts, "watchers", "watchers_count"), 0),
        **dict.fromkeys(times, _SINCE),
        **dict.fromkeys(("description", "homepage", "language", "license", "mirror_url")),
        **{f"{link}_url": f"{api}/{link}" for link in _REPOSITORY_LINKS.split()},
        "id": FIRST_REPOSITORY_ID + index,
        "node_id": f"node-{FIRST_REPOSITORY_ID + index}",
        "name": name,
        "full_name": full_name,
        "owner": organization(web),
        "default_branch": "main",
        "visibility": "public",
        "url": api,
        "html_url": html,
        "clone_url": f"{html}.git",
        "svn_url": html,
        "git_url": f"git:{html.partition(':')[2]}.git",
        "ssh_url": f"git@{web.partition('://')[2].partition(':')[0]}:{full_name}.git",
    }
