"""The plugin and core's own session against the stand-in, over real HTTP on loopback."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from io import BytesIO
from typing import Any
from urllib.parse import urlsplit
from wsgiref.simple_server import WSGIRequestHandler, make_server
from wsgiref.util import setup_testing_defaults

import pytest
from attrs import define, field

from speckitty_connectors.contract import Transport, TransportSession
from speckitty_connectors.plugin import (
    Account,
    ApiUnauthorizedError,
    App,
    BaseUrls,
    Connected,
    Conversation,
    Grant,
    Linked,
    Listing,
)
from speckitty_connectors_linear import plugin
from speckitty_connectors_linear.standin import LinearStandIn, documents

CALLBACK = "https://host.example/callback"
OCTO = Account(id=documents.ORGANIZATION_ID, name="octo-org", kind="workspace")
START = datetime(2026, 1, 2, tzinfo=UTC)


class _Quiet(WSGIRequestHandler):
    def log_message(self, format: str, *_: object) -> None:  # noqa: A002 - the base class's name
        """Say nothing."""


@define(kw_only=True)
class Served:
    """A stand-in behind a real server, a clock that moves when it is slept, and what was asked."""

    throttled_page: int = 0
    base_url: str = ""
    asked: list[str] = field(factory=list)
    slept: list[float] = field(factory=list)
    now: datetime = START
    stand_in: LinearStandIn = field(init=False)

    def __attrs_post_init__(self) -> None:
        self.stand_in = LinearStandIn(
            setup_url="", callback_url=CALLBACK, throttled_page=self.throttled_page, now=lambda: self.now
        )

    def application(self, environ: Mapping[str, Any], start_response: Any) -> Iterable[bytes]:
        self.asked.append(f"{environ['REQUEST_METHOD']} {environ['PATH_INFO']}")
        return self.stand_in.application(environ, start_response)

    @property
    def app(self) -> App:
        made = self.stand_in.registration(self.base_url)
        urls = BaseUrls(web="https://linear.app", api=self.base_url)
        return App(provider="linear", host="linear.app", client_id=made["client_id"], urls=urls)

    def speak(self, token: str) -> TransportSession:
        """Speak as core does."""

        def sleep(seconds: float) -> None:
            self.slept.append(seconds)
            self.now += timedelta(seconds=seconds)

        hosts = {urlsplit(self.base_url).netloc}
        return TransportSession(
            Transport(allowed_hosts=hosts, clock=lambda: self.now, sleep=sleep),
            root=self.base_url,
            authorization=lambda: f"Bearer {token}",
            dialect=plugin.manifest.rate_limits,
            headers=plugin.manifest.api_headers,
            subject="the stand-in",
            failures=plugin.manifest.failures,
        )

    def pair(self, actor: str = "app") -> dict[str, Any]:
        """Authorise and exchange the code."""
        authorization = self.stand_in.authorization
        query = {"client_id": authorization.client_id, "scope": "read", "actor": actor}
        _, brought = authorization.authorize(query)
        pair = authorization.exchange({**self.credentials, "code": brought["code"]})
        assert pair is not None
        return pair

    def granted(self, actor: str) -> Conversation:
        """Come back with a grant."""
        grant = Grant(scopes=("read",), session=self.speak(self.pair(actor)["access_token"]))
        return Conversation(app=self.app, state="s", grant=grant, account=OCTO)

    @property
    def credentials(self) -> dict[str, str]:
        authorization = self.stand_in.authorization
        return {"client_id": authorization.client_id, "client_secret": authorization.client_secret}


@pytest.fixture
def served(request: pytest.FixtureRequest) -> Iterator[Served]:
    """A stand-in whose second page is refused once."""
    made = Served(throttled_page=2)
    with make_server("127.0.0.1", 0, made.application, handler_class=_Quiet) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        made.base_url = f"http://127.0.0.1:{server.server_port}"
        yield made
        server.shutdown()
        thread.join()


def test_a_throttled_listing_is_complete(served: Served) -> None:
    """Three pages, one refused at first: all comes, each once, after a wait for the later one of two budgets."""
    session = served.speak(served.pair()["access_token"])
    pages = list(plugin.list_resources(Listing(app=served.app, account=OCTO, session=session, page_size=50)))
    assert [len(page.resources) for page in pages] == [10, 10, 5]
    assert len({found.id for page in pages for found in page.resources}) == 25
    assert served.slept == [2.0]
    assert served.asked == ["POST /graphql"] * 4


def test_a_workspace_is_connected_and_a_person_linked(served: Served) -> None:
    """The same question, asked as the app and as a person."""
    connected = plugin.install(served.granted("app"))
    assert isinstance(connected, Connected)
    (account,) = connected.accounts
    assert (account.id, account.url) == (documents.ORGANIZATION_ID, documents.WEB)
    linked = plugin.link_user(served.granted("user"))
    assert isinstance(linked, Linked)
    assert linked.identity.id == documents.USER_ID


def test_a_dead_token_is_unauthorized(served: Served) -> None:
    """So that core renews it, or has somebody connect the workspace again."""
    with pytest.raises(ApiUnauthorizedError):
        list(plugin.list_resources(Listing(app=served.app, account=OCTO, session=served.speak("dead"))))


# --- the stand-in, as strict as Linear where a mistake would matter ----------------------------------------


@pytest.mark.parametrize(
    "change",
    [
        {"client_id": "another"},
        {"redirect_uri": "https://evil.example"},
        {"actor": "nobody"},
        {"scope": "read write"},
        {"scope": ""},
        {"code_challenge": "c", "code_challenge_method": "plain"},
    ],
)
def test_a_wrong_authorisation_lands_with_an_error(served: Served, change: dict[str, str]) -> None:
    """Nothing leads away from the callback, and scopes are separated by commas."""
    authorization = served.stand_in.authorization
    query = {"client_id": authorization.client_id, "scope": "read", "state": "s", **change}
    assert authorization.authorize(query) == (CALLBACK, {"error": "invalid_request", "state": "s"})


@pytest.mark.parametrize(("minutes", "is_replayed"), [(29, True), (31, False)])
def test_a_refresh_may_be_repeated_for_half_an_hour(served: Served, minutes: int, is_replayed: bool) -> None:
    """The very same refresh gives the very same pair, and after that nothing."""
    form = {"grant_type": "refresh_token", "refresh_token": served.pair()["refresh_token"], **served.credentials}
    first = served.stand_in.authorization.exchange(form)
    assert first is not None
    served.now += timedelta(minutes=minutes)
    assert served.stand_in.authorization.exchange(form) == (first if is_replayed else None)


def test_a_query_that_nobody_knows_is_refused(served: Served) -> None:
    """The stand-in answers what the plugin asks, and nothing else."""
    asked = {"operationName": "Issues", "query": "query Issues { viewer { id } }", "variables": {}}
    environ = {
        "REQUEST_METHOD": "POST",
        "PATH_INFO": "/graphql",
        "HTTP_AUTHORIZATION": f"Bearer {served.pair()['access_token']}",
    }
    status, body = call(served, environ, json.dumps(asked).encode())
    assert (status, body["errors"][0]["extensions"]["code"]) == ("400 Bad Request", "GRAPHQL_VALIDATION_FAILED")


def call(served: Served, environ: dict[str, Any], body: bytes) -> tuple[str, Any]:
    """Call the WSGI application without a server."""
    setup_testing_defaults(environ)
    environ |= {"CONTENT_LENGTH": str(len(body)), "wsgi.input": BytesIO(body)}
    told: list[str] = []

    def start(status: str, *_: object) -> Any:
        told.append(status)

    answer = served.stand_in.application(environ, start)
    return told[0], json.loads(b"".join(answer))
