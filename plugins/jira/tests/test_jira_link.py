"""Linking a person: their account id on Cloud, their key on Data Center, and nothing that changes with a name."""

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
from speckitty_connectors_jira import plugin

ME = "GET https://api.atlassian.com/me"


def test_linking_starts_with_an_authorisation(app: App) -> None:
    """People are asked for what accounts are asked for: a later consent replaces the scopes of an earlier one."""
    assert plugin.link_user(Conversation(app=app, state="s")) == Authorize()
    assert plugin.manifest.link_oauth == plugin.manifest.install_oauth


def test_a_person_is_known_by_their_account_id(app: App, session: Callable[..., Any]) -> None:
    """The id is the same in every product of Atlassian's; name and e-mail are labels, and may be hidden."""
    grant = Grant(scopes=(), session=session({ME: {"account_id": "5b10", "email": None, "name": "Mona"}}))
    answer = plugin.link_user(Conversation(app=app, state="s", grant=grant))
    assert answer == Linked(identity=ExternalIdentity(id="5b10", name="Mona"))


def test_a_user_of_a_server_is_known_by_their_key(server_app: App, session: Callable[..., Any]) -> None:
    """On Data Center the name may change, the key doesn't."""
    answers = {"GET /rest/api/2/myself": {"key": "JIRAUSER1", "name": "mona", "displayName": "Mona"}}
    answer = plugin.link_user(
        Conversation(app=server_app, state="s", grant=Grant(scopes=(), session=session(answers)))
    )
    assert answer == Linked(identity=ExternalIdentity(id="JIRAUSER1", name="Mona", kind="user"))


def test_a_deleted_account_links_nobody(app: App, session: Callable[..., Any]) -> None:
    """Atlassian gives all deleted accounts one id; it is nobody's."""
    grant = Grant(scopes=(), session=session({ME: {"account_id": "unknown", "name": ""}}))
    answer = plugin.link_user(Conversation(app=app, state="s", grant=grant))
    assert isinstance(answer, Refused)
    assert answer.code == "account_deleted"


@pytest.mark.parametrize("document", [None, [], {}, {"account_id": 7}])
def test_an_answer_of_another_shape_is_an_api_error(
    app: App, session: Callable[..., Any], document: object
) -> None:
    """What isn't the documented answer links nobody."""
    grant = Grant(scopes=(), session=session({ME: document}))
    with pytest.raises(ApiError, match="isn't what its documentation says"):
        plugin.link_user(Conversation(app=app, state="s", grant=grant))
