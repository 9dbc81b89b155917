"""Listing repositories: every page once, resumable, and with as few requests as can be."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from speckitty_connectors.plugin import Account, ApiError, ApiThrottledError, App, Listing, Resource
from speckitty_connectors_github import plugin

FIRST = "/installation/repositories"
SECOND = "https://api.github.com/installation/repositories?per_page=100&page=2"
OWNER = {"id": 2001, "login": "octo-org"}


def repository(number: int, **fields: Any) -> dict[str, Any]:
    name = f"project-{number}"
    full_name = f"octo-org/{name}"
    return {
        "id": number,
        "name": name,
        "full_name": full_name,
        "owner": OWNER,
        "private": False,
        "html_url": f"https://github.com/{full_name}",
        "archived": False,
        "default_branch": "main",
        "visibility": "public",
        **fields,
    }


def page(*repositories: dict[str, Any]) -> dict[str, Any]:
    return {"total_count": 250, "repositories": list(repositories)}


@pytest.fixture
def listing(app: App, account: Account) -> Callable[..., Listing]:
    """Make a request for a listing over a session."""

    def make(session: Any, **fields: Any) -> Listing:
        return Listing(app=app, account=account, session=session, installation="42", **fields)

    return make


def test_pages_are_followed_by_their_links(listing: Callable[..., Listing], session: Callable[..., Any]) -> None:
    """Each page is asked for once, full, by the link that GitHub gave; the last one ends the listing."""
    github = session({FIRST: (page(repository(1), repository(2)), SECOND), SECOND: page(repository(3))})
    pages = list(plugin.list_resources(listing(github)))
    assert [[found.id for found in page.resources] for page in pages] == [["1", "2"], ["3"]]
    assert [page.cursor for page in pages] == [SECOND, ""]
    assert github.asked == [(FIRST, {"per_page": "100"}), (SECOND, {})]


def test_a_page_is_asked_for_when_it_is_wanted(
    listing: Callable[..., Listing], session: Callable[..., Any]
) -> None:
    """Whoever stops after the first page causes no further request."""
    github = session({FIRST: (page(repository(1)), SECOND)})
    next(iter(plugin.list_resources(listing(github))))
    assert len(github.asked) == 1


def test_a_listing_resumes_after_the_page_of_its_cursor(
    listing: Callable[..., Listing], session: Callable[..., Any]
) -> None:
    """With a cursor the listing goes on there, and asks for nothing before it."""
    github = session({SECOND: page(repository(3))})
    (resumed,) = plugin.list_resources(listing(github, cursor=SECOND))
    assert [found.id for found in resumed.resources] == ["3"]
    assert github.asked == [(SECOND, {})]


def test_a_member_is_shown_only_what_they_may_see(
    listing: Callable[..., Listing], session: Callable[..., Any]
) -> None:
    """As a member the person's own view of the installation is asked for."""
    github = session({"/user/installations/42/repositories": page(repository(1))})
    (seen,) = plugin.list_resources(listing(github, as_member=True))
    assert [found.id for found in seen.resources] == ["1"]


def test_a_repository_keeps_what_people_and_suggestions_need(
    listing: Callable[..., Listing], session: Callable[..., Any]
) -> None:
    """Id, key, address, state and the labels of a discovered repository come out of the listing."""
    private = repository(1, private=True, archived=True, visibility="internal", default_branch="trunk")
    (seen,) = plugin.list_resources(listing(session({FIRST: page(private)})))
    assert seen.resources == (
        Resource(
            kind="repository",
            id="1",
            key="octo-org/project-1",
            url="https://github.com/octo-org/project-1",
            archived=True,
            private=True,
            attributes={
                "owner": "octo-org",
                "owner_id": "2001",
                "name": "project-1",
                "default_branch": "trunk",
                "visibility": "internal",
            },
        ),
    )


def test_an_old_server_that_states_no_visibility_is_read_by_its_flag(
    listing: Callable[..., Listing], session: Callable[..., Any]
) -> None:
    """Where `visibility` is missing, `private` says it."""
    old = repository(1, private=True)
    del old["visibility"]
    (seen,) = plugin.list_resources(listing(session({FIRST: page(old)})))
    assert seen.resources[0].attributes["visibility"] == "private"


def test_a_smaller_page_is_asked_for_as_wanted(
    listing: Callable[..., Listing], session: Callable[..., Any]
) -> None:
    """The page size asked for is kept to what GitHub allows."""
    for wanted, asked in ((30, "30"), (500, "100")):
        github = session({FIRST: page()})
        list(plugin.list_resources(listing(github, page_size=wanted)))
        assert github.asked == [(FIRST, {"per_page": asked})]


def test_what_came_before_an_error_stays_good(listing: Callable[..., Listing], session: Callable[..., Any]) -> None:
    """An error on the second page comes after the first page was handed over, with the cursor to resume at."""
    github = session({FIRST: (page(repository(1)), SECOND), SECOND: ApiThrottledError("403", status=403)})
    pages = plugin.list_resources(listing(github))
    assert next(pages).cursor == SECOND
    with pytest.raises(ApiThrottledError):
        next(pages)


@pytest.mark.parametrize("document", [[], {}, {"repositories": [{"id": 1}]}, {"repositories": {"id": 1}}])
def test_an_answer_of_another_shape_is_an_api_error(
    listing: Callable[..., Listing], session: Callable[..., Any], document: object
) -> None:
    """A page that isn't GitHub's documented answer is an error, never an empty listing."""
    with pytest.raises(ApiError, match="isn't what its documentation says"):
        list(plugin.list_resources(listing(session({FIRST: document}))))
