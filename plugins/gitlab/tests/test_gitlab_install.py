"""Connecting a group, step by step: only what the person maintains, and never by a path."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import pytest

from speckitty_connectors.plugin import (
    Account,
    App,
    Authorize,
    ChooseAccount,
    Connected,
    Conversation,
    ExternalIdentity,
    Grant,
    InstallAnswer,
    Linked,
    Refused,
)
from speckitty_connectors_gitlab import plugin

GROUPS = "GET /groups"
NEXT = "https://gitlab.com/api/v4/groups?page=2"
USER = {"id": 1001, "username": "mona"}
KITCHEN = {"id": 2001, "full_path": "kitchen", "parent_id": None, "web_url": "https://gitlab.com/groups/kitchen"}
PASTRY = {"id": 2002, "full_path": "kitchen/pastry", "parent_id": 2001}
GARDEN = {"id": 3001, "full_path": "others/garden", "parent_id": 3000}
KITCHEN_ACCOUNT = Account(id="2001", name="kitchen", kind="group", url="https://gitlab.com/groups/kitchen")
GARDEN_ACCOUNT = Account(id="3001", name="others/garden", kind="group")

Ask = Callable[..., InstallAnswer]


@pytest.fixture
def ask(app: App, session: Callable[..., Any]) -> Ask:
    """Take one step with a grant that reaches these groups, page by page."""

    def step(*pages: list[dict[str, object]], choice: tuple[str, ...] = ()) -> InstallAnswer:
        answers: dict[str, object] = {"GET /user": USER}
        answers[GROUPS] = (pages[0], NEXT) if len(pages) > 1 else pages[0]
        if len(pages) > 1:
            answers[f"GET {NEXT}"] = pages[1]
        grant = Grant(scopes=("api",), session=session(answers))
        return plugin.install(Conversation(app=app, state="s", grant=grant, choice=choice))

    return step


def test_a_person_authorises_first(app: App) -> None:
    """There is no page of an app to install; both conversations begin with the grant."""
    conversation = Conversation(app=app, state="s")
    assert (plugin.install(conversation), plugin.link_user(conversation)) == (Authorize(), Authorize())


def test_the_only_group_is_connected(ask: Ask) -> None:
    """With who connected it, and what is granted; the groups in it belong to it."""
    assert ask([KITCHEN, PASTRY]) == Connected(
        accounts=(KITCHEN_ACCOUNT,),
        scopes=("api",),
        connected_by=ExternalIdentity(id="1001", name="mona"),
    )


def test_a_person_with_several_groups_picks_among_them(ask: Ask) -> None:
    """All pages are shown, one group or several may be picked, and only what is theirs."""
    pages = ([KITCHEN, PASTRY], [GARDEN])
    assert ask(*pages) == ChooseAccount(accounts=(KITCHEN_ACCOUNT, GARDEN_ACCOUNT), several=True)
    chosen = ask(*pages, choice=("3001",))
    assert isinstance(chosen, Connected)
    assert chosen.accounts == (GARDEN_ACCOUNT,)
    both = ask(*pages, choice=("2001", "3001"))
    assert isinstance(both, Connected)
    assert len(both.accounts) == 2


@pytest.mark.parametrize("choice", [("4001",), ("2001", "4001"), ("kitchen",)])
def test_a_group_that_is_not_theirs_cannot_be_picked(choice: tuple[str, ...], ask: Ask) -> None:
    """Whatever the browser sends, the list that GitLab gives decides."""
    answer = ask([KITCHEN], [GARDEN], choice=choice)
    assert isinstance(answer, Refused)
    assert answer.code == "group_not_yours"


def test_who_maintains_no_group_is_told_so(ask: Ask) -> None:
    """Projects of a person's own belong to no group, and can't be connected."""
    answer = ask([])
    assert isinstance(answer, Refused)
    assert answer.code == "no_group"


def test_only_groups_in_which_webhooks_may_be_made_are_asked_for(app: App, session: Callable[..., Any]) -> None:
    """GitLab filters by role, so that a guest's groups never come."""
    gitlab = session({GROUPS: [KITCHEN], "GET /user": USER})
    plugin.install(Conversation(app=app, state="s", grant=Grant(scopes=(), session=gitlab)))
    assert gitlab.asked[0] == (
        GROUPS,
        {"min_access_level": "40", "order_by": "id", "sort": "asc", "per_page": "100"},
    )


@pytest.mark.parametrize(
    ("parameters", "code"),
    [({"error": "access_denied", "state": "s"}, "denied"), ({"error": "invalid_scope"}, "authorization_failed")],
)
def test_a_refusal_on_gitlab_is_explained(parameters: Mapping[str, str], code: str, app: App) -> None:
    """Whoever declined is told so in their own words, in both conversations."""
    conversation = Conversation(app=app, state="s", parameters=parameters)
    for answer in (plugin.install(conversation), plugin.link_user(conversation)):
        assert isinstance(answer, Refused)
        assert answer.code == code


def test_a_person_is_linked_by_their_number(app: App, session: Callable[..., Any]) -> None:
    """A username may be given up and taken by somebody else; the number isn't."""
    grant = Grant(scopes=("read_api",), session=session({"GET /user": USER}))
    answer = plugin.link_user(Conversation(app=app, state="s", grant=grant))
    assert answer == Linked(identity=ExternalIdentity(id="1001", name="mona"))
