"""Asking in the app's name whether an owner has decided."""

from __future__ import annotations

from typing import Any

import pytest

from speckitty_connectors.plugin import (
    Account,
    App,
    AwaitApproval,
    Conversation,
    ExternalIdentity,
    InstallAnswer,
    PendingApproval,
    Redirect,
)
from speckitty_connectors_github import plugin

OCTO_ORG = {"id": 2001, "login": "octo-org", "type": "Organization", "html_url": "https://github.com/octo-org"}
MONA = {"id": 1, "login": "octocat", "type": "User"}
HUGO = {"id": 2, "login": "hubot", "type": "User"}
FIRST = "/app/installation-requests"
SECOND = "https://api.github.com/app/installation-requests?page=2"


def ask(app: App, session: Any, *requests: dict[str, object], account: Account | None = None) -> InstallAnswer:
    """Ask about mona's request; the provider's list has a second page."""
    answers = {FIRST: (list(requests[:1]), SECOND), SECOND: list(requests[1:])}
    pending = PendingApproval(
        session=session(answers), requester=ExternalIdentity(id="1", name="octocat"), account=account
    )
    return plugin.install(Conversation(app=app, state="", pending=pending))


def request(requester: dict[str, object], account: dict[str, object] = OCTO_ORG) -> dict[str, object]:
    """Return a request as GitHub lists it."""
    return {"id": 25381, "account": account, "requester": requester, "created_at": "2026-01-02T00:00:00Z"}


@pytest.mark.parametrize("account", [None, Account(id="2001")])
def test_what_waits_still_waits_and_its_account_is_known_now(app: App, session: Any, account: Account) -> None:
    """It is found by the immutable id of the person who asked, on whatever page."""
    answer = ask(app, session, request(HUGO), request(MONA), account=account)
    assert isinstance(answer, AwaitApproval)
    assert answer.account == Account(
        id="2001", name="octo-org", kind="organization", url="https://github.com/octo-org"
    )


@pytest.mark.parametrize("requests", [[], [request(HUGO)], [request(MONA, {**OCTO_ORG, "id": 2002})]])
def test_what_is_not_listed_any_more_is_a_persons_to_prove(
    app: App, session: Any, requests: list[dict[str, object]]
) -> None:
    """Approved, declined, or somebody else's: GitHub doesn't say which, so nothing is concluded."""
    assert isinstance(ask(app, session, *requests, account=Account(id="2001")), Redirect)


def test_without_a_session_nothing_is_asked(app: App) -> None:
    """A person is sent to the install page."""
    pending = PendingApproval(session=None, requester=ExternalIdentity(id="1"))
    assert isinstance(plugin.install(Conversation(app=app, state="", pending=pending)), Redirect)
