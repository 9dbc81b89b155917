"""Listing a group: every page once, resumable, hierarchy by ids, and with as few requests as can be."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from attrs import evolve

from speckitty_connectors.plugin import (
    Account,
    ApiError,
    ApiForbiddenError,
    ApiNotFoundError,
    ApiThrottledError,
    App,
    Listing,
    Resource,
)
from speckitty_connectors_gitlab import plugin

GROUP = "GET /groups/2001?with_projects=false"
PROJECTS = "GET /groups/2001/projects?include_subgroups=true&with_shared=false&order_by=id&sort=asc&per_page=100"
SECOND = "https://gitlab.com/api/v4/groups/2001/projects?page=2&per_page=100"
THIRD = "https://gitlab.com/api/v4/groups/2001/projects?page=3&per_page=100"


def subgroups(group_id: int) -> str:
    return f"GET /groups/{group_id}/subgroups?order_by=id&sort=asc&per_page=100"


def group(number: int, path: str, parent: int | None = 2001) -> dict[str, Any]:
    return {
        "id": number,
        "name": path.title(),
        "full_path": path,
        "parent_id": parent,
        "visibility": "private",
        "web_url": f"https://gitlab.com/groups/{path}",
    }


def project(number: int, *, inside: int = 2001, kind: str = "group", **fields: Any) -> dict[str, Any]:
    path = f"kitchen/project-{number}"
    return {
        "id": number,
        "name": f"Project {number}",
        "path_with_namespace": path,
        "web_url": f"https://gitlab.com/{path}",
        "visibility": "public",
        "archived": False,
        "default_branch": "main",
        "namespace": {"id": inside, "kind": kind},
        **fields,
    }


@pytest.fixture
def listing(app: App, account: Account) -> Callable[..., Listing]:
    """Make a request for a listing over a session."""

    def make(session: Any, **fields: Any) -> Listing:
        return Listing(app=app, account=account, session=session, **fields)

    return make


@pytest.fixture
def kitchen() -> dict[str, object]:
    """A group with three pages of projects, and two groups in each other in it."""
    return {
        GROUP: group(2001, "kitchen", None),
        PROJECTS: ([project(1), project(2)], SECOND),
        f"GET {SECOND}": ([], THIRD),
        f"GET {THIRD}": [project(3, inside=2003)],
        subgroups(2001): [group(2002, "kitchen/pastry")],
        subgroups(2002): [group(2003, "kitchen/pastry/cakes", 2002)],
        subgroups(2003): [],
    }


def test_everything_in_the_group_comes_once(
    listing: Callable[..., Listing], session: Callable[..., Any], kitchen: dict[str, object]
) -> None:
    """Pages are followed by the links that GitLab gave, by number or by key, and each thing is asked for once."""
    gitlab = session(kitchen)
    pages = list(plugin.list_resources(listing(gitlab)))
    assert [(found.kind, found.id, found.parent_id) for page in pages for found in page.resources] == [
        ("group", "2001", ""),
        ("project", "1", "2001"),
        ("project", "2", "2001"),
        ("project", "3", "2003"),
        ("group", "2002", "2001"),
        ("group", "2003", "2002"),
    ]
    assert [request for request, _ in gitlab.asked] == list(kitchen)
    assert [page.cursor == "" for page in pages] == [False] * 6 + [True]


def test_a_page_is_asked_for_when_it_is_wanted(
    listing: Callable[..., Listing], session: Callable[..., Any], kitchen: dict[str, object]
) -> None:
    """Whoever stops after the first page causes no further request."""
    gitlab = session(kitchen)
    next(iter(plugin.list_resources(listing(gitlab))))
    assert len(gitlab.asked) == 1


def test_a_listing_resumes_after_any_page(
    listing: Callable[..., Listing], session: Callable[..., Any], kitchen: dict[str, object]
) -> None:
    """What comes after a page's cursor is what would have come after the page, and nothing before it is asked."""
    whole = list(plugin.list_resources(listing(session(kitchen))))
    for number, page in enumerate(whole[:-1], start=1):
        gitlab = session(kitchen)
        resumed = list(plugin.list_resources(listing(gitlab, cursor=page.cursor)))
        assert resumed == whole[number:]
        assert len(gitlab.asked) == len(whole) - number


def test_a_member_is_asked_for_in_their_own_name(
    listing: Callable[..., Listing], session: Callable[..., Any], kitchen: dict[str, object]
) -> None:
    """GitLab shows a member what they may see at the same addresses; smaller pages are asked for where wanted."""
    gitlab = session({name.replace("per_page=100", "per_page=7"): value for name, value in kitchen.items()})
    assert GROUP in gitlab.answers
    pages = plugin.list_resources(listing(gitlab, as_member=True, page_size=7))
    with pytest.raises(KeyError, match="page=2"):
        list(pages)
    assert "per_page=7" in gitlab.asked[1][0]


def test_a_project_is_described_by_what_it_is_today(
    listing: Callable[..., Listing], session: Callable[..., Any], kitchen: dict[str, object]
) -> None:
    """Id, path, page, group, state and labels; one that is marked for deletion is still there."""
    kitchen[PROJECTS] = [
        project(1, archived=True, visibility="internal", marked_for_deletion_on="2026-01-09", default_branch=None)
    ]
    pages = list(plugin.list_resources(listing(session(kitchen))))
    assert pages[1].resources == (
        Resource(
            kind="project",
            id="1",
            key="kitchen/project-1",
            url="https://gitlab.com/kitchen/project-1",
            parent_id="2001",
            archived=True,
            private=True,
            attributes={
                "name": "Project 1",
                "default_branch": "",
                "visibility": "internal",
                "deleted_on": "2026-01-09",
            },
        ),
    )


def test_a_persons_namespace_is_no_group(
    listing: Callable[..., Listing], session: Callable[..., Any], kitchen: dict[str, object]
) -> None:
    """Its number may be that of some group elsewhere, so nothing is said to contain the project."""
    kitchen[PROJECTS] = [project(1, inside=2002, kind="user")]
    pages = list(plugin.list_resources(listing(session(kitchen))))
    assert pages[1].resources[0].parent_id == ""


def test_an_error_in_the_middle_passes(
    listing: Callable[..., Listing], session: Callable[..., Any], kitchen: dict[str, object]
) -> None:
    """What was yielded before stays good, and nothing that failed is taken for empty."""
    for error in (ApiThrottledError("slow down", retry_after_seconds=60), ApiNotFoundError("no", status=404)):
        kitchen[f"GET {SECOND}"] = error
        pages = plugin.list_resources(listing(session(kitchen)))
        assert [len(next(pages).resources), len(next(pages).resources)] == [1, 2]
        with pytest.raises(type(error)):
            next(pages)


@pytest.mark.parametrize("error", [ApiForbiddenError("no", status=403), ApiNotFoundError("gone", status=404)])
def test_a_group_that_refuses_hides_no_other(
    listing: Callable[..., Listing], session: Callable[..., Any], kitchen: dict[str, object], error: ApiError
) -> None:
    """It is skipped with the reason, and the rest is listed; the account itself may not refuse."""
    kitchen[subgroups(2001)] = [group(2002, "kitchen/pastry"), group(2004, "kitchen/bar")]
    kitchen[subgroups(2004)] = [group(2005, "kitchen/bar/coffee", 2004)]
    kitchen[subgroups(2005)] = []
    kitchen[subgroups(2002)] = error
    pages = list(plugin.list_resources(listing(session(kitchen))))
    assert [page.skipped for page in pages if page.skipped] == [(f"group 2002: {error.what}",)]
    assert [each.id for page in pages for each in page.resources if each.kind == "group"] == [
        "2001", "2002", "2004", "2005",
    ]  # fmt: skip
    kitchen[subgroups(2001)] = error
    with pytest.raises(type(error)):
        list(plugin.list_resources(listing(session(kitchen))))


@pytest.mark.parametrize(
    ("url", "headers", "is_cut"),
    [
        (PROJECTS, {"X-Total": "3"}, False),
        (PROJECTS, {"X-Total": "4"}, True),
        (PROJECTS, {}, False),
        (f"GET {SECOND}", {"X-Total": "200", "X-Per-Page": "100"}, True),
        (f"GET {SECOND}", {"X-Total": "103", "X-Per-Page": "100"}, False),
        (f"GET {SECOND}", {"X-Total": "200"}, False),
    ],
)
def test_a_list_that_ends_before_all_that_is_counted(
    url: str,
    headers: dict[str, str],
    is_cut: bool,
    listing: Callable[..., Listing],
    session: Callable[..., Any],
    kitchen: dict[str, object],
) -> None:
    """More was promised than given: the listing has failed, whatever page is the last one."""
    answers = session({**kitchen, PROJECTS: ([project(1)], SECOND)})
    last = [project(number) for number in range(3)]
    answers.answers = {**answers.answers, url: evolve(session({url: last}).answers[url], headers=headers)}
    found = plugin.list_resources(listing(answers))
    if is_cut:
        with pytest.raises(ApiError, match="and gave"):
            list(found)
    else:
        assert list(found)


@pytest.mark.parametrize("answer", [{}, {"message": "ok"}, [{"id": "one"}], [{"id": 1}], "text", None])
def test_an_answer_of_another_shape_is_an_error(
    answer: object, listing: Callable[..., Listing], session: Callable[..., Any], kitchen: dict[str, object]
) -> None:
    """What isn't GitLab's answer is reported, and never taken for an empty listing."""
    kitchen[PROJECTS] = answer
    with pytest.raises(ApiError, match="documentation"):
        list(plugin.list_resources(listing(session(kitchen))))
