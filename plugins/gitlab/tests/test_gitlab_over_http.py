"""The plugin and core's own session against the stand-in, over real HTTP on loopback."""

from __future__ import annotations

import base64
import hashlib
import json
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit
from wsgiref.simple_server import WSGIRequestHandler, make_server

import pytest
import requests
from attrs import field, frozen

from speckitty_connectors.contract import Transport, TransportSession
from speckitty_connectors.plugin import (
    Account,
    ApiUnauthorizedError,
    App,
    BaseUrls,
    Change,
    Connected,
    Conversation,
    Delivery,
    Event,
    Grant,
    Ignored,
    Lifecycle,
    Listing,
)
from speckitty_connectors.standin import stand_ins
from speckitty_connectors_gitlab import plugin
from speckitty_connectors_gitlab.standin import GitLabStandIn

CALLBACK = "https://saas.example/callback"
# The pair that GitLab's own page shows ("Authorization code with Proof Key for Code Exchange (PKCE)").
VERIFIER = "ks02i3jdikdo2k0dkfodf3m39rjfjsdk0wk349rj3jrhf"
CHALLENGE = "2i0WFA-0AerkjQm4X4oDEhqA17QIAKNjXpagHBXmO_U"


class _Quiet(WSGIRequestHandler):
    def log_message(self, format: str, *_: object) -> None:  # noqa: A002 - the base class's name
        """Say nothing."""


@frozen(kw_only=True)
class GitLab:
    """A stand-in that is served, and a client of it."""

    stand_in: GitLabStandIn
    url: str
    asked: list[str]
    slept: list[float] = field(factory=list)

    @property
    def app(self) -> App:
        return App(
            provider="gitlab",
            host=urlsplit(self.url).netloc,
            client_id=self.credentials["client_id"],
            urls=BaseUrls(web=self.url, api=f"{self.url}/api/v4"),
            self_managed=True,
        )

    @property
    def credentials(self) -> dict[str, str]:
        registration = self.stand_in.registration(self.url)
        return {"client_id": registration["client_id"], "client_secret": registration["client_secret"]}

    def authorize(self, **query: str) -> dict[str, str]:
        """Authorise as a person who agrees; return what the browser brings back."""
        whole = {
            "client_id": self.credentials["client_id"],
            "redirect_uri": CALLBACK,
            "response_type": "code",
            "state": "s",
            "scope": "api",
            "code_challenge": CHALLENGE,
            "code_challenge_method": "S256",
            **query,
        }
        page = requests.get(f"{self.url}/oauth/authorize?{urlencode(whole)}", allow_redirects=False, timeout=10)
        assert page.headers["Location"].startswith(CALLBACK)
        return dict(parse_qsl(urlsplit(page.headers["Location"]).query))

    def exchange(self, **form: str) -> tuple[int, dict[str, Any]]:
        """Ask the token end point, with a new code where nothing else is said."""
        whole = {
            **self.credentials,
            "grant_type": "authorization_code",
            "redirect_uri": CALLBACK,
            "code_verifier": VERIFIER,
            **form,
        }
        if "refresh_token" not in whole and "code" not in whole:
            whole["code"] = self.authorize()["code"]
        answer = requests.post(f"{self.url}/oauth/token", data=whole, timeout=10)
        return answer.status_code, answer.json()

    def session(self, token: str | None = None) -> TransportSession:
        """Speak as core does, and note each wait instead of waiting."""
        access = token or self.exchange()[1]["access_token"]
        return TransportSession(
            Transport(allowed_hosts={self.app.host}, sleep=self.slept.append),
            root=self.app.urls.api,
            authorization=lambda: f"Bearer {access}",
            dialect=plugin.manifest.rate_limits,
            headers=plugin.manifest.api_headers,
            subject="the stand-in",
        )

    def listing(self, **fields: Any) -> Listing:
        """Ask for everything in the group."""
        return Listing(app=self.app, account=Account(id="2001"), session=self.session(), **fields)


Serve = Callable[..., AbstractContextManager[GitLab]]


@pytest.fixture
def serve() -> Serve:
    """Serve a stand-in, under a relative root where asked."""

    @contextmanager
    def serving(root: str = "", **options: Any) -> Iterator[GitLab]:
        stand_in = GitLabStandIn(setup_url=CALLBACK, callback_url=CALLBACK, **options)
        asked: list[str] = []

        def application(environ: dict[str, Any], start_response: Any) -> Any:
            path = environ["PATH_INFO"]
            asked.append(f"{path}?{environ['QUERY_STRING']}".rstrip("?"))
            environ["SCRIPT_NAME"], environ["PATH_INFO"] = root, path.removeprefix(root)
            return stand_in.application(environ, start_response)

        with make_server("127.0.0.1", 0, application, handler_class=_Quiet) as server:
            thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
            thread.start()
            yield GitLab(stand_in=stand_in, url=f"http://127.0.0.1:{server.server_port}{root}", asked=asked)
            server.shutdown()
            thread.join()

    return serving


@pytest.fixture
def gitlab(serve: Serve) -> Iterator[GitLab]:
    """A GitLab at the root of its host."""
    with serve() as served:
        yield served


def test_it_is_found_by_its_entry_point() -> None:
    """Core finds the stand-in by the provider's key, without naming the plugin."""
    assert stand_ins()["gitlab"] is GitLabStandIn


@pytest.mark.parametrize("root", ["", "/gitlab"])
def test_a_group_is_connected_and_listed_under_any_root(root: str, serve: Serve) -> None:
    """Pages, API and the links of pages are below the relative root, and nothing else is asked."""
    with serve(root) as gitlab:
        grant = Grant(scopes=("api",), session=gitlab.session())
        connected = plugin.install(Conversation(app=gitlab.app, state="s", grant=grant))
        assert isinstance(connected, Connected)
        assert [account.name for account in connected.accounts] == ["kitchen"]
        pages = list(plugin.list_resources(gitlab.listing()))
        assert [len(page.resources) for page in pages] == [1, 10, 10, 5, 1, 0]
        assert len({(found.kind, found.id) for page in pages for found in page.resources}) == 27
        assert all(path.startswith(f"{root}/") for path in gitlab.asked)


@pytest.mark.parametrize("page", [1, 2, 3])
def test_a_throttled_listing_is_complete(page: int, serve: Serve) -> None:
    """It waits exactly as long as it was asked to, by an answer that isn't JSON, and asks nothing else twice."""
    with serve(throttled_page=page) as gitlab:
        listing = gitlab.listing()
        gitlab.asked.clear()
        pages = list(plugin.list_resources(listing))
        assert sum(len(each.resources) for each in pages) == 27
        assert gitlab.slept == [1.0]
        assert len(gitlab.asked) == len(pages) + 1
        assert len(set(gitlab.asked)) == len(pages)


def test_gitlabs_own_example_of_a_challenge_is_accepted(gitlab: GitLab) -> None:
    """The pair of the documentation fits; another verifier doesn't, and a code is good once."""
    digest = hashlib.sha256(VERIFIER.encode()).digest()
    assert base64.urlsafe_b64encode(digest).rstrip(b"=").decode() == CHALLENGE
    code = gitlab.authorize()["code"]
    status, answer = gitlab.exchange(code=code)
    assert (status, answer["token_type"], answer["expires_in"]) == (200, "Bearer", 7200)
    assert gitlab.exchange(code=code) == (400, {"error": "invalid_grant"})


@pytest.mark.parametrize(
    ("change", "status"),
    [
        ({"code_verifier": "another"}, 400),
        ({"redirect_uri": "https://evil.example"}, 400),
        ({"code": "another"}, 400),
        ({"client_secret": "another"}, 401),
    ],
)
def test_a_wrong_exchange_is_refused(change: Mapping[str, str], status: int, gitlab: GitLab) -> None:
    """A wrong verifier, address, code or secret gives no token."""
    found, answer = gitlab.exchange(**change)
    assert (found, "access_token" in answer) == (status, False)


def test_a_refresh_repeats_the_redirect_uri_and_kills_the_pair_before_it(gitlab: GitLab) -> None:
    """Without the address it fails; with it the refresh token works once and the old access token is dead."""
    _, old = gitlab.exchange()
    refresh = {"grant_type": "refresh_token", "refresh_token": old["refresh_token"]}
    assert gitlab.exchange(**refresh, redirect_uri="")[0] == 400
    status, new = gitlab.exchange(**refresh)
    assert status == 200
    assert gitlab.exchange(**refresh)[0] == 400
    with pytest.raises(ApiUnauthorizedError):
        gitlab.session(old["access_token"]).get("/user")
    assert gitlab.session(new["access_token"]).get("/user").status == 200


def test_a_revoked_token_is_dead(gitlab: GitLab) -> None:
    """Revoking answers 200 and an empty document, also for a token that nobody knows."""
    _, pair = gitlab.exchange()
    for _ in range(2):
        form = {**gitlab.credentials, "token": pair["access_token"]}
        answer = requests.post(f"{gitlab.url}/oauth/revoke", data=form, timeout=10)
        assert (answer.status_code, answer.json()) == (200, {})
    with pytest.raises(ApiUnauthorizedError):
        gitlab.session(pair["access_token"]).get("/user")


@pytest.mark.parametrize(
    "query",
    [
        {"client_id": "another"},
        {"redirect_uri": "https://evil.example"},
        {"code_challenge_method": "plain"},
        {"response_type": "token"},
    ],
)
def test_a_wrong_authorisation_lands_with_an_error(query: Mapping[str, str], gitlab: GitLab) -> None:
    """It gives no code, and never leads away from the callback."""
    landing = gitlab.authorize(**query)
    assert "error" in landing
    assert "code" not in landing


@pytest.mark.parametrize(
    "path", ["/user", "/groups", "/groups/2001", "/groups/2001/projects", "/groups/2001/hooks"]
)
def test_nothing_is_told_without_a_token(path: str, gitlab: GitLab) -> None:
    """Every part of the API refuses who has no live token."""
    with pytest.raises(ApiUnauthorizedError):
        gitlab.session("guessed").get(path)


def test_a_webhook_never_shows_its_secret(serve: Serve) -> None:
    """Only whether there is one; an older version doesn't know the word for a signing token."""
    for signs in (True, False):
        with serve(signs=signs) as gitlab:
            document = {"url": "https://saas.example/e1", "signing_token": "whsec_s", "token": "t"}
            made = gitlab.session().post("/projects/7001/hooks", document=document).json()
            assert isinstance(made, dict)
            assert ("whsec_s" in json.dumps(made), "signing_token_present" in made) == (False, signs)
            assert made["token_present"] is True


def test_the_story_has_one_of_each(gitlab: GitLab) -> None:
    """Work in three projects, something ignored, a new path, a new group, and a project that is deleted."""
    gitlab.stand_in.registration(gitlab.url)
    story = gitlab.stand_in.deliveries()
    outcomes = [
        plugin.route_event(
            Delivery(
                provider="gitlab",
                host=gitlab.app.host,
                kind=sample.kind,
                content=sample.content,
                headers={name.lower(): value for name, value in sample.headers.items()},
                received_at=datetime.now(UTC),
            )
        )
        for sample in story
    ]
    assert [type(outcome) for outcome in outcomes] == [Event, Event, Event, Ignored, Event, Lifecycle, Lifecycle]
    assert [outcome.resources[0].id for outcome in outcomes if isinstance(outcome, Event)] == [
        "7001",
        "7002",
        "7003",
        "7001",
    ]
    changes = [outcome.change for outcome in outcomes if isinstance(outcome, Lifecycle)]
    assert changes == [Change.RESOURCES_ADDED, Change.RESOURCE_DELETED]
    assert len({sample.delivery_id for sample in story}) == len(story)
