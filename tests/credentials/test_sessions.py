"""Sessions with the right credential: minted tokens, grants, and the app itself, over real HTTP on loopback."""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import timedelta
from email.utils import format_datetime

import jwt
import pytest
from attrs import frozen

from speckitty_connectors.apps.service import Apps, RegisteredApp
from speckitty_connectors.credentials.secret import Secret
from speckitty_connectors.credentials.tables import credentials
from speckitty_connectors.credentials.vault import CredentialUnreadableError, Vault
from speckitty_connectors.errors import ConfigurationError, NotFoundError
from speckitty_connectors.http.session import Transport
from speckitty_connectors.loading.registry import Registry
from speckitty_connectors.providers.api import (
    ApiError,
    ApiNotFoundError,
    ApiThrottledError,
    ApiUnauthorizedError,
    AppRefusedError,
)
from speckitty_connectors.store.engine import Store
from speckitty_connectors.tokens.sessions import Sessions
from testbed.clock import FrozenClock
from testbed.hosts import Received, Reply, provider_host


@frozen(kw_only=True)
class Connected:
    """An installation, as far as a session is concerned."""

    app_id: str
    workspace: str = "w1"
    provider_installation_id: str = ""
    account_id: str = "7"
    credential_id: str = ""
    subject: str = "installation 7"


class Provider:
    """A provider host that mints tokens ``token-1``, ``token-2`` … and answers what a test says elsewhere."""

    def __init__(self, stack: ExitStack, clock: FrozenClock) -> None:
        self.clock = clock
        self.minted = 0
        self.mint: Reply | None = None
        self.reply, self.replies = Reply(body=b"[]"), list[Reply]()
        self.host = stack.enter_context(provider_host(self._respond))

    def _respond(self, request: Received) -> Reply:
        if not request.path.endswith("/tokens"):
            return self.replies.pop(0) if self.replies else self.reply
        self.minted += 1
        end = (self.clock() + timedelta(hours=1)).strftime("%Y-%m-%dT%H:%M:%SZ")
        document = {"token": f"token-{self.minted}", "expires_at": end}
        return self.mint or Reply(status=201, body=json.dumps(document).encode())

    def requests(self, path: str) -> list[Received]:
        return [request for request in self.host.received if request.path == path]

    def bearers(self, path: str) -> list[str]:
        return [request.headers["Authorization"].removeprefix("Bearer ") for request in self.requests(path)]


class Desk:
    """Apps and sessions on one store, and the provider they talk to."""

    def __init__(
        self, store: Store, vault: Vault, registry: Registry, clock: FrozenClock, stack: ExitStack, private_key: str
    ) -> None:
        self.store, self.vault, self.clock = store, vault, clock
        self.provider = Provider(stack, clock)
        address = self.provider.host.address
        self.slept: list[float] = []
        transport = Transport(allowed_hosts={address}, clock=clock, sleep=self.slept.append)
        stack.callback(transport.close)
        self.apps = Apps(store, vault, registry, allowed_hosts={address})
        self.sessions = Sessions(store, vault, transport, registry)
        self.private_key = private_key

    def register(self, provider: str = "minting") -> RegisteredApp:
        further = {"private_key": self.private_key, "settings": {"slug": "kitty"}} if provider == "minting" else {}
        return self.apps.register(
            provider=provider,
            client_id="c1",
            client_secret="s",
            base_url=self.provider.host.url,
            **further,  # type: ignore[arg-type]  # what minting needs
        )

    def grant(self, workspace: str = "w1", provider: str = "fake") -> str:
        with self.store.transaction() as connection:
            return self.vault.seal_new(
                connection,
                workspace=workspace,
                provider=provider,
                host=self.provider.host.address,
                kind="grant",
                values={"access_token": "granted-token"},
            )


@pytest.fixture
def desk(store: Store, vault: Vault, registry: Registry, clock: FrozenClock, private_key: str) -> Iterator[Desk]:
    with ExitStack() as stack:
        yield Desk(store, vault, registry, clock, stack, private_key)


def test_a_minted_token_is_used_until_its_margin(desk: Desk, clock: FrozenClock) -> None:
    """One token serves many calls and sessions, and is replaced when less than five minutes are left of it."""
    installation = Connected(app_id=desk.register().id, provider_installation_id="42")
    session = desk.sessions.for_installation(installation)
    session.get("/boards")
    clock.advance(3600 - 301)
    desk.sessions.for_installation(installation).get("/boards")
    clock.advance(2)
    session.get("/boards")
    session.get("/boards")
    assert desk.provider.bearers("/api/boards") == ["token-1", "token-1", "token-2", "token-2"]
    assert {request.path for request in desk.provider.host.received} == {
        "/api/boards",
        "/api/installations/42/tokens",
    }


def test_a_session_of_an_installation_starts_at_the_root_of_its_account(desk: Desk) -> None:
    """Where each account has its own root, an installation speaks there, and a fresh grant above all of them."""
    registered = desk.register("spaced")
    credential_id = desk.grant(provider="spaced")
    for account_id in ("7", "kitchen/8"):
        connected = Connected(app_id=registered.id, account_id=account_id, credential_id=credential_id)
        desk.sessions.for_installation(connected).get("/boards")
    desk.sessions.for_grant(registered, {"access_token": "granted-token"}).get("/spaces")
    assert [request.path for request in desk.provider.host.received] == [
        "/api/spaces/7/boards",
        "/api/spaces/kitchen%2F8/boards",
        "/api/spaces",
    ]


def test_each_installation_has_a_token_of_its_own(desk: Desk) -> None:
    """The token of one installation never serves another one, nor the same number of another app."""
    first = desk.register()
    second = desk.apps.register(
        provider="minting",
        client_id="c2",
        client_secret="s",
        private_key=desk.private_key,
        settings={"slug": "cat"},
        base_url=desk.provider.host.url,
    )
    for app_id, provider_id in ((first.id, "1"), (first.id, "2"), (second.id, "1")):
        session = desk.sessions.for_installation(Connected(app_id=app_id, provider_installation_id=provider_id))
        session.get("/boards")
    assert desk.provider.bearers("/api/boards") == ["token-1", "token-2", "token-3"]


def test_the_app_proves_itself_with_a_signed_token(
    desk: Desk, clock: FrozenClock, rsa_pems: dict[str, str]
) -> None:
    """The JWT is RS256, issued by the client id, a minute back and nine ahead of our clock."""
    desk.sessions.as_app(desk.register()).get("/app")
    (bearer,) = desk.provider.bearers("/api/app")
    assert jwt.get_unverified_header(bearer) == {"alg": "RS256", "typ": "JWT"}
    unchecked = {"verify_exp": False, "verify_iat": False}
    claims = jwt.decode(bearer, rsa_pems["public"], algorithms=["RS256"], options=unchecked)  # type: ignore[arg-type]  # a TypedDict
    now = int(clock().timestamp())
    assert claims == {"iss": "c1", "iat": now - 60, "exp": now + 540}


def test_threads_that_need_a_token_share_one_mint(desk: Desk) -> None:
    """Twenty threads that start without a token cause one request for it."""
    session = desk.sessions.for_installation(Connected(app_id=desk.register().id, provider_installation_id="42"))
    barrier = threading.Barrier(20)
    failures: list[BaseException] = []

    def call() -> None:
        barrier.wait()
        try:
            session.get("/boards")
        except BaseException as error:  # noqa: BLE001 - reported below
            failures.append(error)

    threads = [threading.Thread(target=call) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert desk.provider.bearers("/api/boards") == ["token-1"] * 20
    assert desk.provider.minted == 1


def test_a_refused_token_is_minted_anew(desk: Desk) -> None:
    """A 401 is answered with another token after 1, 2 and 4 seconds, and once the provider is well, so are we."""
    session = desk.sessions.for_installation(Connected(app_id=desk.register().id, provider_installation_id="42"))
    desk.provider.reply = Reply(status=401)
    with pytest.raises(ApiUnauthorizedError):
        session.get("/boards")
    assert desk.slept == [1.0, 2.0, 4.0]
    desk.provider.reply = Reply(body=b"[]")
    session.get("/boards")
    assert desk.provider.bearers("/api/boards") == [*(f"token-{number}" for number in range(1, 5)), "token-4"]


def test_a_token_that_is_refused_once_is_no_failure(desk: Desk) -> None:
    """A provider may refuse a token in the moment after it was minted; the caller doesn't notice."""
    session = desk.sessions.for_installation(Connected(app_id=desk.register().id, provider_installation_id="42"))
    desk.provider.replies = [Reply(status=401), Reply(body=b"[]")]
    session.get("/boards")
    assert desk.provider.bearers("/api/boards") == ["token-1", "token-2"]


@pytest.mark.parametrize(("minutes", "named"), [(3, "apart"), (0, "private key")])
def test_a_refused_proof_is_the_operators_to_fix(minutes: int, named: str, desk: Desk, clock: FrozenClock) -> None:
    """Where the provider refuses the app's own JWT, the error names the key, or the clock where that is wrong."""
    session = desk.sessions.for_installation(Connected(app_id=desk.register().id, provider_installation_id="42"))
    date = format_datetime(clock() - timedelta(minutes=minutes), usegmt=True)
    desk.provider.mint = Reply(status=401, headers={"Date": date})
    with pytest.raises(AppRefusedError, match=named) as caught:
        session.get("/boards")
    assert not isinstance(caught.value, ApiUnauthorizedError)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"null",
        b'{"token": "t"}',
        b'{"token": "", "expires_at": "2026-01-01T01:00:00Z"}',
        b'{"token": 7, "expires_at": "2026-01-01T01:00:00Z"}',
        b'{"token": "t", "expires_at": "soon"}',
        b'{"token": "t", "expires_at": 7}',
    ],
)
def test_an_unreadable_mint_is_a_typed_error(body: bytes, desk: Desk) -> None:
    """Whatever comes instead of a token and its end is our error, and nothing is kept of it."""
    session = desk.sessions.for_installation(Connected(app_id=desk.register().id, provider_installation_id="42"))
    desk.provider.mint = Reply(status=201, body=body)
    with pytest.raises(ApiError):
        session.get("/boards")
    desk.provider.mint = None
    session.get("/boards")
    assert desk.provider.bearers("/api/boards") == ["token-2"]


def test_a_refused_mint_is_told_with_its_status(desk: Desk) -> None:
    """An installation that is gone at the provider is "not found", not a crash."""
    session = desk.sessions.for_installation(Connected(app_id=desk.register().id, provider_installation_id="42"))
    desk.provider.mint = Reply(status=404)
    with pytest.raises(ApiNotFoundError):
        session.get("/boards")
    assert desk.provider.requests("/api/boards") == []


def test_a_new_private_key_signs_from_its_registration_on(desk: Desk, other_private_key: str) -> None:
    """After a key was rotated, the next token is minted with the new one, in the same process."""
    first = desk.register()
    desk.sessions.as_app(first).get("/app")
    desk.private_key = other_private_key
    second = desk.register()
    desk.sessions.as_app(second).get("/app")
    old, new = (bearer.rpartition(".") for bearer in desk.provider.bearers("/api/app"))
    assert old[0] == new[0]
    assert old[2] != new[2]


def test_an_installation_with_a_grant_speaks_with_it(desk: Desk) -> None:
    """Where no token is minted, the sealed access token is sent."""
    installation = Connected(app_id=desk.register("fake").id, credential_id=desk.grant())
    desk.sessions.for_installation(installation).get("/boards")
    assert desk.provider.bearers("/api/boards") == ["granted-token"]


def test_a_foreign_or_lost_grant_opens_no_session(desk: Desk) -> None:
    """Another workspace's grant, a missing one, a missing app and a changed row are refused before any request."""
    app_id = desk.register("fake").id
    for missing in (
        Connected(app_id=app_id, credential_id=desk.grant("w2")),
        Connected(app_id=app_id),
        Connected(app_id="nothing", credential_id=desk.grant()),
    ):
        with pytest.raises(NotFoundError):
            desk.sessions.for_installation(missing)
    changed = Connected(app_id=app_id, credential_id=desk.grant())
    with desk.store.transaction() as connection:
        connection.execute(credentials.update().where(credentials.c.id == changed.credential_id).values(version=2))
    with pytest.raises(CredentialUnreadableError):
        desk.sessions.for_installation(changed)
    assert desk.provider.host.received == []


@pytest.mark.parametrize("token", ["fresh-token", Secret("fresh-token")])
def test_a_fresh_grant_speaks_at_once_and_waits_for_nobody(token: str | Secret, desk: Desk) -> None:
    """With a person waiting, a long throttling is told instead of waited out."""
    session = desk.sessions.for_grant(desk.register("fake"), {"access_token": token})
    session.get("/user")
    assert desk.provider.bearers("/api/user") == ["fresh-token"]
    desk.provider.reply = Reply(status=429, headers={"Retry-After": "30"})
    with pytest.raises(ApiThrottledError):
        session.get("/user")
    assert desk.slept == []


def test_an_app_that_mints_nothing_cannot_speak_for_itself(desk: Desk) -> None:
    """Asking for what the provider doesn't have is a configuration error."""
    with pytest.raises(ConfigurationError, match="can't speak for itself"):
        desk.sessions.as_app(desk.register("fake"))


def test_no_credential_is_logged(desk: Desk, caplog: pytest.LogCaptureFixture) -> None:
    """At DEBUG neither the JWT, the minted token nor the private key appear."""
    caplog.set_level(logging.DEBUG)
    session = desk.sessions.for_installation(Connected(app_id=desk.register().id, provider_installation_id="42"))
    session.get("/boards")
    (bearer,) = desk.provider.bearers("/api/installations/42/tokens")
    assert not [text for text in (bearer, "token-1", desk.private_key[100:160]) if text in caplog.text]
