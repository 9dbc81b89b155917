"""Connecting an account: nothing that the browser brings back is believed before GitHub confirms it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import pytest
from attrs import evolve

from speckitty_connectors.plugin import (
    Account,
    ApiForbiddenError,
    ApiNotFoundError,
    ApiUnavailableError,
    App,
    Authorize,
    AwaitApproval,
    BaseUrls,
    ChooseAccount,
    ConfigurationError,
    Connected,
    Conversation,
    ExternalIdentity,
    Grant,
    InstallAnswer,
    Redirect,
    Refused,
)
from speckitty_connectors_github import plugin

MINE = "/user/installations"
ROLE = "/user/memberships/orgs/octo-org"
NEXT = "https://api.github.com/user/installations?per_page=100&page=2"
MONA = {"id": 1001, "login": "mona", "type": "User"}
ORGANIZATION = {"id": 2001, "login": "octo-org", "type": "Organization", "html_url": "https://github.com/octo-org"}
INSTALLATION = {
    "id": 42,
    "account": ORGANIZATION,
    "client_id": "Iv1.kitty",
    "target_type": "Organization",
    "permissions": {"metadata": "read", "contents": "write"},
    "suspended_at": None,
}
OTHER = {**INSTALLATION, "id": 41, "account": {"id": 2002, "login": "other-org", "type": "Organization"}}
ADMIN = {"state": "active", "role": "admin"}

Install = Callable[..., InstallAnswer]


def page(*installations: Mapping[str, Any]) -> dict[str, Any]:
    return {"total_count": len(installations), "installations": list(installations)}


@pytest.fixture
def install(app: App) -> Install:
    """Take one step of the conversation; with a session there is a grant."""

    def step(session: Any = None, **fields: Any) -> InstallAnswer:
        grant = Grant(scopes=(), session=session) if session else None
        return plugin.install(Conversation(**{"app": app, "state": "the state", "grant": grant, **fields}))

    return step


def test_the_first_step_leads_to_the_install_page_with_the_state(install: Install) -> None:
    """Nothing is known yet: the person is sent to the app's own install page, and the state goes along."""
    assert install() == Redirect(url="https://github.com/apps/kitty/installations/new?state=the%20state")


def test_an_enterprise_server_has_its_install_page_elsewhere(install: Install) -> None:
    """GitHub Enterprise Server uses another path segment, below whatever base URL it is served at."""
    app = App(
        provider="github",
        host="ghe.example",
        client_id="Iv1.kitty",
        urls=BaseUrls(web="https://ghe.example", api="https://ghe.example/api/v3"),
        self_managed=True,
        settings={"slug": "kitty"},
    )
    assert install(app=app) == Redirect(
        url="https://ghe.example/github-apps/kitty/installations/new?state=the%20state"
    )


def test_an_app_without_its_slug_is_a_mistake_of_the_operator(install: Install, app: App) -> None:
    """Without the slug there is no install page; the error says what to register."""
    with pytest.raises(ConfigurationError, match="without its slug"):
        install(app=evolve(app, settings={}))


@pytest.mark.parametrize("action", ["install", "update"])
def test_the_id_on_the_landing_is_only_remembered(install: Install, action: str) -> None:
    """Anybody can open the setup URL with anybody's id, so the person has to authorise first."""
    answer = install(parameters={"installation_id": "42", "setup_action": action, "state": "the state"})
    assert answer == Authorize(remember={"installation_id": "42"})


def test_a_request_to_an_owner_asks_who_requested(install: Install) -> None:
    """Who asked an owner comes back without an id; they authorise, so that the requester is known for sure."""
    assert install(parameters={"setup_action": "request"}) == Authorize(remember={"setup_action": "request"})


@pytest.mark.parametrize("parameters", [{"installation_id": "42; drop"}, {"installation_id": ""}, {"state": "x"}])
def test_a_landing_without_a_usable_id_asks_the_person_to_authorise(
    install: Install, parameters: dict[str, str]
) -> None:
    """A landing that names no installation leads to the person's own ones."""
    assert install(parameters=parameters) == Authorize()


def test_an_owner_of_the_organization_connects_it(install: Install, session: Callable[..., Any]) -> None:
    """The installation is among the person's own and they own its account: connected, with all that was granted."""
    github = session({MINE: page(OTHER, INSTALLATION), "/user": MONA, ROLE: ADMIN})
    assert install(github, remembered={"installation_id": "42"}) == Connected(
        accounts=(Account(id="2001", name="octo-org", kind="organization", url="https://github.com/octo-org"),),
        installation="42",
        scopes=("contents:write", "metadata:read"),
        connected_by=ExternalIdentity(id="1001", name="mona", kind="User"),
    )


def test_a_person_connects_their_own_account(install: Install, session: Callable[..., Any]) -> None:
    """An installation on a user's account belongs to exactly that user; no organization is asked."""
    own = {**INSTALLATION, "account": MONA, "target_type": "User"}
    github = session({MINE: page(own), "/user": MONA})
    answer = install(github, remembered={"installation_id": "42"})
    assert isinstance(answer, Connected)
    assert answer.accounts == (Account(id="1001", name="mona", kind="user"),)


def test_the_search_follows_the_pages_and_stops_when_found(install: Install, session: Callable[..., Any]) -> None:
    """The person's installations are read page by page, as full as GitHub allows and no further than needed."""
    github = session({MINE: (page(OTHER), NEXT), NEXT: (page(INSTALLATION), "unread"), "/user": MONA, ROLE: ADMIN})
    assert isinstance(install(github, remembered={"installation_id": "42"}), Connected)
    assert github.asked[:2] == [(MINE, {"per_page": "100"}), (NEXT, {})]


@pytest.mark.parametrize(
    "listed",
    [
        page(),
        page(OTHER),
        page({**INSTALLATION, "client_id": "Iv1.another-app"}),
    ],
)
def test_somebody_elses_installation_is_refused(
    install: Install, session: Callable[..., Any], listed: dict[str, Any]
) -> None:
    """An id that isn't among the person's own installations of this app connects nothing, and asks nothing more."""
    github = session({MINE: listed})
    answer = install(github, remembered={"installation_id": "42"})
    assert isinstance(answer, Refused)
    assert answer.code == "installation_not_yours"


@pytest.mark.parametrize(
    ("installation", "role", "code"),
    [
        (INSTALLATION, {"state": "active", "role": "member"}, "not_an_owner"),
        (INSTALLATION, {"state": "active", "role": "billing_manager"}, "not_an_owner"),
        (INSTALLATION, {"state": "pending", "role": "admin"}, "not_an_owner"),
        (INSTALLATION, ApiForbiddenError("403", status=403), "not_an_owner"),
        (INSTALLATION, ApiNotFoundError("404", status=404), "not_an_owner"),
        ({**INSTALLATION, "suspended_at": "2026-01-02T03:04:05Z"}, ADMIN, "suspended"),
        ({**INSTALLATION, "account": {"id": 1002, "login": "lisa", "type": "User"}}, ADMIN, "not_an_owner"),
        (
            {**INSTALLATION, "account": {"id": 3001, "slug": "octo"}, "target_type": "Enterprise"},
            ADMIN,
            "enterprise_unproven",
        ),
    ],
)
def test_who_cannot_be_shown_to_own_the_account_is_refused(
    install: Install, session: Callable[..., Any], installation: dict[str, Any], role: object, code: str
) -> None:
    """To have a part in an installation isn't to own it: every case has its code and says what to do."""
    answer = install(
        session({MINE: page(installation), "/user": MONA, ROLE: role}), remembered={"installation_id": "42"}
    )
    assert isinstance(answer, Refused)
    assert answer.code == code
    assert answer.reason
    assert answer.remedy


def test_an_organizations_name_is_never_part_of_another_path(install: Install, session: Callable[..., Any]) -> None:
    """The login goes into the path as one segment, whatever it holds."""
    odd = {**INSTALLATION, "account": {"id": 2001, "login": "../../user", "type": "Organization"}}
    github = session({MINE: page(odd), "/user": MONA, "/user/memberships/orgs/..%2F..%2Fuser": ADMIN})
    assert isinstance(install(github, remembered={"installation_id": "42"}), Connected)


def test_the_requester_of_an_approval_is_proven(install: Install, session: Callable[..., Any]) -> None:
    """After a request the person is known by their grant, and an owner's approval is waited for."""
    answer = install(session({"/user": MONA}), remembered={"setup_action": "request"})
    assert answer == AwaitApproval(requester=ExternalIdentity(id="1001", name="mona", kind="User"))


def test_what_is_installed_there_and_not_shown_here_can_be_picked(
    install: Install, session: Callable[..., Any]
) -> None:
    """Without an id the person picks among their own installations of this app."""
    foreign = {**OTHER, "id": 43, "client_id": "Iv1.another-app"}
    answer = install(session({MINE: (page(OTHER, foreign), NEXT), NEXT: page(INSTALLATION)}))
    assert isinstance(answer, ChooseAccount)
    assert [account.id for account in answer.accounts] == ["2002", "2001"]


def test_the_picked_account_is_proven_like_any_other(install: Install, session: Callable[..., Any]) -> None:
    """A choice names an account; it is looked up again and its owner checked again."""
    answers = {MINE: page(OTHER, INSTALLATION), "/user": MONA, ROLE: ADMIN}
    assert isinstance(install(session(answers), choice=("2001",)), Connected)
    refused = install(session(answers), choice=("2999",))
    assert isinstance(refused, Refused)
    assert refused.code == "installation_not_yours"


def test_who_has_no_installation_is_sent_to_the_install_page(install: Install, session: Callable[..., Any]) -> None:
    """Nothing is installed yet: the way goes through the install page, with the state."""
    answer = install(session({MINE: page()}))
    assert isinstance(answer, Redirect)
    assert answer.url.endswith("?state=the%20state")


@pytest.mark.parametrize(
    ("error", "code"), [("access_denied", "denied"), ("redirect_uri_mismatch", "authorization_failed")]
)
def test_an_error_on_the_landing_is_a_refusal(install: Install, error: str, code: str) -> None:
    """An error becomes a stable code and the next step; the text that came with it is dropped."""
    answer = install(parameters={"error": error, "error_description": "<script>", "state": "the state"})
    assert isinstance(answer, Refused)
    assert answer.code == code
    assert "<script>" not in answer.reason + answer.remedy


def test_a_failing_api_is_an_error_and_no_refusal(install: Install, session: Callable[..., Any]) -> None:
    """When GitHub doesn't answer nobody is told that they own nothing."""
    github = session({MINE: page(INSTALLATION), "/user": MONA, ROLE: ApiUnavailableError("no answer")})
    with pytest.raises(ApiUnavailableError):
        install(github, remembered={"installation_id": "42"})
