"""Listing teams and projects: every page once, resumable, with the workspace as it is called today."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from speckitty_connectors.plugin import Account, ApiError, ApiThrottledError, App, Listing, Resource, ResourcePage
from speckitty_connectors_linear import plugin

ACCOUNT = Account(id="o1", name="octo-org", kind="workspace", url="https://linear.app/octo-org")
TODAY = {"id": "o1", "name": "Octo", "urlKey": "octo"}
AT = "2026-01-02T08:00:00.000Z"


def team(number: int, **fields: Any) -> dict[str, Any]:
    known = {"id": f"t{number}", "key": f"T{number}", "name": f"Team {number}", "visibility": "public"}
    return {**known, "retiredAt": None, "archivedAt": None, "parent": None, **fields}


def project(number: int, **fields: Any) -> dict[str, Any]:
    known = {"id": f"p{number}", "name": f"Project {number}", "url": f"https://linear.app/octo/project/{number}"}
    return {**known, "slugId": f"s{number}", "trashed": None, "archivedAt": None, **fields}


def connection(*nodes: Any, following: str = "") -> dict[str, Any]:
    return {"nodes": list(nodes), "pageInfo": {"hasNextPage": bool(following), "endCursor": following or "end"}}


def teams(*nodes: Any, following: str = "") -> dict[str, Any]:
    return {"organization": TODAY, "teams": connection(*nodes, following=following)}


def projects(*nodes: Any, following: str = "") -> dict[str, Any]:
    return {"projects": connection(*nodes, following=following)}


@pytest.fixture
def listed(app: App) -> Callable[..., list[ResourcePage]]:
    """List the workspace over a session."""

    def make(session: Any, **fields: Any) -> list[ResourcePage]:
        return list(plugin.list_resources(Listing(app=app, account=ACCOUNT, session=session, **fields)))

    return make


def ids(pages: list[ResourcePage]) -> list[list[str]]:
    return [[resource.id for resource in page.resources] for page in pages]


def test_teams_come_first_and_each_page_once(listed: Callable[..., Any], session: Callable[..., Any]) -> None:
    """Linear truncates without a word, so every page is followed to its end, each by the cursor before it."""
    linear = session(
        {
            "Teams": [teams(team(1), team(2), following="c2"), teams(team(3))],
            "Projects": [projects(project(1), following="c4"), projects(project(2))],
        }
    )
    pages = listed(linear, page_size=2)
    assert ids(pages) == [["t1", "t2"], ["t3"], ["p1"], ["p2"]]
    assert [page.cursor for page in pages] == ["team|c2", "project|", "project|c4", ""]
    assert linear.asked == [
        ("Teams", {"first": 2, "after": None}),
        ("Teams", {"first": 2, "after": "c2"}),
        ("Projects", {"first": 2, "after": None}),
        ("Projects", {"first": 2, "after": "c4"}),
    ]


@pytest.mark.parametrize(
    ("cursor", "asked"),
    [
        ("team|c2", [("Teams", "c2"), ("Projects", None)]),
        ("project|", [("Projects", None)]),
        ("project|a|b", [("Projects", "a|b")]),
    ],
)
def test_a_listing_resumes_at_its_cursor(
    cursor: str, asked: list[tuple[str, str | None]], listed: Callable[..., Any], session: Callable[..., Any]
) -> None:
    """Nothing before it is asked for again, whatever Linear's own cursor looks like."""
    linear = session({"Teams": [teams(team(3))], "Projects": [projects(project(1))]})
    listed(linear, cursor=cursor)
    assert [(name, variables["after"]) for name, variables in linear.asked] == asked


def test_a_workspace_is_told_by_its_name_and_address_of_today(
    listed: Callable[..., Any], session: Callable[..., Any]
) -> None:
    """Nobody tells of a workspace's new name or address: pages of teams carry it, and links lead there."""
    first, second = listed(session({"Teams": [teams(team(1))], "Projects": [projects()]}))
    assert first.account == Account(id="o1", name="Octo", kind="workspace", url="https://linear.app/octo")
    assert first.resources[0].url == "https://linear.app/octo/team/T1"
    assert (second.account, second.resources) == (None, ())


@pytest.mark.parametrize(
    ("fields", "differs"),
    [
        ({}, {}),
        ({"retiredAt": AT}, {"archived": True}),
        ({"archivedAt": AT}, {"archived": True}),
        ({"visibility": "private"}, {"private": True}),
        ({"visibility": "restricted"}, {"private": True}),
        ({"parent": {"id": "t9"}}, {"parent_id": "t9"}),
    ],
)
def test_a_team_keeps_what_people_and_suggestions_need(
    fields: dict[str, Any], differs: dict[str, Any], listed: Callable[..., Any], session: Callable[..., Any]
) -> None:
    """Id, key, address, state and the team around it; retired and archived teams are listed as such."""
    pages = listed(session({"Teams": [teams(team(1, **fields))], "Projects": [projects()]}))
    known = {"kind": "team", "id": "t1", "key": "T1", "url": "https://linear.app/octo/team/T1"}
    expected = {**known, "attributes": {"name": "Team 1"}, **differs}
    assert pages[0].resources == (Resource(**expected),)


@pytest.mark.parametrize(
    ("fields", "differs"),
    [
        ({}, {}),
        ({"archivedAt": AT}, {"archived": True}),
        ({"trashed": True, "archivedAt": AT}, {"archived": True, "deleted": True}),
        ({"trashed": False}, {}),
    ],
)
def test_a_project_is_in_no_team(
    fields: dict[str, Any], differs: dict[str, Any], listed: Callable[..., Any], session: Callable[..., Any]
) -> None:
    """It is several teams' own, and events name those that are meant; a binned project is as good as deleted."""
    pages = listed(session({"Teams": [teams()], "Projects": [projects(project(1, **fields))]}))
    known = {"kind": "project", "id": "p1", "key": "Project 1", "url": "https://linear.app/octo/project/1"}
    expected = {**known, "attributes": {"slug": "s1"}, **differs}
    assert pages[1].resources == (Resource(**expected),)


def test_what_came_before_an_error_stays_good(app: App, session: Callable[..., Any]) -> None:
    """An error on the second page comes after the first page was handed over, with the cursor to resume at."""
    linear = session({"Teams": [teams(team(1), following="c1"), ApiThrottledError("400", status=400)]})
    pages = plugin.list_resources(Listing(app=app, account=ACCOUNT, session=linear))
    assert next(pages).cursor == "team|c1"
    with pytest.raises(ApiThrottledError):
        next(pages)


@pytest.mark.parametrize(
    "data",
    [None, [], {}, {"teams": {"nodes": []}}, {"organization": TODAY, "teams": {"nodes": [{"id": "t1"}]}}],
)
def test_an_answer_of_another_shape_is_an_api_error(
    data: object, listed: Callable[..., Any], session: Callable[..., Any]
) -> None:
    """A page that isn't what the schema says is an error, never an empty listing."""
    with pytest.raises(ApiError, match="isn't what its documentation says"):
        listed(session({"Teams": [data]}))
