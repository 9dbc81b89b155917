"""Workspaces of the host beside a stand-in of Linear, served in place of Linear's own hosts, on loopback."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from attrs import define, field, frozen

from speckitty_connectors import (
    Application,
    AppSettings,
    Callback,
    Connectors,
    Dispatch,
    Installation,
    KeyRing,
    PolicyScope,
    ResourceMapping,
    ResourceReference,
    Secret,
    Settings,
    Target,
    UserLink,
    Visitor,
)
from speckitty_connectors.cli.http import PlainAnswer, post
from speckitty_connectors.identifiers import utc_now
from speckitty_connectors.inbox.signing import sign
from speckitty_connectors.installations.steps import Done
from speckitty_connectors.links.types import LinkDone
from speckitty_connectors.loading.registry import Registry
from speckitty_connectors.resources.types import KnownResource
from speckitty_connectors.routing.explanation import ExplainedDecision
from speckitty_connectors_linear.manifest import WEBHOOKS
from speckitty_connectors_linear.standin import LinearStandIn, documents
from speckitty_connectors_linear.standin.story import envelope

from .serving import Served

WORKSPACE, MEMBER, SESSION = "w1", "mona", "the session of mona's browser"
PROJECT = Target(kind="project", id="apollo")
OVERRIDE = PolicyScope(workspace=WORKSPACE, provider="linear", project_id=PROJECT.id)
TEAM = ResourceReference(kind="team", id=documents.team(0)["id"])
TRIES = 4
"""How often Linear sends a delivery: at once, and three times again."""

(SCHEME,) = WEBHOOKS.schemes.values()


@define
class ShiftedClock:
    """The real clock, set forward by a test, for the host and for Linear alike."""

    ahead: timedelta = timedelta()

    def __call__(self) -> datetime:
        return utc_now() + self.ahead


@frozen(kw_only=True)
class Layers:
    """What the four layers look like: of the installation, mona's link, the mappings, and apollo."""

    installation: str
    link: str
    mappings: Mapping[str, str]
    override: Mapping[str, object]


@frozen(kw_only=True)
class Studio:
    """A host, and Linear beside it."""

    connectors: Connectors
    stand_in: LinearStandIn
    webhook_url: str
    secret: Secret
    dispatched: list[Dispatch]
    clock: ShiftedClock
    numbers: Iterator[int] = field(factory=lambda: itertools.count(1))

    def connect(self, workspace: str = WORKSPACE) -> Installation:
        """Connect as an admin who agrees to everything."""
        visitor = Visitor(workspace=workspace, member=MEMBER, session=SESSION)
        begun = self.connectors.onboarding.begin(visitor=visitor, provider="linear")
        done = self.connectors.onboarding.complete(
            visitor=visitor, callback=Callback(provider="linear", parameters=self._authorised(begun.url))
        )
        assert isinstance(done, Done)
        return done.installations[0]

    def link(self, installation: Installation) -> UserLink:
        """Link as the member."""
        visitor = Visitor(workspace=installation.workspace, member=MEMBER, session=SESSION)
        begun = self.connectors.links.begin(visitor=visitor, installation_id=installation.id)
        done = self.connectors.links.complete(
            visitor=visitor, callback=Callback(provider="linear", parameters=self._authorised(begun.url))
        )
        assert isinstance(done, LinkDone)
        return done.link

    def _authorised(self, url: str) -> Mapping[str, str]:
        """Authorise on the page that a browser was sent to; return what it brings back."""
        return self.stand_in.authorization.authorize(dict(parse_qsl(urlsplit(url).query)))[1]

    def sync(self, installation: Installation) -> None:
        """List what there is."""
        self.connectors.inventory.sync(installation.workspace, installation.id)

    def map(
        self, installation: Installation, resource: ResourceReference = TEAM, target: Target = PROJECT
    ) -> ResourceMapping:
        """Map a team or a project of the listing."""
        return self.connectors.mappings.create(
            workspace=installation.workspace,
            installation_id=installation.id,
            resource=resource,
            target=target,
            actor=f"member:{MEMBER}",
        )

    def set_up(self) -> Installation:
        """Fill all four layers: connect, link, list, map the first team, and make an exception."""
        installation = self.connect()
        self.link(installation)
        self.sync(installation)
        self.map(installation)
        self.connectors.policies.set(OVERRIDE, fields={"muted_kinds": ["star"]}, actor=f"member:{MEMBER}")
        return installation

    def layers(self, installation: Installation) -> Layers:
        """Return what the four layers look like now, each mapping by the key of its resource."""
        (link,) = self.connectors.links.list(workspace=WORKSPACE, installation_id=installation.id)
        mappings = self.connectors.mappings.list(workspace=WORKSPACE)
        override = self.connectors.policies.get(OVERRIDE)
        return Layers(
            installation=self.installation(installation).status,
            link=link.status,
            mappings={mapping.resource_key: mapping.state for mapping in mappings},
            override=override.fields if override else {},
        )

    def installation(self, installation: Installation) -> Installation:
        """Return an installation as it is now."""
        found = self.connectors.installations(installation.workspace)
        return next(each for each in found if each.id == installation.id)

    def resource(self, installation: Installation, resource: ResourceReference = TEAM) -> KnownResource:
        """Return what the inventory knows of a team or a project."""
        known = self.connectors.inventory.resources(installation.workspace, installation.id)
        return next(each for each in known if (each.kind, each.external_id) == (resource.kind, resource.id))

    def tell(self, kind: str, action: str, *, delivery: str = "", **fields: Any) -> str:
        """Tell of an event, and let it be routed; return its id."""
        name = delivery or f"delivery-{next(self.numbers)}"
        answer = self.send(json.dumps(envelope(kind, action, fields, self.clock())).encode(), kind, name)
        assert answer.status in {200, 202}
        return name

    def send(self, body: bytes, kind: str, delivery: str, secret: Secret | None = None) -> PlainAnswer:
        """Post a signed body as Linear does, again where a busy machine answers 503; let a worker do it all."""
        proof = sign(SCHEME, secret or self.secret, body, now=self.clock())
        names = {WEBHOOKS.kind_header: kind, WEBHOOKS.delivery_id_header: delivery}
        headers = {"Content-Type": "application/json; charset=utf-8", **names, **proof}
        answers = (post(self.webhook_url, headers=headers, body=body) for _ in range(TRIES))
        found = next((each for each in answers if each.status != 503), PlainAnswer(status=503, url="", text=""))
        while self.connectors.worker().run_once():
            pass
        return found

    def decisions(self, delivery: str, workspace: str = WORKSPACE) -> list[ExplainedDecision]:
        """Return what was decided of a delivery in a workspace."""
        return list(self.connectors.explain(workspace=workspace, event_id=delivery).decisions)


@contextmanager
def open_studio(database_url: str, **further: Any) -> Iterator[Studio]:
    """Put up a stand-in of Linear and a receiver, each behind a real server on loopback."""
    with ExitStack() as stack:
        here, there = stack.enter_context(Served()), stack.enter_context(Served())
        clock, registry = ShiftedClock(), Registry()
        registry.provider("linear").relocate(there.url)
        settings = Settings(
            database_url=database_url,
            keys={"test": KeyRing.new_key()},
            public_url=here.url,
            allowed_hosts=frozenset({there.address}),
            **further,
        )
        connectors = stack.enter_context(Connectors(settings, registry=registry, clock=clock))
        connectors.upgrade()
        callback = connectors.callback_url("linear", "linear.app")
        stand_in = LinearStandIn(setup_url="", callback_url=callback, now=clock)
        made = stand_in.registration(there.url)
        secret = Secret(made["webhook_secrets"][0])
        app = AppSettings(
            provider="linear",
            client_id=made["client_id"],
            client_secret=Secret(made["client_secret"]),
            webhook_secrets=(secret,),
            base_url=made["base_url"],
        )
        dispatched: list[Dispatch] = []
        connectors.on("project")(lambda dispatch, connection: dispatched.append(dispatch))
        url = connectors.webhook_url(connectors.register_app(app))
        there.serve(stand_in.application)
        here.serve(Application(connectors))
        yield Studio(
            connectors=connectors,
            stand_in=stand_in,
            webhook_url=url,
            secret=secret,
            dispatched=dispatched,
            clock=clock,
        )
