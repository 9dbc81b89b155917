"""Renewing what was granted: who asks, who writes, and what a person is told when it doesn't work."""

from __future__ import annotations

import json
import logging
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, closing
from datetime import timedelta
from socket import socket
from typing import Any
from urllib.parse import parse_qsl

import pytest
from attrs import evolve
from sqlalchemy import Connection, select, update

from speckitty_connectors.apps.service import Apps
from speckitty_connectors.contract.fake import MANIFEST, FakeProvider
from speckitty_connectors.credentials.secret import Secret
from speckitty_connectors.credentials.tables import credentials, grants
from speckitty_connectors.credentials.vault import OpenCredential, Vault
from speckitty_connectors.errors import NotFoundError, StoreUnavailableError
from speckitty_connectors.http.egress import Egress
from speckitty_connectors.http.session import Transport, TransportSession
from speckitty_connectors.identifiers import new_id
from speckitty_connectors.installations.statuses import InstallationStatus
from speckitty_connectors.installations.types import Installation
from speckitty_connectors.links import repository as links
from speckitty_connectors.links.grants import update_holders
from speckitty_connectors.links.types import LinkStatus, UserLink
from speckitty_connectors.loading.registry import Registry
from speckitty_connectors.plugin import OAuthRules, RefreshRules
from speckitty_connectors.providers.api import ApiError, ApiUnauthorizedError, ApiUnavailableError
from speckitty_connectors.store.engine import Store
from speckitty_connectors.tokens.access_tokens import ReconnectRequiredError
from speckitty_connectors.tokens.grants import GRANT, LINK_GRANT, GrantCondition, find_grant, seal_grant
from speckitty_connectors.tokens.oauth import TokenAnswer
from speckitty_connectors.tokens.renewal import RenewalTimes
from speckitty_connectors.tokens.sessions import Sessions
from testbed.clock import FrozenClock
from testbed.hosts import Received, Reply, provider_host
from testbed.layers import add_installation, audited, installation_of

HOUR = 3600
BACK = "https://saas.example/callback/fake"
TIMES = RenewalTimes(send=5.0, slack=5.0, wait=10.0)


def refusal(error: str = "invalid_grant", status: int = 400, **further: object) -> Reply:
    return Reply(status=status, body=json.dumps({"error": error, **further}).encode())


class Desk:
    """A provider that rotates ``access-N`` and ``refresh-N``, and sessions that speak with its grants."""

    def __init__(
        self, store: Store, vault: Vault, clock: FrozenClock, stack: ExitStack, rules: Mapping[str, Any]
    ) -> None:
        self.store, self.vault, self.clock, self.stack = store, vault, clock, stack
        self.presented: list[dict[str, str]] = []
        self.answer: Callable[[int], Reply] = self.rotated
        self.refused: set[str] = set()
        self.host = stack.enter_context(provider_host(self._respond))
        plugin = FakeProvider()
        assert MANIFEST.install_oauth is not None
        oauth: OAuthRules = evolve(MANIFEST.install_oauth, refresh=RefreshRules(**rules))
        plugin.manifest = evolve(MANIFEST, install_oauth=oauth, link_oauth=oauth)
        self.registry = Registry(entry_points=())
        self.registry.register(plugin)
        self.sessions = self.another_process()
        self.app = Apps(store, vault, self.registry, allowed_hosts={self.host.address}).register(
            provider="fake", client_id="c1", client_secret="the client secret", base_url=self.host.url
        )

    def another_process(self, **times: float) -> Sessions:
        """Return sessions that share nothing but the database with the others."""
        transport = Transport(allowed_hosts={self.host.address}, clock=self.clock, sleep=lambda _: None)
        self.stack.callback(transport.close)
        return Sessions(
            self.store,
            self.vault,
            transport,
            self.registry,
            on_grant_change=update_holders,
            times=evolve(TIMES, **times),
        )

    def _respond(self, request: Received) -> Reply:
        if not request.path.endswith("/oauth/token"):
            refused = request.headers["Authorization"].removeprefix("Bearer ") in self.refused
            return Reply(status=401 if refused else 200, body=b"[]")
        self.presented.append(dict(parse_qsl(request.body.decode())))
        return self.answer(len(self.presented))

    def rotated(self, number: int, **further: object) -> Reply:
        number += 1
        tokens = {"access_token": f"access-{number}", "refresh_token": f"refresh-{number}", "expires_in": HOUR}
        return Reply(body=json.dumps({**tokens, "token_type": "bearer", **further}).encode())

    def seal(self, kind: str = GRANT, *, expires: bool = True, refresh: bool = True) -> str:
        values = {"access_token": Secret("access-1")} | ({"refresh_token": Secret("refresh-1")} if refresh else {})
        end = self.clock() + timedelta(seconds=HOUR) if expires else None
        with self.store.transaction() as connection:
            return seal_grant(
                connection,
                self.vault,
                workspace="w1",
                app=self.app,
                kind=kind,
                redirect_uri=BACK,
                tokens=TokenAnswer(values=values, scopes=(), expires_at=end, details={}),
            )

    def install(
        self, account_id: str = "7", *, credential_id: str = "", expires: bool = True, refresh: bool = True
    ) -> Installation:
        return add_installation(
            self.store,
            account_id=account_id,
            host=self.host.address,
            app_id=self.app.id,
            credential_id=credential_id or self.seal(expires=expires, refresh=refresh),
        )

    def call(self, session: TransportSession) -> str:
        """Make a request and return the token that it carried."""
        session.get("/boards")
        return self.bearers()[-1]

    def bearers(self) -> list[str]:
        asked = [request for request in self.host.received if request.path == "/api/boards"]
        return [request.headers["Authorization"].removeprefix("Bearer ") for request in asked]

    def pass_time(self) -> None:
        """Let every lease and pause be over, by the database's clock."""
        with self.store.transaction() as connection:
            connection.execute(update(grants).values(not_before=0))

    def condition(self, credential_id: str) -> str:
        with self.store.reading() as connection:
            row = connection.execute(select(grants).where(grants.c.credential_id == credential_id)).one()
        return str(row.condition)

    def stored(self, credential_id: str) -> dict[str, str]:
        with self.store.reading() as connection:
            opened = self.vault.open(connection, workspace="w1", credential_id=credential_id)
        return {name: secret.reveal() for name, secret in opened.values.items()}

    def replace(self, credential_id: str, version: int, **values: str) -> None:
        with self.store.transaction() as connection:
            assert self.vault.replace(
                connection,
                workspace="w1",
                credential_id=credential_id,
                expected_version=version,
                values=values,
                expires_at=self.clock() + timedelta(seconds=HOUR),
            )


@pytest.fixture
def rules(request: pytest.FixtureRequest) -> Mapping[str, Any]:
    """What the manifest says of refreshes; a test may give it."""
    given: Mapping[str, Any] = getattr(request, "param", {})
    return given


@pytest.fixture
def desk(database_url: str, vault: Vault, clock: FrozenClock, rules: Mapping[str, Any]) -> Iterator[Desk]:
    with ExitStack() as stack, closing(Store(database_url, clock=clock)) as store:
        yield Desk(store, vault, clock, stack, rules)


def test_a_token_is_renewed_before_it_ends(desk: Desk, clock: FrozenClock) -> None:
    """Half an hour before its end it serves; some minutes before, it is renewed once, and the new one serves."""
    installation = desk.install()
    session = desk.sessions.for_installation(installation)
    clock.advance(HOUR / 2)
    assert desk.call(session) == "access-1"
    clock.advance(HOUR / 2 - 700)
    assert [desk.call(session), desk.call(desk.sessions.for_installation(installation))] == ["access-2"] * 2
    assert desk.presented == [
        {
            "grant_type": "refresh_token",
            "refresh_token": "refresh-1",
            "client_id": "c1",
            "client_secret": "the client secret",
        }
    ]
    assert desk.stored(installation.credential_id) == {
        "access_token": "access-2",
        "refresh_token": "refresh-2",
        "token_type": "bearer",
    }


def test_a_grant_is_opened_once_before_a_renewal_leaves(
    desk: Desk, clock: FrozenClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The session, its first request and the renewal share what one opening gave, as long as nobody replaces it."""
    installation, opened, open_one = desk.install(), list[str](), Vault.open
    until_asked: list[int] = []

    def counted(vault: Vault, connection: Connection, *, workspace: str, credential_id: str) -> OpenCredential:
        opened.append(credential_id)
        return open_one(vault, connection, workspace=workspace, credential_id=credential_id)

    def answer(number: int) -> Reply:
        until_asked.append(opened.count(installation.credential_id))
        return desk.rotated(number)

    monkeypatch.setattr(Vault, "open", counted)
    desk.answer = answer
    clock.advance(HOUR)
    assert desk.call(desk.sessions.for_installation(installation)) == "access-2"
    assert until_asked == [1]


@pytest.mark.parametrize("rules", [{"sends_redirect_uri": True}], indirect=True)
def test_the_redirect_uri_of_the_authorisation_is_repeated_where_the_provider_wants_it(
    desk: Desk, clock: FrozenClock
) -> None:
    """It is the one that the person came back to then, not the one that is configured today."""
    session = desk.sessions.for_installation(desk.install())
    clock.advance(HOUR)
    desk.call(session)
    assert [form["redirect_uri"] for form in desk.presented] == [BACK]


def test_a_token_of_short_life_is_not_renewed_all_the_time(desk: Desk, clock: FrozenClock) -> None:
    """The margin is never more than half of a token's life."""
    desk.answer = lambda number: desk.rotated(number, expires_in=60)
    session = desk.sessions.for_installation(desk.install())
    clock.advance(HOUR)
    tokens = [desk.call(session)]
    clock.advance(20)
    tokens.append(desk.call(session))
    clock.advance(20)
    tokens.append(desk.call(session))
    assert tokens == ["access-2", "access-2", "access-3"]


@pytest.mark.parametrize("answered", [{"refresh_token": None}, {"refresh_token": ""}, {}])
def test_a_refresh_token_is_never_replaced_by_nothing(
    answered: dict[str, object], desk: Desk, clock: FrozenClock
) -> None:
    """Where the answer brings no refresh token, the former one stays."""
    document = {"access_token": "access-2", "token_type": "bearer", "expires_in": HOUR, **answered}
    desk.answer = lambda _: Reply(body=json.dumps(document).encode())
    installation = desk.install()
    clock.advance(HOUR)
    assert desk.call(desk.sessions.for_installation(installation)) == "access-2"
    assert desk.stored(installation.credential_id)["refresh_token"] == "refresh-1"


def test_a_valid_token_is_served_while_the_provider_fails(desk: Desk, clock: FrozenClock) -> None:
    """The installation is degraded and says why, asks again only after a pause, and recovers by itself."""
    installation = desk.install()
    session = desk.sessions.for_installation(installation)
    clock.advance(HOUR - 600)
    desk.answer = lambda _: Reply(status=500)
    assert [desk.call(session), desk.call(session)] == ["access-1", "access-1"]
    degraded = installation_of(desk.store, installation)
    assert (degraded.status, len(desk.presented)) == (InstallationStatus.DEGRADED, 1)
    assert "can't be renewed" in degraded.explanation
    desk.answer = desk.rotated
    desk.pass_time()
    assert desk.call(session) == "access-3"
    recovered = installation_of(desk.store, installation)
    assert (recovered.status, recovered.status_reason) == (InstallationStatus.ACTIVE, "")
    assert audited(desk.store) == ["installation.degraded", "installation.recovered"]


def test_an_ended_token_is_never_sent(desk: Desk, clock: FrozenClock) -> None:
    """Without a valid token a call fails at once, may be tried again, and doesn't hammer the provider."""
    session = desk.sessions.for_installation(desk.install())
    clock.advance(HOUR)
    desk.answer = lambda _: Reply(status=503)
    for _ in range(3):
        with pytest.raises(ApiUnavailableError) as caught:
            session.get("/boards")
        assert caught.value.retryable
    assert (len(desk.presented), desk.bearers()) == (1, [])


REFUSALS = [
    pytest.param({}, refusal(), id="400, as the standard says"),
    pytest.param({}, refusal(status=403), id="403"),
    pytest.param({"refusals": {"bad_refresh_token"}}, refusal("bad_refresh_token", 200), id="200 with error"),
    pytest.param({"refusals": {"token_revoked"}}, refusal("token_revoked", 200, ok=False), id="200 with ok false"),
]


@pytest.mark.parametrize(("rules", "reply"), REFUSALS, indirect=["rules"])
def test_one_refusal_is_a_suspicion_and_the_second_is_the_end(reply: Reply, desk: Desk, clock: FrozenClock) -> None:
    """After the first the grant is kept and tried again later; after the second a person is asked to connect."""
    installation = desk.install()
    session = desk.sessions.for_installation(installation)
    clock.advance(HOUR)
    desk.answer = lambda _: reply
    for _ in range(2):
        with pytest.raises(ApiUnavailableError):
            session.get("/boards")
    assert desk.condition(installation.credential_id) == GrantCondition.SUSPECT
    assert installation_of(desk.store, installation).status is InstallationStatus.DEGRADED
    desk.pass_time()
    for _ in range(2):
        with pytest.raises(ReconnectRequiredError, match="connect again"):
            session.get("/boards")
        desk.pass_time()
    refused = installation_of(desk.store, installation)
    assert refused.status is InstallationStatus.NEEDS_REAUTHORISATION
    assert [form["refresh_token"] for form in desk.presented] == ["refresh-1"] * 2
    assert desk.stored(installation.credential_id)["refresh_token"] == "refresh-1"
    assert audited(desk.store) == ["installation.degraded", "installation.refused"]


def test_a_suspicion_may_turn_out_wrong(desk: Desk, clock: FrozenClock) -> None:
    """A provider that refused once and then answers leaves no trace but the audit's."""
    installation = desk.install()
    session = desk.sessions.for_installation(installation)
    clock.advance(HOUR)
    desk.answer = lambda number: refusal() if number == 1 else desk.rotated(number)
    with pytest.raises(ApiUnavailableError):
        session.get("/boards")
    desk.pass_time()
    assert desk.call(session) == "access-3"
    assert installation_of(desk.store, installation).status is InstallationStatus.ACTIVE


def test_a_wrong_client_secret_is_not_held_against_the_grant(desk: Desk, clock: FrozenClock) -> None:
    """An error that isn't about the refresh token may pass, however often it comes."""
    installation = desk.install()
    session = desk.sessions.for_installation(installation)
    clock.advance(HOUR)
    desk.answer = lambda _: refusal("invalid_client", 401)
    for _ in range(3):
        with pytest.raises(ApiUnavailableError):
            session.get("/boards")
        desk.pass_time()
    assert (len(desk.presented), desk.condition(installation.credential_id)) == (3, GrantCondition.FAILING)


def test_a_refusal_after_another_process_renewed_is_no_news(desk: Desk, clock: FrozenClock) -> None:
    """Who is refused looks again, finds a newer version, and speaks with that."""
    installation = desk.install()
    clock.advance(HOUR)

    def overtaken(_: int) -> Reply:
        desk.replace(installation.credential_id, 1, access_token="other", refresh_token="other-refresh")
        return refusal()

    desk.answer = overtaken
    assert desk.call(desk.sessions.for_installation(installation)) == "other"
    assert desk.condition(installation.credential_id) == GrantCondition.GOOD
    assert installation_of(desk.store, installation).status is InstallationStatus.ACTIVE


def test_a_holder_that_was_paused_brings_its_answer_home(desk: Desk, clock: FrozenClock) -> None:
    """Another took over after the lease and was refused; the late answer is the only copy, and is accepted."""
    installation = desk.install()
    clock.advance(HOUR)
    refused: list[Exception] = []

    def paused(number: int) -> Reply:
        if number > 1:
            return refusal()
        desk.pass_time()
        for _ in range(2):
            try:
                desk.another_process().for_installation(installation).get("/boards")
            except (ApiUnavailableError, ReconnectRequiredError) as error:
                refused.append(error)
            desk.pass_time()
        assert installation_of(desk.store, installation).status is InstallationStatus.NEEDS_REAUTHORISATION
        return desk.rotated(number)

    desk.answer = paused
    assert desk.call(desk.sessions.for_installation(installation)) == "access-2"
    assert [type(error) for error in refused] == [ApiUnavailableError, ReconnectRequiredError]
    assert desk.stored(installation.credential_id)["refresh_token"] == "refresh-2"
    assert installation_of(desk.store, installation).status is InstallationStatus.ACTIVE


def test_of_two_answers_the_first_to_be_written_stays(desk: Desk, clock: FrozenClock) -> None:
    """A late answer never overwrites what another process brought home meanwhile."""
    installation = desk.install()
    clock.advance(HOUR)

    def overtaken(number: int) -> Reply:
        if number == 1:
            desk.pass_time()
            assert desk.call(desk.another_process().for_installation(installation)) == "access-3"
        return desk.rotated(number)

    desk.answer = overtaken
    assert desk.call(desk.sessions.for_installation(installation)) == "access-3"
    assert desk.stored(installation.credential_id)["refresh_token"] == "refresh-3"


def test_a_holder_that_failed_late_does_not_end_anothers_turn(desk: Desk, clock: FrozenClock) -> None:
    """Whoever was overtaken and fails leaves the turn to the other, so that no third one asks at the same time."""
    installation = desk.install()
    clock.advance(HOUR)
    begun, failed = threading.Event(), threading.Event()
    other = threading.Thread(target=lambda: desk.call(desk.another_process().for_installation(installation)))

    def overtaken(number: int) -> Reply:
        if number == 1:
            desk.pass_time()
            other.start()
            assert begun.wait(20)
            return Reply(status=500)
        begun.set()
        assert failed.wait(20)
        return desk.rotated(number)

    desk.answer = overtaken
    with pytest.raises(ApiUnavailableError):
        desk.another_process(wait=0.3).for_installation(installation).get("/boards")
    failed.set()
    other.join()
    assert desk.bearers() == ["access-3"]
    assert len(desk.presented) == 2
    assert installation_of(desk.store, installation).status is InstallationStatus.ACTIVE


def test_nobody_asks_while_another_does(desk: Desk, clock: FrozenClock) -> None:
    """A caller with a valid token is served it at once; one without waits for what the other brings home."""
    installation = desk.install()
    clock.advance(HOUR - 600)
    served: list[str] = []
    begun = threading.Event()

    def waiting() -> None:
        begun.set()
        served.append(desk.call(desk.another_process().for_installation(installation)))

    waiter = threading.Thread(target=waiting)

    def slow(number: int) -> Reply:
        served.append(desk.call(desk.another_process().for_installation(installation)))
        clock.advance(600)
        waiter.start()
        begun.wait()
        return desk.rotated(number)

    desk.answer = slow
    assert desk.call(desk.sessions.for_installation(installation)) == "access-2"
    waiter.join()
    assert served == ["access-1", "access-2"]
    assert len(desk.presented) == 1


@pytest.mark.parametrize("rules", [{}, {"grace_seconds": 600}, {"rotates": False}], indirect=True)
def test_how_long_a_dead_holder_blocks_the_next_follows_the_manifest(
    desk: Desk, clock: FrozenClock, rules: Mapping[str, Any]
) -> None:
    """Where a used token may be presented again the lease is enough; else its holder gets as long again."""
    installation = desk.install()
    clock.advance(HOUR)
    seconds: list[float] = []

    def look(number: int) -> Reply:
        with desk.store.reading() as connection:
            row = connection.execute(select(grants)).one()
        seconds.append((row.not_before - row.intent_started_at) / 1000)
        return desk.rotated(number)

    desk.answer = look
    desk.call(desk.sessions.for_installation(installation))
    assert seconds == [TIMES.lease if rules else 2 * TIMES.lease]


def test_a_caller_waits_no_longer_than_it_may(desk: Desk, clock: FrozenClock) -> None:
    """Where a holder died, one without a valid token is told to come back instead of waiting for ever."""
    installation = desk.install()
    clock.advance(HOUR)
    with desk.store.transaction() as connection:
        connection.execute(update(grants).values(intent_started_at=1, not_before=2**52))
    with pytest.raises(ApiUnavailableError):
        desk.another_process(wait=0.3).for_installation(installation).get("/boards")
    assert desk.presented == []


def test_a_token_that_the_provider_refuses_is_renewed_and_the_request_repeated(desk: Desk) -> None:
    """A 401 before the end of a token is a reason to renew it, once, unless another process already did."""
    installation = desk.install()
    session, other = (desk.sessions.for_installation(installation) for _ in range(2))
    desk.refused = {"access-1"}
    assert [desk.call(session), desk.call(other), desk.call(session)] == ["access-2"] * 3
    assert desk.bearers() == ["access-1", "access-2", "access-2", "access-2"]
    assert len(desk.presented) == 1


def test_a_provider_that_refuses_every_token_is_asked_twice(desk: Desk) -> None:
    """A renewed token that is refused as well is told, instead of renewing without end."""
    desk.refused = {f"access-{number}" for number in range(9)}
    with pytest.raises(ApiUnauthorizedError):
        desk.sessions.for_installation(desk.install()).get("/boards")
    assert desk.bearers() == ["access-1", "access-2"]


def test_a_grant_without_refresh_token_ends_with_its_token(desk: Desk, clock: FrozenClock) -> None:
    """Nothing is asked; a person is needed, and is told so."""
    installation = desk.install(refresh=False)
    session = desk.sessions.for_installation(installation)
    clock.advance(HOUR - 1)
    assert desk.call(session) == "access-1"
    clock.advance(1)
    with pytest.raises(ReconnectRequiredError):
        session.get("/boards")
    assert installation_of(desk.store, installation).status is InstallationStatus.NEEDS_REAUTHORISATION
    assert desk.presented == []


def test_a_token_without_end_and_renewal_is_given_up_at_its_second_refusal(desk: Desk) -> None:
    """One 401 may be a mistake of the provider's; one more after a pause is the end."""
    installation = desk.install(refresh=False, expires=False)
    session = desk.sessions.for_installation(installation)
    assert desk.call(session) == "access-1"
    desk.refused = {"access-1"}
    for _ in range(2):
        with pytest.raises(ApiError):
            session.get("/boards")
    assert desk.condition(installation.credential_id) == GrantCondition.SUSPECT
    desk.pass_time()
    with pytest.raises(ReconnectRequiredError):
        session.get("/boards")
    assert installation_of(desk.store, installation).status is InstallationStatus.NEEDS_REAUTHORISATION


def test_installations_that_share_a_grant_share_its_renewal(desk: Desk, clock: FrozenClock) -> None:
    """Several accounts of one authorisation ask once, and all follow what comes of it."""
    first = desk.install()
    second = desk.install("8", credential_id=first.credential_id)
    suspended = add_installation(
        desk.store, account_id="9", credential_id=first.credential_id, status=InstallationStatus.SUSPENDED
    )
    clock.advance(HOUR)
    assert [desk.call(desk.sessions.for_installation(each)) for each in (first, second)] == ["access-2"] * 2
    assert len(desk.presented) == 1
    clock.advance(HOUR)
    desk.answer = lambda _: refusal()
    for each in (first, second):
        with pytest.raises(ApiError):
            desk.sessions.for_installation(each).get("/boards")
    statuses = [installation_of(desk.store, each).status for each in (first, second, suspended)]
    assert statuses == [InstallationStatus.DEGRADED] * 2 + [InstallationStatus.SUSPENDED]


def test_what_is_degraded_for_another_reason_is_not_mended_by_a_renewal(desk: Desk, clock: FrozenClock) -> None:
    """A grant changes only the statuses that it led to itself."""
    reason = "the webhook was removed, so no deliveries arrive"
    installation = add_installation(
        desk.store,
        host=desk.host.address,
        app_id=desk.app.id,
        credential_id=desk.seal(),
        status=InstallationStatus.DEGRADED,
        status_reason=reason,
    )
    clock.advance(HOUR)
    desk.answer = lambda number: Reply(status=500) if number == 1 else desk.rotated(number)
    with pytest.raises(ApiUnavailableError):
        desk.sessions.for_installation(installation).get("/boards")
    desk.pass_time()
    desk.call(desk.sessions.for_installation(installation))
    known = installation_of(desk.store, installation)
    assert (known.status, known.status_reason) == (InstallationStatus.DEGRADED, reason)


def test_a_link_speaks_with_its_own_grant_and_follows_it(desk: Desk, clock: FrozenClock) -> None:
    """A member's grant is renewed like an installation's; when it ends, only their link needs them."""
    installation = desk.install()
    link = UserLink(
        workspace="w1",
        id=new_id(),
        installation_id=installation.id,
        member="mona",
        provider="fake",
        host=desk.host.address,
        external_id="u1",
        created_at=clock(),
        updated_at=clock(),
        credential_id=desk.seal(LINK_GRANT),
    )
    with desk.store.transaction() as connection:
        links.add(connection, link)
    session = desk.sessions.for_link(link)
    clock.advance(HOUR)
    assert desk.call(session) == "access-2"
    clock.advance(HOUR)
    desk.answer = lambda _: refusal()
    for _ in range(2):
        with pytest.raises((ApiUnavailableError, ReconnectRequiredError)):
            session.get("/boards")
        desk.pass_time()
    with desk.store.reading() as connection:
        known = links.get(connection, workspace="w1", link_id=link.id)
    assert known.status is LinkStatus.NEEDS_REAUTHORISATION
    assert "link again" in known.status_reason
    assert installation_of(desk.store, installation).status is InstallationStatus.ACTIVE
    assert audited(desk.store) == ["link.refused"]


def test_a_link_without_a_token_opens_no_session(desk: Desk, clock: FrozenClock) -> None:
    """An identity that was only confirmed can't speak."""
    link = UserLink(
        workspace="w1", id="l1", installation_id="i1", member="mona", provider="fake", host=desk.host.address,
        external_id="u1", created_at=clock(), updated_at=clock(),
    )  # fmt: skip
    with pytest.raises(NotFoundError):
        desk.sessions.for_link(link)


def test_a_busy_database_does_not_cost_the_answer(
    desk: Desk, clock: FrozenClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The new tokens are written as soon as the database takes them; there is no other copy."""
    installation = desk.install()
    clock.advance(HOUR)
    replace, busy = desk.vault.replace, iter([True, True])

    def now_and_then(*given: Any, **named: Any) -> bool:
        if next(busy, False):
            raise StoreUnavailableError("the database is too busy")
        return replace(*given, **named)

    monkeypatch.setattr(desk.vault, "replace", now_and_then)
    assert desk.call(desk.sessions.for_installation(installation)) == "access-2"
    assert len(desk.presented) == 1


@pytest.fixture
def while_connecting(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[], object]], None]:
    """Let something happen once between the connection to the provider and the request on it."""
    connect, happenings = Egress.connect, list[Callable[[], object]]()

    def connecting(*given: Any, **named: Any) -> socket:
        connected = connect(*given, **named)
        while happenings:
            happenings.pop()()
        return connected

    monkeypatch.setattr(Egress, "connect", connecting)
    return happenings.append


def test_whoever_was_paused_too_long_before_asking_sends_nothing(
    desk: Desk, clock: FrozenClock, while_connecting: Callable[[Callable[[], object]], None]
) -> None:
    """A holder whose time was over before the request left, be it while connecting, keeps the refresh token."""
    installation = desk.install()
    clock.advance(HOUR)
    while_connecting(lambda: time.sleep(0.06))
    with pytest.raises(ApiUnavailableError):
        desk.another_process(send=0.05).for_installation(installation).get("/boards")
    assert desk.presented == []


def test_no_refresh_token_is_shown_that_is_older_than_the_stored_one(
    desk: Desk, clock: FrozenClock, while_connecting: Callable[[Callable[[], object]], None]
) -> None:
    """A late answer that is written while the next one connects: that one sends nothing, and uses the new token."""
    installation = desk.install()
    clock.advance(HOUR)
    written = {"access_token": "access-2", "refresh_token": "refresh-2"}
    while_connecting(lambda: desk.replace(installation.credential_id, 1, **written))
    assert desk.call(desk.sessions.for_installation(installation)) == "access-2"
    assert desk.presented == []
    with desk.store.reading() as connection:
        stored = find_grant(connection, workspace="w1", credential_id=installation.credential_id)
    assert stored is not None
    assert (stored.condition, stored.is_being_renewed, stored.is_open) == (GrantCondition.GOOD, False, True)


def test_a_late_answer_leaves_the_turn_to_whoever_asks_by_now(desk: Desk, clock: FrozenClock) -> None:
    """Nobody uses the new refresh token up while the old one may be on its way; its holder ends the turn."""
    installation = desk.install()
    clock.advance(HOUR)
    begun, written = threading.Event(), threading.Event()
    other = threading.Thread(target=lambda: desk.call(desk.another_process().for_installation(installation)))

    def turn() -> tuple[bool, bool]:
        with desk.store.reading() as connection:
            stored = find_grant(connection, workspace="w1", credential_id=installation.credential_id)
        assert stored is not None
        return stored.is_being_renewed, stored.is_open

    def overtaken(number: int) -> Reply:
        if number == 1:
            desk.pass_time()
            other.start()
            assert begun.wait(20)
            return desk.rotated(number)
        begun.set()
        assert written.wait(20)
        return refusal()

    desk.answer = overtaken
    assert desk.call(desk.sessions.for_installation(installation)) == "access-2"
    during = turn()
    written.set()
    other.join()
    assert (during, turn()) == ((True, False), (False, True))
    assert desk.bearers() == ["access-2", "access-2"]
    assert desk.stored(installation.credential_id)["refresh_token"] == "refresh-2"
    assert installation_of(desk.store, installation).status is InstallationStatus.ACTIVE


def test_a_forgotten_grant_is_not_brought_back_by_an_answer(desk: Desk, clock: FrozenClock) -> None:
    """Whoever disconnects while a renewal is under way has the last word."""
    installation = desk.install()
    clock.advance(HOUR)

    def disconnected(number: int) -> Reply:
        with desk.store.transaction() as connection:
            desk.vault.forget(connection, workspace="w1", credential_id=installation.credential_id)
        return desk.rotated(number)

    desk.answer = disconnected
    with pytest.raises(NotFoundError):
        desk.sessions.for_installation(installation).get("/boards")
    with desk.store.reading() as connection:
        assert connection.execute(select(grants)).all() == []
        assert connection.execute(select(credentials).where(credentials.c.kind == GRANT)).all() == []


def test_no_token_is_logged_while_it_is_renewed(
    desk: Desk, clock: FrozenClock, caplog: pytest.LogCaptureFixture
) -> None:
    """At DEBUG neither the old nor the new tokens, nor the client secret, appear."""
    caplog.set_level(logging.DEBUG)
    session = desk.sessions.for_installation(desk.install())
    clock.advance(HOUR)
    desk.answer = lambda number: refusal() if number == 1 else desk.rotated(number)
    with pytest.raises(ApiUnavailableError):
        session.get("/boards")
    desk.pass_time()
    desk.call(session)
    assert "suspect" in caplog.text
    shown = [text for text in ("access-", "refresh-", "the client secret") if text in caplog.text]
    assert shown == []
