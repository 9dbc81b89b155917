"""Linking a person: their numeric id, and nothing that changes with a new name."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from speckitty_connectors.plugin import (
    ApiError,
    App,
    Authorize,
    Conversation,
    ExternalIdentity,
    Grant,
    Linked,
    Refused,
)
from speckitty_connectors_github import plugin


def test_linking_starts_with_an_authorisation(app: App) -> None:
    """Who is signed in with several accounts is asked which one is meant."""
    answer = plugin.link_user(Conversation(app=app, state="s"))
    assert answer == Authorize(parameters={"prompt": "select_account"})


def test_a_person_is_known_by_their_numeric_id(app: App, session: Callable[..., Any]) -> None:
    """The identity is the id, which no rename changes; the login is a label."""
    grant = Grant(scopes=(), session=session({"/user": {"id": 1001, "login": "mona", "type": "User"}}))
    answer = plugin.link_user(Conversation(app=app, state="s", parameters={"code": "c"}, grant=grant))
    assert answer == Linked(identity=ExternalIdentity(id="1001", name="mona", kind="User"))


def test_declining_is_a_refusal(app: App) -> None:
    """Who declines on GitHub is told so, and how to start again."""
    answer = plugin.link_user(Conversation(app=app, state="s", parameters={"error": "access_denied"}))
    assert isinstance(answer, Refused)
    assert answer.code == "denied"


@pytest.mark.parametrize("document", [None, [], {}, {"id": "1001", "login": "mona"}, {"id": 1001}])
def test_an_answer_of_another_shape_is_an_api_error(
    app: App, session: Callable[..., Any], document: object
) -> None:
    """What isn't GitHub's documented answer links nobody."""
    grant = Grant(scopes=(), session=session({"/user": document}))
    with pytest.raises(ApiError, match="isn't what its documentation says"):
        plugin.link_user(Conversation(app=app, state="s", grant=grant))
