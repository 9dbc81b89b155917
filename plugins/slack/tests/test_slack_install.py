"""Connecting: what the person is asked, and which account it was in the end."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from speckitty_connectors.plugin import (
    Account,
    ApiError,
    App,
    Authorize,
    Connected,
    Conversation,
    ExternalIdentity,
    Grant,
    InstallAnswer,
    Refused,
)
from speckitty_connectors_slack import plugin

TEAM = {"team": {"id": "T1", "name": "Octo"}, "enterprise": None, "is_enterprise_install": False}
ORGANIZATION = {"team": None, "enterprise": {"id": "E1", "name": "Group"}, "is_enterprise_install": True}
BY_MONA = {"authed_user": {"id": "U1", "scope": ""}}


@pytest.fixture
def come_back(app: Callable[..., App], session: Callable[..., Any]) -> Callable[..., InstallAnswer]:
    """Come back with a grant, with what "auth.test" says of its token, and "users.info" of the person."""

    def install(details: dict[str, Any], proven: dict[str, Any], *, is_admin: bool = True) -> InstallAnswer:
        role = {"ok": True, "user": {"id": "U1", "is_admin": is_admin, "is_owner": False}}
        answers = session({"ok": True, **proven}, role)
        grant = Grant(scopes=("channels:read",), session=answers, details=details)
        return plugin.install(Conversation(app=app(), state="s", grant=grant))

    return install


def test_the_person_is_asked_for_the_bots_scopes_alone(app: Callable[..., App]) -> None:
    """Nothing is asked of the person themselves, and no workspace is named."""
    assert plugin.install(Conversation(app=app(), state="s")) == Authorize()


def test_their_own_scopes_and_the_expected_account_are_asked_for(app: Callable[..., App]) -> None:
    """A setting names scopes for the person; an account that is connected again is picked in advance."""
    conversation = Conversation(
        app=app(user_scopes="search:read,reactions:read"), state="s", account=Account(id="T1", kind="workspace")
    )
    assert plugin.install(conversation) == Authorize(
        parameters={"user_scope": "search:read,reactions:read", "team": "T1"}
    )


def test_a_workspace_is_connected(come_back: Callable[..., InstallAnswer]) -> None:
    """Its id, name and page, and who added the app; core keeps the granted scopes."""
    proven = {"team_id": "T1", "url": "https://octo.slack.com/", "enterprise_id": None}
    assert come_back({**TEAM, **BY_MONA}, proven) == Connected(
        accounts=(Account(id="T1", name="Octo", kind="workspace", url="https://octo.slack.com/"),),
        connected_by=ExternalIdentity(id="U1"),
    )


def test_who_is_no_admin_connects_nothing(come_back: Callable[..., InstallAnswer]) -> None:
    """Many workspaces let any member add apps; that doesn't make them speak for the workspace."""
    refused = come_back({**TEAM, **BY_MONA}, {"team_id": "T1"}, is_admin=False)
    assert isinstance(refused, Refused)
    assert refused.code == "not_an_admin"


def test_an_organization_is_connected_without_a_team(come_back: Callable[..., InstallAnswer]) -> None:
    """There is no team in the answer, and none is needed."""
    connected = come_back(ORGANIZATION, {"team_id": "T1", "enterprise_id": "E1", "is_enterprise_install": True})
    assert isinstance(connected, Connected)
    assert (connected.accounts[0].id, connected.accounts[0].kind) == ("E1", "organization")
    assert connected.connected_by is None


def test_a_workspace_of_an_organization_is_connected_alone(come_back: Callable[..., InstallAnswer]) -> None:
    """Where the app was added to one workspace, the organization beside it is only told of."""
    details = {**TEAM, "enterprise": {"id": "E1", "name": "Group"}}
    connected = come_back(details, {"team_id": "T1", "enterprise_id": "E1"})
    assert isinstance(connected, Connected)
    assert connected.accounts[0].id == "T1"


@pytest.mark.parametrize(
    ("details", "proven", "code"),
    [
        (TEAM, {"team_id": "T2"}, "account_unproven"),
        (ORGANIZATION, {"team_id": "E1", "enterprise_id": "E2"}, "account_unproven"),
        (ORGANIZATION, {"team_id": "E1"}, "account_unproven"),
        ({"team": None, "enterprise": None}, {}, "no_account"),
        ({}, {}, "no_account"),
    ],
)
def test_an_account_that_the_token_does_not_prove_is_refused(
    come_back: Callable[..., InstallAnswer], details: dict[str, Any], proven: dict[str, Any], code: str
) -> None:
    """What the answer says is held against whose token it is."""
    refused = come_back(details, proven)
    assert isinstance(refused, Refused)
    assert (refused.code, bool(refused.remedy)) == (code, True)


@pytest.mark.parametrize("details", [{"team": "T1"}, {"team": {"name": "Octo"}}, {"team": {"id": 7}}])
def test_an_answer_that_is_none_is_told(come_back: Callable[..., InstallAnswer], details: dict[str, Any]) -> None:
    """A host that isn't Slack's is named as the likely cause."""
    with pytest.raises(ApiError, match="base URL"):
        come_back(details, {})
