"""The plugin and core's own session against the stand-in, over real HTTP on loopback."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit
from wsgiref.simple_server import WSGIRequestHandler, make_server

import pytest
import requests
from attrs import field, frozen

from speckitty_connectors.contract import Transport, TransportSession
from speckitty_connectors.plugin import Account, ApiUnauthorizedError, App, BaseUrls, Listing, Resource
from speckitty_connectors_slack import plugin
from speckitty_connectors_slack.standin import SlackStandIn, documents

CALLBACK = "https://saas.example/callback"
PRIVATE = ("channels:read", "groups:read")


class _Quiet(WSGIRequestHandler):
    def log_message(self, format: str, *_: object) -> None:  # noqa: A002 - the base class's name
        """Say nothing."""


@frozen(kw_only=True)
class Slack:
    """A stand-in that is served, and a client of it."""

    stand_in: SlackStandIn
    url: str
    asked: list[str]
    slept: list[float] = field(factory=list)

    @property
    def app(self) -> App:
        registration = self.stand_in.registration(self.url)
        return App(
            provider="slack",
            host=urlsplit(self.url).netloc,
            client_id=registration["client_id"],
            urls=BaseUrls(web=self.url, api=f"{self.url}/api"),
            self_managed=True,
        )

    @property
    def credentials(self) -> dict[str, str]:
        registration = self.stand_in.registration(self.url)
        return {"client_id": registration["client_id"], "client_secret": registration["client_secret"]}

    def code(self, **query: str) -> str:
        """Authorise as a person who agrees."""
        whole = urlencode(
            {"client_id": self.credentials["client_id"], "redirect_uri": CALLBACK, "state": "s", **query}
        )
        page = requests.get(f"{self.url}/oauth/v2/authorize?{whole}", allow_redirects=False, timeout=10)
        landing = dict(parse_qsl(urlsplit(page.headers["Location"]).query))
        assert page.headers["Location"].startswith(CALLBACK)
        return landing.get("code", landing.get("error", ""))

    def tokens(self, **form: str) -> dict[str, Any]:
        """Ask for tokens; the answer's status is 200 whatever it says."""
        page = requests.post(f"{self.url}/api/oauth.v2.access", data={**self.credentials, **form}, timeout=10)
        assert page.status_code == 200
        answer: dict[str, Any] = page.json()
        return answer

    def session(self, token: str) -> TransportSession:
        """Speak as core does, and note each wait instead of waiting."""
        return TransportSession(
            Transport(allowed_hosts={self.app.host}, sleep=self.slept.append),
            root=self.app.urls.api,
            authorization=lambda: f"Bearer {token}",
            dialect=plugin.manifest.rate_limits,
            headers=plugin.manifest.api_headers,
            subject="the stand-in",
            failures=plugin.manifest.failures,
        )

    def listed(self, account: Account, **values: Any) -> list[tuple[Resource, ...]]:
        """List with a fresh token."""
        token = self.tokens(code=self.code())["access_token"]
        listing = Listing(
            **{"app": self.app, "account": account, "session": self.session(token), "scopes": PRIVATE, **values}
        )
        return [page.resources for page in plugin.list_resources(listing)]


@contextmanager
def served(**options: Any) -> Iterator[Slack]:
    stand_in = SlackStandIn(setup_url="", callback_url=CALLBACK, **options)
    asked: list[str] = []

    def application(environ: Mapping[str, Any], start_response: Any) -> Any:
        asked.append(environ["PATH_INFO"])
        return stand_in.application(environ, start_response)

    with make_server("127.0.0.1", 0, application, handler_class=_Quiet) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield Slack(stand_in=stand_in, url=f"http://127.0.0.1:{server.server_port}", asked=asked)
        server.shutdown()
        thread.join()


@pytest.fixture
def slack() -> Iterator[Slack]:
    """A workspace whose second page is throttled once."""
    with served(throttled_page=2) as found:
        yield found


WORKSPACE = Account(id=documents.TEAM_ID, kind="workspace")


def test_a_throttled_listing_is_complete(slack: Slack) -> None:
    """Three pages, one refused at first: every channel once, after the wait asked for, and no request more."""
    pages = slack.listed(WORKSPACE)
    assert [len(page) for page in pages] == [10, 10, 5]
    assert len({found.id for page in pages for found in page}) == documents.CHANNEL_COUNT
    assert slack.slept == [1.0]
    assert slack.asked.count("/api/conversations.list") == 4


def test_an_organizations_channels_come_workspace_by_workspace() -> None:
    """Both workspaces are listed with one token, each by its own team."""
    with served(organization=True) as slack:
        pages = slack.listed(Account(id=documents.ORGANIZATION_ID, kind="organization"))
    assert [len(page) for page in pages] == [10, 10, 5, 10, 10, 5]
    assert {found.attributes["workspace_id"] for page in pages for found in page} == {
        documents.TEAM_ID,
        documents.SECOND_TEAM_ID,
    }


def test_a_declined_scope_shows_public_channels_alone(slack: Slack) -> None:
    """Without the scope for private channels the listing is complete all the same."""
    found = [each for page in slack.listed(WORKSPACE, scopes=("channels:read",)) for each in page]
    assert len(found) == 23
    assert not any(each.private for each in found)


def test_a_dead_token_is_told_with_status_200_and_raised_as_401(slack: Slack) -> None:
    """What Slack answers as a success is the error that it is."""
    session = slack.session(slack.tokens(code=slack.code())["access_token"])
    assert session.get("/auth.test").status == 200
    slack.stand_in.uninstall()
    with pytest.raises(ApiUnauthorizedError):
        session.get("/auth.test")


# --- the stand-in: as strict as Slack where a mistake would matter ---------------------------------------------


def test_a_code_is_good_once(slack: Slack) -> None:
    """It gives a bot's tokens with the scopes asked for, and a second time nothing."""
    code = slack.code(scope="channels:read,groups:read")
    answer = slack.tokens(code=code)
    assert (answer["ok"], answer["token_type"], answer["scope"]) == (True, "bot", "channels:read,groups:read")
    assert answer["access_token"].startswith("xoxe.xoxb-")
    assert slack.tokens(code=code) == {"ok": False, "error": "invalid_code"}


@pytest.mark.parametrize(
    ("form", "error"),
    [
        ({"client_secret": "another"}, "bad_client_secret"),
        ({"redirect_uri": "https://evil.example"}, "invalid_code"),
        ({"code": "another"}, "invalid_code"),
        ({"grant_type": "refresh_token", "refresh_token": "another"}, "invalid_refresh_token"),
    ],
)
def test_a_wrong_exchange_is_refused_with_status_200(slack: Slack, form: dict[str, str], error: str) -> None:
    """A wrong secret, address, code or refresh token is told in the document."""
    assert slack.tokens(**{"code": slack.code(), **form}) == {"ok": False, "error": error}


@pytest.mark.parametrize("query", [{"client_id": "another"}, {"redirect_uri": "https://evil.example"}])
def test_a_wrong_authorisation_leads_nowhere_else(slack: Slack, query: dict[str, str]) -> None:
    """A wrong app or address gives an error at the registered callback, and no code."""
    assert slack.code(**query) == "invalid_request"


def test_two_tokens_live_at_once(slack: Slack) -> None:
    """A refresh leaves the token before it alive; the next one ends it; a refresh token is good once."""
    first = slack.tokens(code=slack.code())
    second = slack.tokens(grant_type="refresh_token", refresh_token=first["refresh_token"])
    assert slack.session(first["access_token"]).get("/auth.test").status == 200
    again = slack.tokens(grant_type="refresh_token", refresh_token=first["refresh_token"])
    assert again == {"ok": False, "error": "invalid_refresh_token"}
    third = slack.tokens(grant_type="refresh_token", refresh_token=second["refresh_token"])
    with pytest.raises(ApiUnauthorizedError):
        slack.session(first["access_token"]).get("/auth.test")
    for live in (second, third):
        assert slack.session(live["access_token"]).get("/auth.test").status == 200


def test_the_story_has_one_of_each(slack: Slack, route: Callable[..., Any]) -> None:
    """Work in two channels, something ignored, a new name, the app gone from the channel and back, the end."""
    story = slack.stand_in.deliveries()
    outcomes = [route(sample.content) for sample in story]
    assert [type(outcome).__name__ for outcome in outcomes] == ["Event", "Event", "Ignored", *["Lifecycle"] * 4]
    assert [outcome.resources[0].id for outcome in outcomes[:2]] == ["C7001OCTO", "C7002OCTO"]
    assert [str(outcome.change) for outcome in outcomes[3:]] == [
        "resource_renamed",
        "resources_removed",
        "resources_added",
        "uninstalled",
    ]
    assert len({sample.delivery_id for sample in story}) == len(story)


def test_it_is_found_by_its_entry_point() -> None:
    """Core finds the stand-in by the provider's key, without naming the plugin."""
    from speckitty_connectors.standin import stand_ins  # noqa: PLC0415 - loads every plugin's stand-in

    assert stand_ins()["slack"] is SlackStandIn
