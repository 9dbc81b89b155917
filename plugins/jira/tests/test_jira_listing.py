"""Listing projects: every page once, resumable, and the site itself looked at first."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from attrs import evolve

from speckitty_connectors.plugin import (
    Account,
    AccountGoneError,
    ApiError,
    ApiThrottledError,
    App,
    Listing,
    Resource,
    ResourcePage,
)
from speckitty_connectors_jira import plugin

SITES = "GET https://api.atlassian.com/oauth/token/accessible-resources"
STATES = "expand=projectKeys&status=live&status=archived&status=deleted"
SITE = Account(id="c1", name="octo-org", kind="site", url="https://octo-org.atlassian.net")
TODAY = {"id": "c1", "name": "octo", "url": "https://octo.atlassian.net", "scopes": ["read:jira-work"]}


def search(start: int, size: int = 100) -> str:
    return f"GET /rest/api/3/project/search?startAt={start}&maxResults={size}&{STATES}"


def project(number: int, **fields: Any) -> dict[str, Any]:
    key = f"P{number}"
    link = f"https://api.atlassian.com/ex/jira/c1/rest/api/3/project/{number}"
    return {
        "self": link,
        "id": str(number),
        "key": key,
        "name": f"Project {number}",
        "projectKeys": [key],
        **fields,
    }


def page(*projects: dict[str, Any], is_last: bool) -> dict[str, Any]:
    return {"values": list(projects), "startAt": 0, "maxResults": 50, "total": 250, "isLast": is_last}


@pytest.fixture
def listed(app: App) -> Callable[..., list[ResourcePage]]:
    """List the site over a session."""

    def make(session: Any, **fields: Any) -> list[ResourcePage]:
        return list(plugin.list_resources(Listing(app=app, account=SITE, session=session, **fields)))

    return make


def ids(pages: list[ResourcePage]) -> list[list[str]]:
    return [[resource.id for resource in page.resources] for page in pages]


def test_pages_advance_by_what_came(listed: Callable[..., Any], session: Callable[..., Any]) -> None:
    """Jira may give fewer than asked for, so each page starts where the last one ended."""
    first, second = page(project(1), project(2), is_last=False), page(project(3), is_last=True)
    jira = session({SITES: [TODAY], search(0): first, search(2): second})
    pages = listed(jira)
    assert (ids(pages), [page.cursor for page in pages]) == ([["1", "2"], ["3"]], ["2", ""])
    assert [asked for asked, _ in jira.asked] == [SITES, search(0), search(2)]


def test_an_empty_page_ends_the_listing(listed: Callable[..., Any], session: Callable[..., Any]) -> None:
    """A page without projects is the last one, whatever it says of itself."""
    pages = listed(session({SITES: [TODAY], search(0): page(is_last=False)}))
    assert (ids(pages), pages[0].cursor) == ([[]], "")


def test_a_listing_resumes_at_its_cursor(listed: Callable[..., Any], session: Callable[..., Any]) -> None:
    """With a cursor nothing before it is asked for, not even the site."""
    jira = session({search(200): page(project(3), is_last=True)})
    assert ids(listed(jira, cursor="200")) == [["3"]]
    assert len(jira.asked) == 1


def test_the_page_size_is_kept_to_what_jira_allows(listed: Callable[..., Any], session: Callable[..., Any]) -> None:
    """Who asks for more gets a hundred; who asks for less, less."""
    for wanted, size in ((30, 30), (500, 100)):
        listed(session({SITES: [TODAY], search(0, size): page(is_last=True)}), page_size=wanted)


def test_the_site_is_told_by_its_name_and_address_of_today(
    listed: Callable[..., Any], session: Callable[..., Any]
) -> None:
    """Nobody tells of a renamed site: the first page carries it, and links for people lead there."""
    first, second = listed(
        session(
            {
                SITES: [TODAY],
                search(0): page(project(1), is_last=False),
                search(1): page(project(2), is_last=True),
            }
        )
    )
    renamed = Account(id="c1", name="octo", kind="site", url="https://octo.atlassian.net")
    assert (first.account, second.account) == (renamed, None)
    assert [page.resources[0].url for page in (first, second)] == [
        "https://octo.atlassian.net/browse/P1",
        "https://octo.atlassian.net/browse/P2",
    ]


@pytest.mark.parametrize("sites", [[], [{**TODAY, "id": "c2"}], [{**TODAY, "scopes": ["read:confluence"]}]])
def test_a_site_that_the_grant_reaches_no_more_is_gone(
    listed: Callable[..., Any], session: Callable[..., Any], sites: list[Any]
) -> None:
    """An app that was removed from a site is told nothing; that the site is missing says it."""
    with pytest.raises(AccountGoneError, match="isn't among those of the grant"):
        listed(session({SITES: sites}))


def test_a_project_keeps_what_people_and_suggestions_need(
    listed: Callable[..., Any], session: Callable[..., Any]
) -> None:
    """Id, key, former keys, address, state and labels come out of the listing."""
    found = project(
        1,
        projectKeys=["P1", "OLD", "OLDER"],
        projectTypeKey="software",
        style="next-gen",
        isPrivate=True,
        archived=True,
        deleted=True,
        retentionTillDate="2026-02-02",
    )
    (only,) = listed(session({SITES: [TODAY], search(0): page(found, is_last=True)}))
    assert only.resources == (
        Resource(
            kind="project",
            id="1",
            key="P1",
            url="https://octo.atlassian.net/browse/P1",
            archived=True,
            deleted=True,
            private=True,
            former_keys=("OLD", "OLDER"),
            attributes={"name": "Project 1", "type": "software", "style": "next-gen"},
        ),
    )


def test_a_server_gives_all_projects_at_once(server_app: App, session: Callable[..., Any]) -> None:
    """Data Center has no pages and no bin; archived projects are asked for, and the title refreshed."""
    answers = {
        "GET /rest/api/2/serverInfo": {"baseUrl": "https://jira.example/jira/", "serverTitle": "Octo Jira"},
        "GET /rest/api/2/project": [project(1), project(2, archived=True)],
    }
    jira = session(answers)
    account = Account(id="https://jira.example/jira", kind="server")
    (only,) = plugin.list_resources(Listing(app=server_app, account=account, session=jira))
    assert ids([only]) == [["1", "2"]]
    assert only.account == evolve(account, name="Octo Jira", url="https://jira.example/jira")
    assert only.resources[1].url == "https://jira.example/jira/browse/P2"
    assert jira.asked[-1] == ("GET /rest/api/2/project", {"expand": "projectKeys", "includeArchived": "true"})


def test_what_came_before_an_error_stays_good(app: App, session: Callable[..., Any]) -> None:
    """An error on the second page comes after the first page was handed over, with the cursor to resume at."""
    first = page(project(1), is_last=False)
    jira = session({SITES: [TODAY], search(0): first, search(1): ApiThrottledError("429", status=429)})
    pages = plugin.list_resources(Listing(app=app, account=SITE, session=jira))
    assert next(pages).cursor == "1"
    with pytest.raises(ApiThrottledError):
        next(pages)


@pytest.mark.parametrize("document", [[], {}, {"values": [{"id": "1"}]}, {"values": {}}])
def test_an_answer_of_another_shape_is_an_api_error(
    listed: Callable[..., Any], session: Callable[..., Any], document: object
) -> None:
    """A page that isn't the documented answer is an error, never an empty listing."""
    with pytest.raises(ApiError, match="isn't what its documentation says"):
        listed(session({SITES: [TODAY], search(0): document}))
