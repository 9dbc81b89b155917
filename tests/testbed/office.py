"""A whole host in one object: `Connectors` on one database, and a provider on loopback that a test leads."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from attrs import frozen

from speckitty_connectors import Callback, Connectors, Installation, KeyRing, Secret, Settings, Target, Visitor
from speckitty_connectors.apps.service import RegisteredApp
from speckitty_connectors.configuration import AppSettings
from speckitty_connectors.conversations.steps import SendBrowser
from speckitty_connectors.identifiers import new_id
from speckitty_connectors.inbox.repository import find_by_delivery_id
from speckitty_connectors.inbox.request import Request
from speckitty_connectors.inbox.responses import Answer
from speckitty_connectors.inbox.signing import sign
from speckitty_connectors.installations.steps import Done, Step
from speckitty_connectors.loading.registry import Registry

from .clock import FrozenClock
from .desk import AuthorizationServer, Script

KEY = KeyRing.new_key()
WEBHOOK_SECRET = Secret("the webhook secret of the app")
_numbers = itertools.count(1)


@frozen(kw_only=True)
class Office:
    """A host with one app at one host of the provider ``fake``."""

    connectors: Connectors
    clock: FrozenClock
    server: AuthorizationServer
    plugin: Script
    app: RegisteredApp

    @property
    def host(self) -> str:
        return self.server.host.address

    def authorise(self, sent: Step, member: str = "mona", workspace: str = "w1", **details: object) -> Step:
        """Authorise as a person would and come back."""
        assert isinstance(sent, SendBrowser)
        return self.connectors.onboarding.complete(
            visitor=who(member, workspace),
            callback=Callback(provider="fake", host=self.host, parameters=self.server.approve(sent.url, **details)),
        )

    def begin(self, member: str = "mona", workspace: str = "w1") -> SendBrowser:
        """Begin to connect."""
        return self.connectors.onboarding.begin(visitor=who(member, workspace), provider="fake", host=self.host)

    def connect(self, member: str = "mona", workspace: str = "w1", **details: object) -> Installation:
        """Connect an account, from the first click to the end."""
        step = self.authorise(self.begin(member, workspace), member, workspace, **details)
        assert isinstance(step, Done)
        return step.installations[0]

    def reauthorise(self, installation: Installation, member: str = "mona", **details: object) -> Step:
        """Authorise an account again."""
        sent = self.connectors.onboarding.reauthorise(
            visitor=who(member, installation.workspace), installation_id=installation.id
        )
        return self.authorise(sent, member, installation.workspace, **details)

    def tell(self, document: Mapping[str, Any], *, seconds_later: float = 60) -> None:
        """Let the provider post a signed delivery after a while, and a worker take it."""
        self.clock.advance(seconds_later)
        self.post(document)

    def post(self, document: Mapping[str, Any]) -> str:
        """Let the provider post a signed delivery, and a worker take it; return its id in the inbox."""
        delivery_id = f"delivery-{next(_numbers)}-{new_id()}"
        answer = self.accept(document, delivery_id=delivery_id)
        assert answer.status == 202, answer
        self.work()
        with self.connectors.store.reading() as connection:
            event_id = find_by_delivery_id(connection, delivery_id, workspace=self.app.workspace)
        assert event_id is not None
        return event_id

    def accept(
        self, document: Mapping[str, Any], *, delivery_id: str, url: str = "", secret: Secret = WEBHOOK_SECRET
    ) -> Answer:
        """Let the provider post a signed delivery to the app's address, or to another one; return the answer."""
        body = json.dumps(document).encode()
        headers = {
            "X-Fake-Event": str(document.get("event", "change")),
            "X-Fake-Delivery": delivery_id,
            "Content-Type": "application/json",
        }
        scheme = self.plugin.manifest.webhooks.schemes["secret"]
        signed = {**headers, **sign(scheme, secret, body, now=self.clock())}
        return self.connectors.inbox.accept(
            Request(
                provider="fake",
                endpoint_id=(url or self.connectors.webhook_url(self.app)).rpartition("/")[2],
                headers=[(name.lower(), value) for name, value in signed.items()],
                body=body,
            )
        )

    def work(self) -> None:
        """Let a worker take all that is due."""
        while self.connectors.worker().run_once():
            pass

    def now(self, installation: Installation) -> Installation:
        """Return an installation as the host sees it now."""
        found = self.connectors.installations(installation.workspace)
        return next(each for each in found if each.id == installation.id)

    def verbs(self, workspace: str = "w1") -> list[str]:
        """Return what was done in a workspace, the oldest first."""
        return [entry.verb for entry in reversed(self.connectors.audit.find(workspace, limit=1000))]

    def map(self, installation: Installation, external_id: str, project: str) -> str:
        """Map a board to a project; return the mapping's id."""
        return self.connectors.mappings.create(
            workspace=installation.workspace,
            installation_id=installation.id,
            resource=self.plugin.reference(external_id),
            target=Target(kind="project", id=project),
            actor="member:mona",
        ).id


def who(member: str = "mona", workspace: str = "w1") -> Visitor:
    """Return a member in a browser of their own."""
    return Visitor(workspace=workspace, member=member, session=f"the browser session of {member}")


@contextmanager
def open_office(
    database_url: str,
    plugin: Script | None = None,
    *,
    office: Office | None = None,
    exclusive: bool = False,
    workspace_role: str = "",
    schema: str = "",
    frame_ancestors: tuple[str, ...] = (),
) -> Iterator[Office]:
    """Open a host for a provider; with another `office`, its next release on the same database and provider."""
    plugin = plugin or Script()
    clock, server = (office.clock, office.server) if office else (FrozenClock(), AuthorizationServer())
    registry = Registry(entry_points=())
    registry.register(plugin)
    settings = Settings(
        database_url=database_url,
        keys={"2026": KEY},
        public_url="https://saas.example",
        allowed_hosts=frozenset({server.host.address}),
        exclusive_accounts=exclusive,
        workspace_role=workspace_role,
        schema=schema,
        frame_ancestors=frame_ancestors,
    )
    app = AppSettings(
        provider="fake",
        client_id="client",
        client_secret=Secret("the client secret"),
        webhook_secrets=(WEBHOOK_SECRET,),
        base_url=server.host.url,
    )
    with Connectors(settings, registry=registry, clock=clock) as connectors:
        made = Office(
            connectors=connectors,
            clock=clock,
            server=server,
            plugin=plugin,
            app=connectors.register_app(app),
        )
        if office:
            yield made
        else:
            with server.host.serving():
                yield made
