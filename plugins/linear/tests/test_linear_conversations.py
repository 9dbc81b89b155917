"""Connecting a workspace, and linking people who belong to it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from speckitty_connectors.plugin import (
    Account,
    ApiUnauthorizedError,
    App,
    Authorize,
    Connected,
    Conversation,
    ExternalIdentity,
    Grant,
    Linked,
    Refused,
)
from speckitty_connectors_linear import plugin

OCTO = Account(id="o1", name="octo-org", kind="workspace", url="https://linear.app/octo")
FOUND = {
    "viewer": {"id": "u1", "displayName": "mona"},
    "organization": {"id": "o1", "name": "octo-org", "urlKey": "octo"},
}

HOOKS = [plugin.install, plugin.link_user]


@pytest.fixture
def granted(app: App, session: Callable[..., Any]) -> Callable[..., Conversation]:
    """Come back with a grant."""

    def make(found: Any = FOUND, account: Account | None = None) -> Conversation:
        grant = Grant(scopes=("read",), session=session({"Identity": [found]}))
        return Conversation(app=app, state="s", grant=grant, account=account)

    return make


@pytest.mark.parametrize("hook", HOOKS)
def test_a_person_authorises_first(hook: Callable[..., Any], app: App) -> None:
    """What is asked for is fixed in the manifest: nothing of the conversation changes it."""
    assert hook(Conversation(app=app, state="s")) == Authorize()


def test_the_token_tells_the_workspace_and_no_person(granted: Callable[..., Conversation]) -> None:
    """The app speaks as a user of its own, so the installation hangs on nobody who may leave."""
    assert plugin.install(granted()) == Connected(accounts=(OCTO,), scopes=("read",), connected_by=None)


def test_a_person_of_the_workspace_is_linked(granted: Callable[..., Conversation]) -> None:
    """Their user id, which is another one in each workspace."""
    identity = ExternalIdentity(id="u1", name="mona", kind="user")
    assert plugin.link_user(granted(account=OCTO)) == Linked(identity=identity)


@pytest.mark.parametrize("account", [Account(id="o2", name="octo-org"), None])
def test_a_person_of_another_workspace_is_not(
    account: Account | None, granted: Callable[..., Conversation]
) -> None:
    """A person may be in several workspaces and picks one on Linear's page; only the connected one counts."""
    refused = plugin.link_user(granted(account=account))
    assert isinstance(refused, Refused)
    assert refused.code == "other_account"


@pytest.mark.parametrize("hook", HOOKS)
@pytest.mark.parametrize(
    ("error", "code"), [("access_denied", "denied"), ("invalid_scope", "authorization_failed")]
)
def test_a_refusal_of_linear_comes_back_as_one(hook: Callable[..., Any], error: str, code: str, app: App) -> None:
    """Who may not install the app learns whom to ask."""
    refused = hook(Conversation(app=app, state="s", parameters={"error": error}))
    assert isinstance(refused, Refused)
    assert refused.code == code
    assert ("Only an admin can install" in refused.remedy) is (hook == plugin.install)


@pytest.mark.parametrize("hook", HOOKS)
def test_an_error_of_the_api_passes(hook: Callable[..., Any], granted: Callable[..., Conversation]) -> None:
    """Nobody is connected or linked without having been asked for."""
    with pytest.raises(ApiUnauthorizedError):
        hook(granted(ApiUnauthorizedError("401", status=401), account=OCTO))
