"""The plugin and core's own session against the stand-in, over real HTTP on loopback."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit
from wsgiref.simple_server import WSGIRequestHandler, make_server

import pytest

from speckitty_connectors.contract import Transport, TransportSession
from speckitty_connectors.plugin import (
    Account,
    App,
    Authorize,
    BaseUrls,
    Connected,
    Conversation,
    Grant,
    Listing,
    Redirect,
)
from speckitty_connectors_github import plugin


class _Quiet(WSGIRequestHandler):
    def log_message(self, format: str, *_: object) -> None:  # noqa: A002 - the base class's name
        """Say nothing."""


@pytest.fixture
def base_url(client: Any) -> Iterator[str]:
    """Where the stand-in is served."""
    with make_server("127.0.0.1", 0, client.stand_in.application, handler_class=_Quiet) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


@pytest.fixture
def served_app(client: Any, base_url: str) -> App:
    """The app as core knows it after its registration."""
    registration = client.stand_in.registration(base_url)
    return App(
        provider="github",
        host=urlsplit(base_url).netloc,
        client_id=registration["client_id"],
        urls=BaseUrls(web=base_url, api=f"{base_url}/api/v3"),
        self_managed=True,
        settings=registration["settings"],
    )


def speak(app: App, token: str, slept: list[float]) -> TransportSession:
    """Speak as core does, and note each wait instead of waiting."""
    return TransportSession(
        Transport(allowed_hosts={app.host}, sleep=slept.append),
        root=app.urls.api,
        authorization=lambda: f"Bearer {token}",
        dialect=plugin.manifest.rate_limits,
        headers=plugin.manifest.api_headers,
        subject="the stand-in",
    )


def test_an_account_is_connected(client: Any, served_app: App) -> None:
    """From the install page to a proven owner, with every step as GitHub would have it."""
    first = plugin.install(Conversation(app=served_app, state="s"))
    assert isinstance(first, Redirect)
    landing = client.ask("GET", first.url.removeprefix(served_app.urls.web)).parameters
    second = plugin.install(Conversation(app=served_app, state="s", parameters=landing))
    assert isinstance(second, Authorize)
    grant = Grant(scopes=(), session=speak(served_app, client.exchange()["access_token"], []))
    third = plugin.install(Conversation(app=served_app, state="s", remembered=second.remember, grant=grant))
    assert isinstance(third, Connected)
    assert (third.accounts[0].name, third.installation) == ("octo-org", "4242")


def test_a_throttled_listing_is_complete(client: Any, served_app: App) -> None:
    """Three pages, one of them refused at first: all 25 repositories come, each once, after the wait asked for."""
    slept: list[float] = []
    session = speak(served_app, client.mint().document["token"], slept)
    listing = Listing(app=served_app, account=Account(id="2001"), session=session, installation="4242")
    pages = list(plugin.list_resources(listing))
    assert [len(page.resources) for page in pages] == [10, 10, 5]
    assert len({found.id for page in pages for found in page.resources}) == 25
    assert slept == [1.0]


def test_a_member_sees_the_listing_with_their_own_token(client: Any, served_app: App) -> None:
    """A member's listing is asked with a user token; an installation's token is refused there."""
    session = speak(served_app, client.exchange()["access_token"], [])
    listing = Listing(
        app=served_app, account=Account(id="2001"), session=session, installation="4242", as_member=True
    )
    assert sum(len(page.resources) for page in plugin.list_resources(listing)) == 25
