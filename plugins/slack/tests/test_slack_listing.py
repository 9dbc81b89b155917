"""Listing: which channels there are, over pages and workspaces."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from speckitty_connectors.plugin import (
    Account,
    ApiError,
    ApiForbiddenError,
    ApiNotFoundError,
    App,
    Listing,
    Resource,
)
from speckitty_connectors_slack import plugin

WORKSPACE = Account(id="T1", kind="workspace")
ORGANIZATION = Account(id="E1", kind="organization")
PRIVATE = ("channels:read", "groups:read")


def channels(*ids: str, cursor: str = "", **values: Any) -> dict[str, Any]:
    """Return a page of channels in which the app is a member."""
    found = [{"id": each, "name": each.lower(), "is_member": True, **values} for each in ids]
    return {"ok": True, "channels": found, "response_metadata": {"next_cursor": cursor}}


def teams(*ids: str, cursor: str = "") -> dict[str, Any]:
    found = [{"id": each, "name": each} for each in ids]
    return {"ok": True, "teams": found, "response_metadata": {"next_cursor": cursor}}


@pytest.fixture
def listed(app: Callable[..., App]) -> Callable[..., list[tuple[list[str], str]]]:
    """List, and return the ids of each page with its cursor."""

    def read(session: Any, account: Account = WORKSPACE, **values: Any) -> list[tuple[list[str], str]]:
        listing = Listing(**{"app": app(), "account": account, "session": session, "scopes": PRIVATE, **values})
        return [([each.id for each in page.resources], page.cursor) for page in plugin.list_resources(listing)]

    return read


def test_a_channel_is_described(app: Callable[..., App], session: Callable[..., Any]) -> None:
    """Its id, name, page and flags; privacy is what the flag says, whatever the prefix."""
    answers = session(channels("G1", is_private=True, is_archived=True, is_ext_shared=True, is_shared=True))
    listing = Listing(app=app(), account=WORKSPACE, session=answers, scopes=PRIVATE)
    (page,) = plugin.list_resources(listing)
    assert page.resources == (
        Resource(
            kind="channel",
            id="G1",
            key="#g1",
            url="https://app.slack.com/client/T1/G1",
            archived=True,
            private=True,
            attributes={
                "workspace_id": "T1",
                "is_member": "true",
                "is_shared": "true",
                "is_ext_shared": "true",
                "is_org_shared": "false",
            },
        ),
    )


def test_pages_follow_their_cursor_even_through_an_empty_one(
    listed: Callable[..., Any], session: Callable[..., Any]
) -> None:
    """A page may be empty while more follow; the team is always named, and the end has no cursor."""
    answers = session(channels("C1", cursor="a"), channels(cursor="b"), channels("C2"))
    assert listed(answers, page_size=2) == [(["C1"], "T1|a"), ([], "T1|b"), (["C2"], "")]
    types = "public_channel,private_channel"
    asked = {"types": types, "limit": "2", "team_id": "T1"}
    assert answers.asked == [
        ("/conversations.list", asked),
        ("/conversations.list", {**asked, "cursor": "a"}),
        ("/conversations.list", {**asked, "cursor": "b"}),
    ]


def test_a_listing_resumes_after_its_cursor(listed: Callable[..., Any], session: Callable[..., Any]) -> None:
    """Nothing that was listed before is asked for again."""
    answers = session(channels("C3"))
    assert listed(answers, cursor="T1|b") == [(["C3"], "")]
    assert answers.asked[0][1]["cursor"] == "b"


def test_private_channels_are_asked_for_where_their_scope_was_granted(
    listed: Callable[..., Any], session: Callable[..., Any]
) -> None:
    """Asking without the optional scope would fail, so public channels alone are asked for."""
    answers = session(channels("C1"))
    listed(answers, scopes=("channels:read",))
    assert answers.asked[0][1]["types"] == "public_channel"


def test_a_channel_without_the_app_is_listed_only_on_demand(
    app: Callable[..., App], listed: Callable[..., Any], session: Callable[..., Any]
) -> None:
    """The app hears nothing there, so by default it isn't there to map; a setting shows it all the same."""
    answers = [channels("C1", is_member=False)]
    assert listed(session(*answers)) == [([], "")]
    assert listed(session(*answers), app=app(channels="all")) == [(["C1"], "")]


def test_an_organizations_workspaces_are_listed_one_by_one(
    listed: Callable[..., Any], session: Callable[..., Any]
) -> None:
    """Each with its own pages, in the order of their ids, whatever order Slack names them in."""
    answers = session(
        teams("T2", cursor="x"), teams("T1"), channels("C1", cursor="a"), channels("C2"), channels("C3")
    )
    assert listed(answers, ORGANIZATION) == [(["C1"], "T1|a"), (["C2"], "T2|"), (["C3"], "")]
    assert [url for url, _ in answers.asked[:2]] == ["/auth.teams.list", "/auth.teams.list"]
    assert [parameters.get("team_id") for _, parameters in answers.asked[2:]] == ["T1", "T1", "T2"]


@pytest.mark.parametrize(("cursor", "asked"), [("T2|", ["T2", "T3"]), ("T2|b", ["T2", "T3"]), ("T4|", [])])
def test_an_organizations_listing_resumes_in_its_workspace(
    listed: Callable[..., Any], session: Callable[..., Any], cursor: str, asked: list[str]
) -> None:
    """Workspaces before it were listed; where none is left, the listing ends."""
    answers = session(teams("T1", "T2", "T3"), *(channels("C1") for _ in asked))
    pages = listed(answers, ORGANIZATION, cursor=cursor)
    assert [parameters["team_id"] for _, parameters in answers.asked[1:]] == asked
    assert pages[-1][1] == ""


def test_a_resumed_listing_whose_workspace_is_gone_begins_the_next_one_anew(
    listed: Callable[..., Any], session: Callable[..., Any]
) -> None:
    """The cursor belongs to the workspace that was taken away."""
    answers = session(teams("T1", "T3"), channels("C3"))
    listed(answers, ORGANIZATION, cursor="T2|b")
    assert "cursor" not in answers.asked[1][1]


def refused(code: str) -> ApiError:
    """Return how core tells of an error code."""
    statuses = {"team_access_not_granted": ApiForbiddenError, "team_not_found": ApiNotFoundError}
    return statuses.get(code, ApiError)(f"answered {code}", status=400)


@pytest.mark.parametrize("code", ["team_access_not_granted", "team_not_found", "ekm_access_denied"])
def test_a_workspace_that_refuses_hides_no_other(
    listed: Callable[..., Any], session: Callable[..., Any], code: str
) -> None:
    """It is skipped with the reason; where all refuse, the listing has failed."""
    answers = session(teams("T1", "T2", "T3"), channels("C1"), refused(code), channels("C3"))
    assert listed(answers, ORGANIZATION) == [(["C1"], "T2|"), ([], "T3|"), (["C3"], "")]
    with pytest.raises(ApiError):
        listed(session(teams("T1", "T2"), refused(code), refused(code)), ORGANIZATION)


def test_a_cursor_that_slack_does_not_know_is_no_refusal(
    listed: Callable[..., Any], session: Callable[..., Any]
) -> None:
    """Core begins such a listing anew."""
    with pytest.raises(ApiError):
        listed(session(teams("T1", "T2"), refused("invalid_cursor")), ORGANIZATION, cursor="T1|gone")


def test_an_organization_without_workspaces_has_no_channels(
    listed: Callable[..., Any], session: Callable[..., Any]
) -> None:
    """Until an admin adds one, the listing is complete and empty."""
    assert listed(session(teams()), ORGANIZATION) == [([], "")]


@pytest.mark.parametrize("answer", [{"ok": True}, {"ok": True, "channels": [{"name": "x"}]}, []])
def test_an_answer_that_is_none_is_told(
    listed: Callable[..., Any], session: Callable[..., Any], answer: object
) -> None:
    """Nothing is taken for an empty page that isn't one."""
    with pytest.raises(ApiError):
        listed(session(answer))
