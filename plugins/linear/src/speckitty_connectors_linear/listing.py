"""Listing teams, then projects: archived and binned ones as well, because no webhook reports a team."""

from __future__ import annotations

from collections.abc import Iterator

from speckitty_connectors.plugin import ApiError, Listing, Resource, ResourcePage, hookimpl

from .answers import PROJECTS, TEAMS, PageInfo, Project, Projects, Team, Teams, ask
from .manifest import PROJECT, TEAM

_MARK = "|"
"""Between the kind that is listed and Linear's own cursor in ours; no kind holds it."""


@hookimpl
def list_resources(listing: Listing) -> Iterator[ResourcePage]:
    """Yield the pages; the cursor is the kind with Linear's cursor behind it.

    Each page of teams carries the workspace with its name and address of today, which nobody tells either.
    """
    cursor = listing.cursor or f"{TEAM}{_MARK}"
    while cursor:
        kind, _, after = cursor.partition(_MARK)
        page = _teams(listing, after) if kind == TEAM else _projects(listing, after)
        cursor = page.cursor
        yield page


def _teams(listing: Listing, after: str) -> ResourcePage:
    found = ask(listing.session, TEAMS, Teams, first=listing.page_size, after=after or None)
    account = found.organization.account(listing.app.urls)
    return ResourcePage(
        resources=tuple(_team(team, account.url) for team in found.teams.nodes),
        cursor=_following(TEAM, found.teams.page_info) or f"{PROJECT}{_MARK}",
        account=account,
    )


def _projects(listing: Listing, after: str) -> ResourcePage:
    found = ask(listing.session, PROJECTS, Projects, first=listing.page_size, after=after or None)
    return ResourcePage(
        resources=tuple(map(_project, found.projects.nodes)),
        cursor=_following(PROJECT, found.projects.page_info),
    )


def _following(kind: str, page: PageInfo) -> str:
    """Return our cursor of the next page, or empty after the last one.

    Raises:
        ApiError: more follows, and nothing says behind what.
    """
    if not page.has_next_page:
        return ""
    if not page.end_cursor:
        raise ApiError(
            f"Linear has more entries of the kind {kind}, and gave no cursor to them",
            subject="linear.app",
            remedy="list again; nothing is taken for missing",
        )
    return f"{kind}{_MARK}{page.end_cursor}"


def _team(team: Team, workspace: str) -> Resource:
    return Resource(
        kind=TEAM,
        id=team.id,
        key=team.key,
        url=f"{workspace}/team/{team.key}",
        parent_id=team.parent.id if team.parent else "",
        archived=bool(team.retired_at or team.archived_at),
        private=team.visibility != "public",
        attributes={"name": team.name},
    )


def _project(project: Project) -> Resource:
    return Resource(
        kind=PROJECT,
        id=project.id,
        key=project.name,
        url=project.url,
        archived=project.archived_at is not None,
        deleted=bool(project.trashed),
        attributes={"slug": project.slug_id},
    )
