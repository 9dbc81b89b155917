"""Plays a scenario: the API's answers come from a file, through the very session that core hands to a plugin."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from pathlib import PurePath
from typing import Any, Final
from urllib.parse import parse_qsl, urlsplit

import responses
from attrs import define, evolve, field
from requests import PreparedRequest

from ..credentials.secret import Secret
from ..http.session import Transport, TransportSession
from ..providers.accounts import Account, App
from ..providers.api import Listing
from ..providers.conversations import Conversation, Grant
from ..providers.manifest import Capability, Manifest
from ..providers.resources import ResourceReference
from ..providers.subscriptions import Subscription, SubscriptionScope, SubscriptionStep
from .receiver import NOW
from .scenarios import AskedRequest, Exchange, GivenAnswer, Scenario

WEBHOOK_SECRET: Final = "the-secret-that-only-the-wire-may-see"  # noqa: S105 - the marker of the suite, valid nowhere
"""The secret of a webhook that is registered; it stands in requests as core's session writes it."""

TOKEN: Final = "the-token-that-nobody-may-see"  # noqa: S105 - the marker of the suite, valid nowhere
"""What stands in the Authorization header of every request of the session."""

STATE: Final = "s+t/a=t&e?#%20"
"""A state whose every letter has to be quoted in a URL."""

NOT_RECORDED: Final = 599
"""Answered where the scenario has nothing."""

Interference = Callable[[int, int, GivenAnswer], GivenAnswer]
"""Index of the exchange, how often it was asked before, the recorded answer → the answer to give instead."""

METHODS: Final = ("DELETE", "GET", "PATCH", "POST", "PUT")
ANY_URL: Final = re.compile(r".*")


def as_recorded(_: int, __: int, answer: GivenAnswer) -> GivenAnswer:
    """Answer what the file says."""
    return answer


@define(kw_only=True)
class PlayedScenario:
    """A scenario while it is played.

    What was asked and sent is kept as text, such as ``GET /path?query``: also what isn't in the scenario, and what
    went outside the session.
    """

    manifest: Manifest
    scenario: Scenario
    interfere: Interference = as_recorded
    asked: list[str] = field(factory=list)
    unexpected: list[str] = field(factory=list)
    outside: list[str] = field(factory=list)
    slept: list[float] = field(factory=list)
    sent: list[str] = field(factory=list)
    _served: Counter[int] = field(factory=Counter)
    _failed: set[int] = field(factory=set)

    @property
    def app(self) -> App:
        """The app that the scenario speaks for; every public setting has a value."""
        hosts = self.manifest.hosts
        settings = {name: f"example-{name}" for name in self.manifest.app_settings}
        return App(
            provider=self.manifest.provider,
            host=hosts.default,
            client_id="contract-client",
            urls=hosts.urls,
            settings={**settings, **self.scenario.given.get("settings", {})},
        )

    @property
    def session(self) -> TransportSession:
        """The session that a conversation is handed."""
        return self.session_at(self.manifest.hosts.urls.api)

    def session_at(self, root: str) -> TransportSession:
        """Return a session that starts at a root of the API."""
        moment = [NOW]

        def sleep(seconds: float) -> None:
            self.slept.append(seconds)
            moment[0] += timedelta(seconds=seconds)

        return TransportSession(
            Transport(clock=lambda: moment[0], sleep=sleep, patience_seconds=600),
            root=root,
            authorization=lambda: f"Bearer {TOKEN}",
            dialect=self.manifest.rate_limits,
            headers=self.manifest.api_headers,
            subject=f"{self.manifest.provider} in {self.scenario.name}",
            failures=self.manifest.failures,
            on_unauthorized=lambda: True,  # as with every grant: there is a fresh credential, once
        )

    @property
    def unasked(self) -> set[int]:
        """The places of the exchanges that weren't asked for."""
        return set(range(len(self.scenario.exchanges))) - self._served.keys()

    @property
    def argument(self) -> Conversation | Listing | Subscription:
        """What the scenario's hook is called with."""
        match self.scenario.hook:
            case Capability.LIST_RESOURCES:
                return self.listing
            case Capability.SUBSCRIBE:
                return self.subscription
            case _:
                return self.conversation

    @property
    def conversation(self) -> Conversation:
        """What `install` or `link_user` is called with."""
        given, grant = self.scenario.given, self.scenario.given.get("grant")
        return Conversation(
            app=self.app,
            state=STATE,
            parameters=given.get("parameters", {}),
            remembered=given.get("remembered", {}),
            grant=None if grant is None else self._granted(grant),
            choice=tuple(given.get("choice", ())),
            account=Account(**given["account"]) if "account" in given else None,
        )

    def _granted(self, grant: Mapping[str, Any]) -> Grant:
        return Grant(**{"scopes": (), "details": {}, **_tupled(grant), "session": self.session})

    @property
    def listing(self) -> Listing:
        """What `list_resources` is called with."""
        given = {"page_size": self.manifest.api_page_size, **_tupled(self.scenario.given)}
        account = Account(**given.pop("account", {"id": "1"}))
        given.pop("settings", None)  # of the app
        session = self.session_at(self.manifest.hosts.urls.api_of(account.id))
        return Listing(**{**given, "app": self.app, "account": account, "session": session})

    @property
    def subscription(self) -> Subscription:
        """What `subscribe` is called with."""
        given = self.scenario.given
        resources = (ResourceReference(**each) for each in given.get("resources", ()))
        rules = self.manifest.webhooks.subscriptions
        return Subscription(
            step=SubscriptionStep(given.get("step", "register")),
            app=self.app,
            account=Account(**given.get("account", {"id": "1"})),
            session=self.session,
            scope=SubscriptionScope(given.get("scope", "account")),
            url=f"https://saas.example/webhooks/{self.manifest.provider}/{PurePath(self.scenario.name).stem}",
            installation=given.get("installation", ""),
            resources=tuple(resources),
            secret=Secret(WEBHOOK_SECRET) if rules is None or rules.own_endpoint else None,
            scheme=next(iter(self.manifest.webhooks.schemes)),
            registration=given.get("registration", ""),
        )

    def answer(self, request: PreparedRequest) -> tuple[int, dict[str, str], bytes]:
        """Answer a request as the scenario says; note whatever it doesn't say."""
        url = urlsplit(request.url or "")
        asked = f"{request.method} {url.path}{'?' if url.query else ''}{url.query}"
        self.asked.append(asked)
        self.sent.append(request.body.decode() if isinstance(request.body, bytes) else request.body or "")
        if request.headers.get("Authorization") != f"Bearer {TOKEN}":
            self.outside.append(f"{request.method} {request.url}")
        found = self._find(request)
        if found is None:
            self.unexpected.append(asked)
            return NOT_RECORDED, {}, b"{}"
        index, exchange = found
        answer = self.interfere(index, self._served[index], exchange.answer)
        self._served[index] += 1
        (self._failed.add if self._fails(answer) else self._failed.discard)(index)
        return answer.status, self._filled(answer.headers), self._body(answer)

    def _fails(self, answer: GivenAnswer) -> bool:
        dialect = self.manifest.failures
        return answer.status >= 400 or (dialect is not None and dialect.status_of(answer.body) is not None)

    def _find(self, request: PreparedRequest) -> tuple[int, Exchange] | None:
        """Return the first exchange that fits and wasn't answered yet; one that failed may be asked again."""
        fitting = [
            (index, exchange)
            for index, exchange in enumerate(self.scenario.exchanges)
            if _fits(exchange.request, request, urlsplit(self.manifest.hosts.urls.api).path)
        ]
        again = (pair for pair in fitting if pair[0] in self._failed)
        return next(again, None) or next((pair for pair in fitting if not self._served[pair[0]]), None)

    def _body(self, answer: GivenAnswer) -> bytes:
        """Return the bytes of an answer; a 204 has none (RFC 9110, section 15.3.5)."""
        if answer.status == 204:
            return b""
        body = answer.body if isinstance(answer.body, bytes) else json.dumps(answer.body).encode()
        return self._filled({"": body.decode("latin-1")})[""].encode("latin-1")

    def _filled(self, texts: Mapping[str, str]) -> dict[str, str]:
        urls = self.manifest.hosts.urls
        return {name: text.replace("{api}", urls.api).replace("{web}", urls.web) for name, text in texts.items()}


@contextmanager
def playing(
    manifest: Manifest, scenario: Scenario, interfere: Interference = as_recorded
) -> Iterator[PlayedScenario]:
    """Answer every request of this process from the scenario while the block runs."""
    stage = PlayedScenario(manifest=manifest, scenario=scenario, interfere=interfere)
    with responses.RequestsMock(assert_all_requests_are_fired=False) as mock:
        for method in METHODS:
            mock.add_callback(method, ANY_URL, callback=stage.answer, content_type="application/json")
        yield stage


def throughout(alter: Callable[[GivenAnswer], GivenAnswer]) -> Interference:
    """Alter every answer."""

    def interfere(_: int, __: int, answer: GivenAnswer) -> GivenAnswer:
        return alter(answer)

    return interfere


def failing(status: int, *, at: int) -> Interference:
    """Answer one exchange with a status, however often it is asked."""
    return always(GivenAnswer(status=status, body={"message": "no"}), at=at)


def always(other: GivenAnswer, *, at: int) -> Interference:
    """Answer one exchange otherwise, however often it is asked."""

    def interfere(index: int, _: int, answer: GivenAnswer) -> GivenAnswer:
        return other if index == at else answer

    return interfere


def once(first: GivenAnswer, *, at: int) -> Interference:
    """Answer one exchange otherwise the first time that it is asked."""

    def interfere(index: int, before: int, answer: GivenAnswer) -> GivenAnswer:
        return first if index == at and not before else answer

    return interfere


def answering(body: object, *, at: int) -> Interference:
    """Answer one exchange with another body."""

    def interfere(index: int, _: int, answer: GivenAnswer) -> GivenAnswer:
        return evolve(answer, body=body) if index == at else answer

    return interfere


def _fits(expected: AskedRequest, request: PreparedRequest, root: str) -> bool:
    url = urlsplit(request.url or "")
    if request.method != expected.method or url.path != root + expected.path:
        return False
    if expected.query is not None and dict(parse_qsl(url.query, keep_blank_values=True)) != dict(expected.query):
        return False
    return expected.body is None or holds(_json(request.body), expected.body)


def _tupled(given: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a file gives, its lists as tuples."""
    return {name: tuple(value) if isinstance(value, list) else value for name, value in given.items()}


def _json(body: object) -> Any:
    try:
        return json.loads(body) if isinstance(body, str | bytes) else None
    except ValueError:
        return None


def difference(found: Mapping[str, Any], expected: Mapping[str, Any]) -> str:
    """Return which members of a document don't hold what is expected, in words; empty where all do.

    >>> difference({"id": "1", "name": "x"}, {"id": "2", "name": "x"})
    "id: '1', not '2'"
    """
    differing = [name for name, value in expected.items() if name not in found or not holds(found[name], value)]
    return ", ".join(f"{name}: {found.get(name)!r}, not {expected[name]!r}" for name in differing)


def holds(found: object, expected: object) -> bool:
    """Say whether a document holds what is expected: every named member, and lists of equal length.

    >>> holds({"id": "1", "name": "x"}, {"id": "1"}), holds([1, 2], [1])
    (True, False)
    """
    if isinstance(expected, Mapping):
        return isinstance(found, Mapping) and all(
            name in found and holds(found[name], value) for name, value in expected.items()
        )
    if isinstance(expected, list | tuple):
        return isinstance(found, list | tuple) and len(found) == len(expected) and all(map(holds, found, expected))
    return found == expected
