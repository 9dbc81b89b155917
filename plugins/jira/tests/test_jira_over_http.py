"""The plugin and core's own session against the stand-in, over real HTTP on loopback."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlsplit
from wsgiref.simple_server import WSGIRequestHandler, make_server

import pytest
from attrs import define, field

from speckitty_connectors.contract import Transport, TransportSession
from speckitty_connectors.plugin import (
    Account,
    ApiThrottledError,
    App,
    BaseUrls,
    Budget,
    Conversation,
    Grant,
    Linked,
    Listing,
)
from speckitty_connectors.standin import StandInRequest
from speckitty_connectors_jira import plugin
from speckitty_connectors_jira.standin import JiraStandIn, documents
from speckitty_connectors_jira.standin.authorization import CLOUD_REQUIRED, CLOUD_SCOPES

CALLBACK = "https://host.example/callback"
SITE = Account(id=documents.CLOUD_ID, name="octo-org", kind="site", url=documents.SITE)


class _Quiet(WSGIRequestHandler):
    def log_message(self, format: str, *_: object) -> None:  # noqa: A002 - the base class's name
        """Say nothing."""


@define(kw_only=True)
class Served:
    """A stand-in behind a real server, a clock that moves when it is slept, and what was asked."""

    stand_in: JiraStandIn
    base_url: str = ""
    asked: list[str] = field(factory=list)
    slept: list[float] = field(factory=list)
    now: datetime = datetime(2026, 1, 2, tzinfo=UTC)

    def application(self, environ: Mapping[str, Any], start_response: Any) -> Iterable[bytes]:
        self.asked.append(f"{environ['REQUEST_METHOD']} {environ['PATH_INFO']}")
        return self.stand_in.application(environ, start_response)

    @property
    def app(self) -> App:
        made = self.stand_in.registration(self.base_url)
        account_api = f"{self.base_url}/ex/jira/{{account}}"
        urls = BaseUrls(web=self.base_url, api=self.base_url, account_api=account_api)
        return App(provider="jira", host="atlassian.net", client_id=made["client_id"], urls=urls)

    def transport(self, patience_seconds: float = 120.0) -> Transport:
        def sleep(seconds: float) -> None:
            self.slept.append(seconds)
            self.now += timedelta(seconds=seconds)

        hosts = {urlsplit(self.base_url).netloc}
        return Transport(
            allowed_hosts=hosts, clock=lambda: self.now, sleep=sleep, patience_seconds=patience_seconds
        )

    def speak(self, transport: Transport, token: str, account_id: str = "") -> TransportSession:
        """Speak as core does: for a site with its root, for a fresh grant without."""
        urls = self.app.urls
        return TransportSession(
            transport,
            root=urls.api_of(account_id) if account_id else urls.api,
            authorization=lambda: f"Bearer {token}",
            dialect=plugin.manifest.rate_limits,
            headers=plugin.manifest.api_headers,
            subject="the stand-in",
            budgets={Budget.APP: "app", Budget.ACCOUNT: account_id},
        )

    def token(self) -> str:
        """Authorise and exchange the code."""
        authorization = self.stand_in.authorization
        query = {"client_id": authorization.client_id, "redirect_uri": CALLBACK, "state": "s", **CLOUD_REQUIRED}
        _, brought = authorization.authorize(query, required=CLOUD_REQUIRED)
        pair = authorization.exchange({**self.credentials, "code": brought["code"]}, scopes=CLOUD_SCOPES)
        assert pair is not None
        token: str = pair["access_token"]
        return token

    @property
    def credentials(self) -> dict[str, str]:
        authorization = self.stand_in.authorization
        return {"client_id": authorization.client_id, "client_secret": authorization.client_secret}


@pytest.fixture
def served(request: pytest.FixtureRequest) -> Iterator[Served]:
    """A stand-in whose second page is refused once, by the limit that the test names."""
    limit = getattr(request, "param", "jira-burst-based")
    made = Served(stand_in=JiraStandIn(setup_url="", callback_url=CALLBACK, throttled_page=2, limit=limit))
    with make_server("127.0.0.1", 0, made.application, handler_class=_Quiet) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        made.base_url = f"http://127.0.0.1:{server.server_port}"
        yield made
        server.shutdown()
        thread.join()


def test_a_throttled_listing_is_complete(served: Served) -> None:
    """Three pages, one refused at first: all 25 projects come, each once, after the one wait that was asked for."""
    session = served.speak(served.transport(), served.token(), SITE.id)
    pages = list(plugin.list_resources(Listing(app=served.app, account=SITE, session=session)))
    assert [len(page.resources) for page in pages] == [10, 10, 5]
    assert len({found.id for page in pages for found in page.resources}) == 25
    assert served.slept == [1.0]
    search = f"GET /ex/jira/{SITE.id}/rest/api/3/project/search"
    assert served.asked == ["GET /oauth/token/accessible-resources", *[search] * 4]


@pytest.mark.parametrize(
    ("served", "waits"),
    [("jira-quota-global-based", True), ("jira-quota-tenant-based", False), ("jira-burst-based", False)],
    indirect=["served"],
)
def test_the_hourly_points_of_an_app_are_shared_by_all_sites(served: Served, waits: bool) -> None:
    """Where they are used up, another customer's site isn't asked before the hour turns; others are its own."""
    transport, token = served.transport(patience_seconds=0.5), served.token()
    with pytest.raises(ApiThrottledError):
        list(
            plugin.list_resources(
                Listing(app=served.app, account=SITE, session=served.speak(transport, token, SITE.id))
            )
        )
    asked = len(served.asked)
    other = served.speak(transport, token, "another-site")
    if waits:
        with pytest.raises(ApiThrottledError):
            other.get(f"{served.base_url}/me")
        assert len(served.asked) == asked
        served.now += timedelta(seconds=1)
    assert other.get(f"{served.base_url}/me").status == 200


def test_a_person_is_linked(served: Served) -> None:
    """The identity is asked above all sites."""
    grant = Grant(scopes=CLOUD_SCOPES, session=served.speak(served.transport(), served.token()))
    linked = plugin.link_user(Conversation(app=served.app, state="s", grant=grant))
    assert isinstance(linked, Linked)
    assert linked.identity.id == documents.ACCOUNT_ID


# --- the stand-in, as strict as Jira where a mistake would matter ------------------------------------------


@pytest.mark.parametrize(
    "change",
    [
        {"audience": "elsewhere"},
        {"prompt": "none"},
        {"client_id": "another"},
        {"redirect_uri": "https://evil.example"},
    ],
)
def test_a_wrong_authorisation_lands_with_an_error(served: Served, change: dict[str, str]) -> None:
    """What Atlassian requires is required, and nothing leads away from the callback."""
    authorization = served.stand_in.authorization
    query = {"client_id": authorization.client_id, "state": "s", **CLOUD_REQUIRED, **change}
    url, brought = authorization.authorize(query, required=CLOUD_REQUIRED)
    assert (url, brought) == (CALLBACK, {"error": "invalid_request", "state": "s"})


def test_a_refresh_token_works_once_and_is_refused_with_403(served: Served) -> None:
    """Jira's own status, and a new pair for each use."""
    authorization = served.stand_in.authorization
    _, brought = authorization.authorize({"client_id": authorization.client_id}, required={})
    first = authorization.exchange({**served.credentials, "code": brought["code"]}, scopes=CLOUD_SCOPES)
    assert first is not None
    again = {**served.credentials, "grant_type": "refresh_token", "refresh_token": first["refresh_token"]}
    assert authorization.exchange(again, scopes=CLOUD_SCOPES) is not None
    response = served.stand_in.application.answer(
        StandInRequest(
            method="POST",
            path="/oauth/token",
            web="",
            url="",
            query={},
            body=json.dumps(again).encode(),
            headers={},
        )
    )
    assert (response.status, response.document) == (403, {"error": "invalid_grant"})


def test_a_filter_that_jira_refuses_is_an_error_in_a_good_answer(served: Served) -> None:
    """Five webhooks at most, and only the filters that Jira knows."""
    registered = served.stand_in.registered
    webhooks = [{"events": [], "jqlFilter": jql} for jql in ("project is not EMPTY", *["project IN (1)"] * 6)]
    results = registered.register({"url": "u", "webhooks": webhooks})["webhookRegistrationResult"]
    assert ["errors" in result for result in results] == [True, *[False] * 5, True]
