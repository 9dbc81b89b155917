"""Canaries: a marker in everything secret, a host's life at DEBUG, and a search of whatever it left behind."""

from __future__ import annotations

import base64
import copy
import gc
import json
import logging
import pickle
import traceback
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, closing
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, quote, urlsplit

import attrs
import psycopg
import pytest
from attrs import evolve
from click.testing import CliRunner
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from sqlalchemy import ClauseElement, MetaData, select, text
from sqlalchemy.pool import PoolProxiedConnection

from speckitty_connectors import (
    AppSettings,
    Callback,
    ConnectorsError,
    Dispatch,
    KeyRing,
    Registry,
    ResourceReference,
    Secret,
    Settings,
    Target,
    Visitor,
)
from speckitty_connectors.cli import commands
from speckitty_connectors.connectors import Connectors
from speckitty_connectors.contract.fake import MANIFEST, FakeProvider
from speckitty_connectors.credentials.tables import grants
from speckitty_connectors.http.response import ProviderAnswer
from speckitty_connectors.inbox.request import Request
from speckitty_connectors.inbox.signing import sign
from speckitty_connectors.installations.steps import Done
from speckitty_connectors.links.types import LinkDone
from speckitty_connectors.plugin import AppTokenRules, Listing, ResourcePage, hookimpl
from speckitty_connectors.store.engine import Store
from testbed.canaries import DATABASE_LOG, Canaries, Watch
from testbed.clock import FrozenClock
from testbed.desk import AuthorizationServer
from testbed.hosts import Received, Reply
from testbed.postgresql import fresh_database

HOUR = 3600
SCHEME = MANIFEST.webhooks.schemes["secret"]


def canary(name: str) -> str:
    """Return a marker that looks different in every way of writing it down, and may stand in a header."""
    return f"canary+{name}/=\"'%"


class Boards(FakeProvider):
    """The fake provider, which really asks for its boards."""

    @hookimpl
    def list_resources(self, listing: Listing) -> Iterator[ResourcePage]:
        listing.session.get("/boards")
        yield ResourcePage(resources=self.resources)


class Mint(Boards):
    """A provider whose app signs with a private key of its own and is given a token for each installation."""

    manifest = evolve(
        MANIFEST,
        provider="mint",
        app_tokens=AppTokenRules(mint_url="{api}/installations/{installation}/access_tokens"),
    )


class Provider(AuthorizationServer):
    """The provider's side, which repeats to us whatever it is told where it can: in bodies and in headers."""

    def __init__(self, canaries: Canaries, clock: FrozenClock) -> None:
        super().__init__()
        self.canaries, self.clock = canaries, clock
        self.token: Callable[[], Reply] = self.rotated
        self.status = 200
        self.count = 1

    def rotated(self) -> Reply:
        self.count += 1
        return Reply(body=json.dumps(self.tokens()).encode(), headers={"Content-Type": "application/json"})

    def tokens(self) -> dict[str, str | int]:
        pair = {name: canary(f"{name}-{self.count}") for name in ("access_token", "refresh_token")}
        for field, secret in pair.items():
            self.canaries.add(f"{field} {self.count}", str(secret))
        return {**pair, "token_type": "bearer", "expires_in": HOUR}

    def refusing(self, status: int, error: str) -> Callable[[], Reply]:
        said = {
            "error": error,
            "error_description": f"{canary('client-secret')} {canary(f'refresh_token-{self.count}')}",
        }
        return lambda: Reply(status=status, body=json.dumps(said).encode())

    def _respond(self, received: Received) -> Reply:
        authorization = received.headers.get("Authorization", "")
        if received.path.endswith("/access_tokens"):
            return self._mint(authorization)
        if authorization:
            body = json.dumps({"message": authorization}).encode()
            return Reply(status=self.status, body=body, headers={"X-Echo": authorization})
        form = dict(parse_qsl(received.body.decode()))
        if form.get("grant_type") == "refresh_token":
            return self.token()
        self.canaries.add("verifier", form["code_verifier"])
        self.canaries.add("code", form["code"])
        return super()._respond(received)

    def _mint(self, authorization: str) -> Reply:
        """Answer the app's assertion with a token for an hour."""
        self.count += 1
        token = canary(f"minted-token-{self.count}")
        self.canaries.add("assertion", authorization.removeprefix("Bearer "))
        self.canaries.add("minted token", token)
        minted = {"token": token, "expires_at": (self.clock() + timedelta(hours=1)).isoformat()}
        return Reply(status=201, body=json.dumps(minted).encode(), headers={"X-Echo": authorization})


class Host:
    """A SaaS that uses everything, with a marker in every secret field."""

    def __init__(self, database_url: str, stack: ExitStack, canaries: Canaries) -> None:
        self.canaries, self.clock = canaries, FrozenClock()
        session = canary("browser-session")
        self.visitor = Visitor(workspace="w1", member="mona", session=session)
        self.webhook_secret, key = canary("webhook-secret"), KeyRing.new_key()
        canaries.add("client secret", canary("client-secret"))
        canaries.add("webhook secret", self.webhook_secret)
        canaries.add("browser session", session)
        canaries.add("key", key.reveal())
        canaries.add("bytes of the key", base64.b64decode(key.reveal()))
        self.provider = Provider(canaries, self.clock)
        stack.enter_context(self.provider.host.serving())
        self.registry = Registry(entry_points=())
        for plugin in (Boards(), Mint()):
            self.registry.register(plugin)
        self.settings = Settings(
            database_url=database_url,
            keys={"2026": key},
            public_url="https://saas.example",
            allowed_hosts=frozenset({self.provider.host.address}),
            apps=tuple(
                AppSettings(
                    provider=provider,
                    client_id="client",
                    client_secret=Secret(canary("client-secret")),
                    private_key=private_key,
                    webhook_secrets=(Secret(self.webhook_secret),),
                    base_url=self.provider.host.url,
                )
                for provider, private_key in (("fake", None), ("mint", _private_key(canaries)))
            ),
        )
        self.connectors = stack.enter_context(Connectors(self.settings, registry=self.registry, clock=self.clock))
        self.connectors.upgrade()
        self.connectors.start()
        self.place = {"provider": "fake", "host": self.provider.host.address}
        self.shown: list[object] = [self.settings, self.connectors]
        self.errors: list[BaseException] = []

    def failing(self, call: Callable[[], object]) -> None:
        """Make a call that has to fail, and keep its error for the search."""
        try:
            call()
        except ConnectorsError as error:
            self.errors.append(error)
        else:
            pytest.fail("nothing failed")

    def connect(self, provider: str = "fake", **details: str) -> str:
        """Connect an account; return the installation's id."""
        place = {**self.place, "provider": provider}
        sent = self.connectors.onboarding.begin(visitor=self.visitor, **place)
        self.canaries.add("state", dict(parse_qsl(urlsplit(sent.url).query))["state"])
        back = self.provider.approve(sent.url, **self.provider.tokens(), **details)
        done = self.connectors.onboarding.complete(
            visitor=self.visitor, callback=Callback(parameters=back, **place)
        )
        assert isinstance(done, Done)
        self.shown += [sent, done]
        return done.installations[0].id

    def link(self, installation_id: str) -> None:
        sent = self.connectors.links.begin(visitor=self.visitor, installation_id=installation_id)
        self.provider.count += 1
        back = self.provider.approve(sent.url, **self.provider.tokens())
        done = self.connectors.links.complete(
            visitor=self.visitor,
            callback=Callback(parameters=back, **self.place),
        )
        assert isinstance(done, LinkDone)
        self.shown.append(done)

    def deliver(self, secret: str, **document: object) -> int:
        """Post a delivery that is signed with a secret."""
        body = json.dumps({"event": "card", "account": {"id": "7"}, **document}).encode()
        headers = {
            **sign(SCHEME, Secret(secret), body, now=self.clock()),
            "X-Fake-Event": "card",
            "X-Fake-Delivery": str(document),
            "Content-Type": "application/json",
            "Authorization": f"Bearer {canary('header')}",
            "Cookie": canary("cookie"),
        }
        self.canaries.add("signature", headers["X-Fake-Signature"].removeprefix("sha256="))
        for name in ("header", "cookie"):
            self.canaries.add(name, canary(name))
        app = next(each for each in self.connectors.apps.list() if each.app.provider == "fake")
        endpoint = self.connectors.webhook_url(app).rpartition("/")[2]
        request = Request(provider="fake", endpoint_id=endpoint, headers=list(headers.items()), body=body)
        return self.connectors.inbox.accept(request).status

    def live(self) -> None:
        """Do all that a host does, and let everything fail once that can."""
        foreign = {"code": canary("foreign-code"), "state": canary("foreign-state")}
        complete = self.connectors.onboarding.complete
        self.failing(lambda: complete(visitor=self.visitor, callback=Callback(parameters=foreign, **self.place)))
        installation_id = self.connect()
        self.link(installation_id)
        self._speak_as_the_app()
        self._renew(installation_id)
        self._receive(installation_id)
        self.shown += [self.connectors.keys.rotate(), self.connectors.keys.list()]
        self._leave(installation_id)

    def _speak_as_the_app(self) -> None:
        """List with a minted token, and again with one that is refused."""
        installation_id = self.connect("mint", installation="42")
        self.shown.append(self.connectors.inventory.sync("w1", installation_id))
        self.provider.status = 401
        self.failing(lambda: self.connectors.inventory.sync("w1", installation_id))
        self.provider.status = 200

    def _leave(self, installation_id: str) -> None:
        """Give everything up, and take out what the audit says of it all."""
        self.shown.append(
            self.connectors.links.act_as(workspace="w1", installation_id=installation_id, member="mona")
        )
        self.shown.append(self.connectors.members.offboard(workspace="w1", member="mona", actor="operator"))
        self.shown.append(
            self.connectors.onboarding.remove(workspace="w1", installation_id=installation_id, actor="operator")
        )
        self.shown += [*self.connectors.audit.export("w1"), *self.connectors.audit.export("")]

    def _renew(self, installation_id: str) -> None:
        sync = self.connectors.inventory.sync
        self.shown.append(sync("w1", installation_id))
        for token in (self.provider.refusing(500, "oops"), self.provider.refusing(400, "invalid_grant")):
            self.clock.advance(HOUR)
            self.provider.token = token
            self.failing(lambda: sync("w1", installation_id))
            self._let_pass()
        self.provider.token = self.provider.rotated
        self.shown.append(sync("w1", installation_id))
        self.provider.status = 400
        self.failing(lambda: sync("w1", installation_id))
        self.provider.status = 200

    def _receive(self, installation_id: str) -> None:
        @self.connectors.on("project")
        def fail(dispatch: Dispatch, connection: object) -> None:
            raise RuntimeError("a bug of the host's")

        self.connectors.mappings.create(
            workspace="w1",
            installation_id=installation_id,
            resource=ResourceReference(kind="board", id="b1"),
            target=Target(kind="project", id="apollo"),
            actor="member:mona",
        )
        assert self.deliver(self.webhook_secret, board={"id": "b1", "key": "kitchen/menu"}) == 202
        assert self.deliver(canary("foreign-secret"), board={"id": "b1"}) >= 400
        self.connectors.worker().run_once()
        self.shown.append(self.connectors.review.list(workspace="w1"))

    def _let_pass(self) -> None:
        with self.connectors.store.transaction() as connection:
            connection.execute(grants.update().values(not_before=0))


def _private_key(canaries: Canaries) -> Secret:
    """Return a key for the app; each line of its text is a marker."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    text = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    for number, line in enumerate(text.splitlines()[1:-2]):
        canaries.add(f"line {number} of the private key", line)
    return Secret(text)


class Log(logging.Handler):
    """Keeps every record, and what it would look like in a file."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.names: set[str] = set()
        self._lines: list[str] = []

    @property
    def text(self) -> str:
        return "\n".join(self._lines)

    def emit(self, record: logging.LogRecord) -> None:
        self.names.add(record.name.partition(".")[0])
        self._lines.append(f"{self.format(record)} {vars(record)!r}")


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of a database without tables, for the one life that all these tests look at."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path_factory.mktemp('canary') / 'connectors.db'}"
        return
    with fresh_database(request.getfixturevalue("postgresql_server")) as fresh:
        yield fresh


@pytest.fixture(scope="module")
def log() -> Iterator[Log]:
    """Every log at DEBUG, with the database's statements and rows."""
    kept, root, database = Log(), logging.getLogger(), logging.getLogger(DATABASE_LOG)
    with pytest.MonkeyPatch.context() as patch:
        for level in ("info", "debug"):  # told to the watch alone otherwise
            patch.setattr(database, level, partial(getattr(logging.Logger, level), database))
        patch.setattr(root, "handlers", [*root.handlers, kept])
        patch.setattr(root, "level", logging.DEBUG)
        yield kept


@pytest.fixture(scope="module")
def host(url: str, log: Log) -> Iterator[Host]:
    """A host that has lived."""
    with ExitStack() as stack:
        lived = Host(url, stack, Canaries())
        lived.live()
        yield lived


@pytest.fixture
def canaries(host: Host) -> Canaries:
    return host.canaries


TOLD = frozenset({"state", "code"})
"""What a browser brings and takes; the objects that pass it on show it, and it is worth nothing afterwards."""

HANDED = TOLD | {"browser session"}
"""What the host itself hands over as plain text, so that the frames of its calls have it."""


@pytest.mark.parametrize("name", ["access_token 2", "client secret", "bytes of the key"])
def test_the_search_would_find_a_canary(host: Host, canaries: Canaries, name: str) -> None:
    """Each way to write a marker down is found again, so that finding nothing means something."""
    secret = canaries.named(name)
    written = [
        secret,
        secret.hex().encode(),
        base64.b64encode(secret),
        base64.b64encode(b"x" + secret),
        base64.b64encode(b"xy" + secret + b"z"),
        quote(secret).encode() if secret.isascii() else secret,
        repr(secret).encode(),
    ]
    assert all(canaries.found_in(b"before " + each + b" after") for each in written)
    assert {"assertion", "minted token", "line 3 of the private key"} < set(canaries.known.values())


WAYS: Mapping[str, Callable[[str], str]] = {
    "raw": str,
    "hex": lambda secret: secret.encode().hex(),
    "base64": lambda secret: base64.b64encode(b"xy" + secret.encode() + b"z").decode(),
    "URL-encoded": lambda secret: quote(secret, safe=""),
}


@pytest.mark.shows_secrets
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("place", ["log", "error", "command", "page", "statement", "row"])
def test_every_test_is_watched(way: str, place: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Wherever a test shows a secret on purpose, as this one does, the watch over all tests finds it."""
    watch = Watch()
    watch.install(monkeypatch)
    watch.begin()
    written = WAYS[way](Secret(canary("watched")).reveal())
    assert watch.leaks([("Captured log call", "nothing")]) == []
    if place == "error":
        ConnectorsError(written)
    elif place == "command":
        CliRunner().invoke(commands, [written])
    elif place == "page":
        with closing(Store(f"sqlite:///{tmp_path / 'shown.db'}")) as store, store.transaction() as connection:
            connection.execute(text("CREATE TABLE shown AS SELECT :written AS it"), {"written": written})
    elif place == "statement":
        with closing(Store("sqlite://")) as store, store.reading() as connection:
            connection.exec_driver_sql(f"SELECT 1 -- {written}")
    elif place == "row":
        with closing(Store("sqlite://")) as store, store.reading() as connection:
            assert connection.execute(text("SELECT :written"), {"written": written}).scalar_one() == written
    watch.end()
    assert watch.leaks([("Captured log call", written if place == "log" else "")]) != []


def test_no_log_shows_a_canary(canaries: Canaries, log: Log) -> None:
    """At DEBUG, with statements, rows, tracebacks and what else a record carries, nothing secret is logged."""
    assert {"speckitty_connectors", "sqlalchemy", "urllib3"} <= log.names
    assert canaries.found_in(log.text) == []


def test_no_error_shows_a_canary(host: Host, canaries: Canaries) -> None:
    """Neither an error's text, nor its traceback, nor the local variables of our own frames."""
    assert len(host.errors) >= 4
    for error in host.errors:
        assert canaries.found_in(f"{error} {error!r} {vars(error)}") == []
        assert canaries.found_in("".join(traceback.format_exception(error))) == []
        frames = traceback.TracebackException.from_exception(error, capture_locals=True).format()
        inner = "".join(frame for frame in frames if "speckitty_connectors" in frame and __file__ not in frame)
        assert canaries.found_in(inner, but=HANDED) == []


FOREIGN = (ClauseElement, PoolProxiedConnection, psycopg.Connection, ProviderAnswer)
"""What is ours by its class alone: parts of statements, connections of drivers, and what a provider said.

Here the provider repeats our token to us; whoever reads its answers can't be kept from reading that.
"""


def ours(host: Host) -> list[Any]:
    """Return every object of the library's that is alive."""
    gc.collect()
    alive = [each for each in gc.get_objects() if str(type(each).__module__).startswith("speckitty_connectors")]
    assert any(isinstance(each, Connectors) for each in alive)
    return [*(each for each in alive if not isinstance(each, FOREIGN)), *host.shown]


def test_no_object_shows_a_canary(host: Host, canaries: Canaries) -> None:
    """Whatever is alive, printed, formatted or inspected, keeps its secrets to itself."""
    for each in ours(host):
        assert canaries.found_in(f"{each!r} {each!s}", but=TOLD) == [], type(each)


def test_no_object_can_be_written_down_with_a_canary(host: Host, canaries: Canaries) -> None:
    """Pickled, copied or turned into JSON, an object fails, or shows nothing secret."""
    writers: list[Callable[[object], str | bytes]] = [pickle.dumps, lambda it: repr(copy.copy(it)), as_json]
    for each in ours(host):
        for write in writers:
            try:
                written = write(each)
            except Exception:  # noqa: BLE001 - failing is what most of them do
                continue
            assert canaries.found_in(written, but=TOLD) == [], type(each)


def as_json(each: Any) -> str:
    document: Mapping[str, Any] = attrs.asdict(each) if attrs.has(type(each)) else vars(each)
    return json.dumps(document, default=str)


def test_no_page_of_the_database_shows_a_canary(host: Host, canaries: Canaries) -> None:
    """Neither the pages of the files, with their log and what was deleted, nor any column of any row."""
    store = host.connectors.store
    tables = MetaData()
    with store.reading() as connection:
        tables.reflect(connection)
        rows = [tuple(row) for table in tables.tables.values() for row in connection.execute(select(table))]
    values = b"\0".join(value if isinstance(value, bytes) else str(value).encode() for row in rows for value in row)
    assert b"kitchen/menu" in values
    assert canaries.found_in(values) == []
    if store.is_sqlite:
        path = Path(str(store.url.database))
        pages = b"".join(each.read_bytes() for each in path.parent.iterdir() if each.name.startswith(path.name))
        assert b"kitchen/menu" in pages
        assert canaries.found_in(pages) == []


COMMANDS = [
    "apps",
    "installations list w1",
    "mappings list w1 --json",
    "review list",
    "keys list --json",
    "keys rotate --progress",
    "explain no-such-delivery --workspace w1",
]


def test_no_command_prints_a_canary(host: Host, canaries: Canaries, monkeypatch: pytest.MonkeyPatch) -> None:
    """What an operator sees, errors included, has nothing secret in it."""
    monkeypatch.setenv("SPECKITTY_CONNECTORS_DATABASE_URL", host.settings.database_url)
    monkeypatch.setenv("SPECKITTY_CONNECTORS_KEYS", f"2026:{host.settings.keys['2026'].reveal()}")
    for command in COMMANDS:
        result = CliRunner().invoke(commands, command.split())
        assert result.output or result.exception
        assert canaries.found_in(f"{result.output} {result.exception!r}") == [], command
