"""A host with one real plugin, beside that provider's stand-in, whose answers a test decides."""

from __future__ import annotations

import inspect
import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from datetime import datetime, timedelta
from functools import partial
from typing import Any
from unittest.mock import patch
from urllib.parse import parse_qsl, urlsplit

import requests
from attrs import Factory, define, field, frozen
from sqlalchemy import update

from speckitty_connectors import (
    Application,
    AppSettings,
    Callback,
    Connectors,
    Dispatch,
    Installation,
    KeyRing,
    Registry,
    ResourceReference,
    Secret,
    Settings,
    Target,
    Visitor,
)
from speckitty_connectors import connectors as connectors_module
from speckitty_connectors.conversations.steps import PickAccount, SendBrowser
from speckitty_connectors.credentials.tables import grants
from speckitty_connectors.http.session import Transport
from speckitty_connectors.identifiers import utc_now
from speckitty_connectors.inbox.signing import sign
from speckitty_connectors.installations.steps import Done
from speckitty_connectors.standin import StandInRequest, StandInResponse, StandInWebhook, stand_ins

from .hosts import DROPPED, ProviderHost, Received, Reply
from .serving import Served

KEY = KeyRing.new_key()
PROJECT = Target(kind="project", id="apollo")
PROVIDERS = ("github", "gitlab", "jira", "linear", "slack")

Answer = Callable[[StandInRequest, Callable[[], StandInResponse]], StandInResponse | None]
"""Answers a request, if it likes by asking the stand-in; None drops the connection."""


def well(request: StandInRequest, stand_in: Callable[[], StandInResponse]) -> StandInResponse:
    """Answer as the provider does when nothing is wrong."""
    return stand_in()


@define
class MovedClock:
    """The real clock, set forward by a test."""

    ahead: timedelta = timedelta()
    slept: list[float] = Factory(list)

    def __call__(self) -> datetime:
        return utc_now() + self.ahead

    def sleep(self, seconds: float) -> None:
        """Let the time pass, and note how much."""
        self.slept.append(seconds)
        self.ahead += timedelta(seconds=seconds)


@define
class PlayedProvider:
    """The provider's side: the stand-in behind real HTTP, whose answers a test may change."""

    stand_in: Any = None
    answer: Answer = well
    asked: list[StandInRequest] = Factory(list)
    host: ProviderHost = field(
        init=False, default=Factory(lambda self: ProviderHost(self._respond), takes_self=True)
    )

    def _respond(self, received: Received) -> Reply:
        parts = urlsplit(received.path)
        names = {f"HTTP_{name.upper().replace('-', '_')}": value for name, value in received.headers.items()}
        request = StandInRequest(
            method=received.method,
            path=parts.path,
            web=self.host.url,
            url=self.host.url + parts.path,
            query=dict(parse_qsl(parts.query)),
            body=received.body,
            headers=names,
        )
        self.asked.append(request)
        response = self.answer(request, lambda: self.stand_in.application.answer(request))
        if response is None:
            return DROPPED
        body, content_type = response.encoded()
        headers = {"Content-Type": content_type, **response.headers}
        return Reply(status=int(response.status), headers=headers, body=body)

    def paths(self, *, method: str = "") -> list[str]:
        """Return the paths that were asked for, the oldest first."""
        return [request.path for request in self.asked if method in {"", request.method}]


@frozen(kw_only=True)
class Played:
    """A host, and a provider that a test plays."""

    key: str
    connectors: Connectors
    provider: PlayedProvider
    clock: MovedClock
    app_url: str
    secret: Secret
    app_host: str
    dispatched: list[Dispatch]

    def visitor(self, workspace: str = "w1") -> Visitor:
        """Return mona, as a member of a workspace."""
        return Visitor(workspace=workspace, member="mona", session="the session of mona's browser")

    def connect(self, workspace: str = "w1") -> Installation:
        """Connect as a person who agrees to everything, wherever the provider sends the browser."""
        return self.walk(
            self.connectors.onboarding.begin(
                visitor=self.visitor(workspace), provider=self.key, host=self.app_host
            ),
            workspace,
        )

    def walk(self, step: object, workspace: str = "w1") -> Installation:
        """Follow the steps of a conversation to its end."""
        onboarding, visitor = self.connectors.onboarding, self.visitor(workspace)
        while not isinstance(step, Done):
            match step:
                case SendBrowser():
                    callback = Callback(provider=self.key, host=self.app_host, parameters=landing(step.url))
                    step = onboarding.complete(visitor=visitor, callback=callback)
                case PickAccount():
                    first = step.accounts[0].id
                    step = onboarding.choose(visitor=visitor, state=step.state, account_ids=(first,))
                case _:
                    raise AssertionError(step)
        return step.installations[0]

    def sync(self, installation: Installation) -> Any:
        """List what there is."""
        return self.connectors.inventory.sync(installation.workspace, installation.id)

    def map(
        self,
        installation: Installation,
        *,
        target: Target = PROJECT,
        index: int = 0,
        key: str = "",
        **values: Any,
    ) -> ResourceReference:
        """Map a resource of the most specific kind; return it."""
        rank = self.connectors.registry.provider(self.key).manifest.rank
        known = self.connectors.inventory.resources(installation.workspace, installation.id)
        listed = [each for each in known if key in {"", each.key}]
        chosen = sorted(listed, key=lambda each: (rank(each.kind), each.external_id))[index]
        resource = ResourceReference(kind=chosen.kind, id=chosen.external_id, key=chosen.key)
        self.connectors.mappings.create(
            workspace=installation.workspace,
            installation_id=installation.id,
            resource=resource,
            target=target,
            actor="member:mona",
            **values,
        )
        return resource

    def installation(self, installation: Installation) -> Installation:
        """Return an installation as it is now."""
        found = self.connectors.installations(installation.workspace)
        return next(each for each in found if each.id == installation.id)

    def remove(self, installation: Installation) -> Any:
        """Remove an installation as its admin."""
        return self.connectors.onboarding.remove(
            workspace=installation.workspace, installation_id=installation.id, actor="member:mona"
        )

    def advance(self, seconds: float) -> None:
        """Let the time pass, also where the database's own clock counts it."""
        self.clock.ahead += timedelta(seconds=seconds)
        with self.connectors.store.transaction() as connection:
            passed = grants.c.not_before - int(seconds * 1000)
            connection.execute(update(grants).values(not_before=passed))

    def post(
        self,
        document: Mapping[str, Any] | bytes,
        headers: Mapping[str, str] | None = None,
        webhook: StandInWebhook | None = None,
    ) -> tuple[int, str]:
        """Deliver a document as the provider does, to the app's endpoint or by a webhook; return what came."""
        body = document if isinstance(document, bytes) else json.dumps(document).encode()
        schemes = self.connectors.registry.provider(self.key).manifest.webhooks.schemes
        scheme = schemes[webhook.scheme] if webhook else next(iter(schemes.values()))
        secret = Secret(webhook.secret) if webhook else self.secret
        whole = {"Content-Type": "application/json", **(headers or {})}
        whole |= sign(scheme, secret, body, now=self.clock(), headers=whole)
        response = requests.post(webhook.url if webhook else self.app_url, data=body, headers=whole, timeout=60)
        return response.status_code, response.json()["code"]

    def tell(self, number: int) -> None:
        """Let the first event of the stand-in's story happen once more, and report it by every webhook there is."""
        told = self.provider.stand_in.deliveries()[0]
        rules = self.connectors.registry.provider(self.key).manifest.webhooks
        document = {**json.loads(told.content), "number of this telling": number}
        if "checkout_sha" in document:
            document |= {"after": f"{number:040x}", "checkout_sha": f"{number:040x}"}
        if rules.delivery_id_field:
            document[rules.delivery_id_field] = f"Ev{number}"
        webhooks = getattr(self.provider.stand_in, "webhooks", lambda: (None,))()
        for position, webhook in enumerate(webhooks):
            named = {rules.kind_header: told.kind, rules.delivery_id_header: f"told-{number}-{position}"}
            headers = {name: value for name, value in named.items() if name} | dict(told.headers)
            status, code = self.post(document, headers, webhook)
            assert status in {200, 202}, (status, code)
        self.work()

    def work(self) -> None:
        """Let a worker do all there is."""
        while self.connectors.worker().run_once():
            pass


def landing(url: str) -> dict[str, str]:
    """Agree on the provider's page; return what the browser brings back."""
    page = requests.get(url, allow_redirects=False, timeout=10)
    return dict(parse_qsl(urlsplit(page.headers["Location"]).query))


@contextmanager
def open_played(key: str, database_url: str, **stand_in: Any) -> Iterator[Played]:
    """Put up a host and the stand-in of a provider, with nothing connected yet."""
    with ExitStack() as stack:
        here, clock, provider = stack.enter_context(Served()), MovedClock(), PlayedProvider()
        stack.enter_context(provider.host.serving())
        factory: Any = stand_ins()[key]
        registry, host = Registry(), provider.host.address
        if getattr(factory, "own_host", False):
            registry.provider(key).relocate(provider.host.url)
            host = registry.provider(key).manifest.hosts.default
        settings = Settings(
            database_url=database_url,
            keys={"test": KEY},
            public_url=here.url,
            allowed_hosts=frozenset({provider.host.address}),
        )
        with patch.object(connectors_module, "Transport", partial(Transport, sleep=clock.sleep)):
            connectors = stack.enter_context(Connectors(settings, registry=registry, clock=clock))
        connectors.upgrade()
        callback = connectors.callback_url(key, host)
        if "now" in inspect.signature(factory).parameters:
            stand_in["now"] = clock
        provider.stand_in = factory(setup_url=callback, callback_url=callback, **stand_in)
        made = provider.stand_in.registration(provider.host.url)
        app = AppSettings(
            provider=key,
            client_id=made["client_id"],
            client_secret=Secret(made["client_secret"]),
            private_key=Secret(made["private_key"]) if made["private_key"] else None,
            webhook_secrets=tuple(map(Secret, made["webhook_secrets"])),
            base_url=made["base_url"],
            settings=made["settings"],
        )
        dispatched: list[Dispatch] = []
        connectors.on()(lambda dispatch, _: dispatched.append(dispatch))
        url = connectors.webhook_url(connectors.register_app(app))
        here.serve(Application(connectors))
        yield Played(
            key=key,
            connectors=connectors,
            provider=provider,
            clock=clock,
            app_url=url,
            secret=next(iter(app.webhook_secrets), Secret(made["client_secret"])),
            app_host=host,
            dispatched=dispatched,
        )
