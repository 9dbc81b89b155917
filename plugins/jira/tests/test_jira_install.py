"""Connecting sites: what the grant reaches is asked, and what the browser says is not believed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from speckitty_connectors.plugin import (
    Account,
    ApiError,
    ApiUnavailableError,
    App,
    Authorize,
    ChooseAccount,
    Connected,
    Conversation,
    ExternalIdentity,
    Grant,
    InstallAnswer,
    Refused,
)
from speckitty_connectors_jira import plugin

SITES = "GET https://api.atlassian.com/oauth/token/accessible-resources"
ME = "GET https://api.atlassian.com/me"
MONA = {"account_id": "5b10", "account_type": "atlassian", "name": "Mona", "email": "mona@octo.example"}
JIRA = ["read:jira-work", "manage:jira-webhook"]


def site(cloud_id: str, name: str, scopes: list[str]) -> dict[str, Any]:
    return {"id": cloud_id, "name": name, "url": f"https://{name}.atlassian.net", "scopes": scopes, "avatarUrl": ""}


def account(cloud_id: str, name: str) -> Account:
    return Account(id=cloud_id, name=name, kind="site", url=f"https://{name}.atlassian.net")


ONE = site("c1", "octo-org", JIRA)
OTHER = site("c2", "kitchen", ["read:issue:jira"])
WIKI = site("c1", "octo-org", ["read:confluence-content.summary"])
DESK = site("c3", "desk", ["read:servicedesk-request"])

Install = Callable[..., InstallAnswer]


@pytest.fixture
def install(app: App) -> Install:
    """Take one step of the conversation; with a session there is a grant."""

    def step(session: Any = None, **fields: Any) -> InstallAnswer:
        grant = Grant(scopes=("read:jira-work",), session=session) if session else None
        return plugin.install(Conversation(**{"app": app, "state": "s", "grant": grant, **fields}))

    return step


def test_the_first_step_is_an_authorisation(install: Install) -> None:
    """Atlassian has no page to install on; what is asked for is all in the manifest."""
    assert install() == Authorize()


def test_one_site_is_connected_with_whoever_proved_it(install: Install, session: Callable[..., Any]) -> None:
    """The site's cloud id is the account, whatever its name; products that aren't Jira are left out."""
    answer = install(session({SITES: [WIKI, ONE, DESK], ME: MONA}))
    assert answer == Connected(
        accounts=(account("c1", "octo-org"),),
        scopes=("read:jira-work",),
        connected_by=ExternalIdentity(id="5b10", name="Mona", kind="atlassian"),
    )


def test_several_sites_are_there_to_choose_from(install: Install, session: Callable[..., Any]) -> None:
    """Consents of before reach more than the one just agreed to: the person picks, never the first is taken."""
    answer = install(session({SITES: [ONE, WIKI, OTHER]}))
    assert answer == ChooseAccount(accounts=(account("c1", "octo-org"), account("c2", "kitchen")), several=True)


def test_what_was_picked_is_looked_up_again(install: Install, session: Callable[..., Any]) -> None:
    """Each picked site is connected; one that the grant reaches no more is refused, and nothing else connected."""
    answers = {SITES: [ONE, OTHER], ME: MONA}
    connected = install(session(answers), choice=("c2",))
    assert isinstance(connected, Connected)
    assert connected.accounts == (account("c2", "kitchen"),)
    refused = install(session(answers), choice=("c1", "c9"))
    assert isinstance(refused, Refused)
    assert refused.code == "site_not_yours"


@pytest.mark.parametrize("listed", [[], [WIKI, DESK]])
def test_a_grant_that_reaches_no_jira_is_refused(
    install: Install, session: Callable[..., Any], listed: list[Any]
) -> None:
    """A site without Jira is none to connect; the refusal says what to do."""
    answer = install(session({SITES: listed}))
    assert isinstance(answer, Refused)
    assert (answer.code, bool(answer.remedy)) == ("no_site", True)


def test_a_server_is_the_instance_that_the_operator_registered(
    server_app: App, session: Callable[..., Any]
) -> None:
    """A Data Center instance has no id but its base URL with its context path; people are known by their key."""
    answers = {
        "GET /rest/api/2/serverInfo": {"baseUrl": "https://jira.example/jira", "serverTitle": "Octo Jira"},
        "GET /rest/api/2/myself": {"key": "JIRAUSER1", "name": "mona", "displayName": "Mona"},
    }
    grant = Grant(scopes=("READ",), session=session(answers))
    base = "https://jira.example/jira"
    assert plugin.install(Conversation(app=server_app, state="s", grant=grant)) == Connected(
        accounts=(Account(id=base, name="Octo Jira", kind="server", url=base),),
        scopes=("READ",),
        connected_by=ExternalIdentity(id="JIRAUSER1", name="Mona", kind="user"),
    )


def test_an_error_on_the_landing_is_a_refusal(install: Install) -> None:
    """An error becomes a stable code; the text that came with it is dropped."""
    answer = install(parameters={"error": "access_denied", "error_description": "<script>"})
    assert isinstance(answer, Refused)
    assert (answer.code, "<script>" in answer.reason) == ("denied", False)


@pytest.mark.parametrize("answer", [{}, [{"id": "c1"}], ApiUnavailableError("no answer")])
def test_a_failing_api_is_an_error_and_no_refusal(
    install: Install, session: Callable[..., Any], answer: object
) -> None:
    """When Atlassian doesn't answer, or not as documented, nobody is told that they have no site."""
    with pytest.raises(ApiError):
        install(session({SITES: answer}))
