"""Linking: who signed in, and whether they belong to the connected account."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from speckitty_connectors.plugin import (
    Account,
    ApiError,
    App,
    Authorize,
    Conversation,
    ExternalIdentity,
    Grant,
    LinkAnswer,
    Linked,
    Refused,
)
from speckitty_connectors_slack import plugin

TEAM = "https://slack.com/team_id"
ENTERPRISE = "https://slack.com/enterprise_id"
WORKSPACE = Account(id="T1", kind="workspace")
ORGANIZATION = Account(id="E1", kind="organization")


@pytest.fixture
def sign_in(app: Callable[..., App]) -> Callable[..., LinkAnswer]:
    """Come back with what a proved identity token says."""

    def link(account: Account | None, **claims: Any) -> LinkAnswer:
        grant = Grant(scopes=(), session=None, claims=claims)
        return plugin.link_user(Conversation(app=app(), state="s", account=account, grant=grant))

    return link


def test_the_connected_workspace_is_picked_in_advance(app: Callable[..., App]) -> None:
    """The person may still pick another one, so it is only a wish."""
    asked = plugin.link_user(Conversation(app=app(), state="s", account=WORKSPACE))
    assert asked == Authorize(parameters={"team": "T1"})


@pytest.mark.parametrize(("account", "claims"), [(WORKSPACE, {TEAM: "T1"}), (ORGANIZATION, {ENTERPRISE: "E1"})])
def test_a_person_of_the_account_is_linked_by_their_id(
    sign_in: Callable[..., LinkAnswer], account: Account, claims: dict[str, str]
) -> None:
    """The name is a label; in an organization any of its workspaces will do."""
    linked = sign_in(account, sub="U1", name="Mona", **claims)
    assert linked == Linked(identity=ExternalIdentity(id="U1", name="Mona", kind="User"))


@pytest.mark.parametrize(
    ("account", "claims"),
    [
        (WORKSPACE, {TEAM: "T2"}),
        (WORKSPACE, {}),
        (ORGANIZATION, {TEAM: "E1"}),
        (ORGANIZATION, {ENTERPRISE: "E2", TEAM: "T1"}),
        (None, {TEAM: "T1"}),
    ],
)
def test_a_person_of_another_account_is_refused(
    sign_in: Callable[..., LinkAnswer], account: Account | None, claims: dict[str, str]
) -> None:
    """An id means something only where it lives, so what the token doesn't say counts as another account."""
    refused = sign_in(account, sub="U1", **claims)
    assert isinstance(refused, Refused)
    assert refused.code == "other_account"


def test_claims_that_are_none_are_told(sign_in: Callable[..., LinkAnswer]) -> None:
    """A token without the fields that Slack documents isn't guessed at."""
    with pytest.raises(ApiError, match="documentation"):
        sign_in(WORKSPACE, sub=7)
