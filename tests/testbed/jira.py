"""A workspace of the host beside a stand-in of Jira: its own host and a Data Center instance, on loopback."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from attrs import field, frozen

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
from speckitty_connectors.plugin import HexHmac
from speckitty_connectors.resources.types import KnownResource
from speckitty_connectors.routing.explanation import ExplainedDecision
from speckitty_connectors_jira.manifest import DELIVERY_HEADER, WEBHOOKS
from speckitty_connectors_jira.standin import JiraStandIn, documents
from speckitty_connectors_jira.standin.authorization import CLOUD_REQUIRED

from .clock import FrozenClock
from .serving import Served

WORKSPACE, MEMBER, SESSION = "w1", "mona", "the session of mona's browser"
PROJECT = Target(kind="project", id="apollo")
OVERRIDE = PolicyScope(workspace=WORKSPACE, provider="jira", project_id=PROJECT.id)
FIRST = str(documents.FIRST_PROJECT_ID)


def visitor_in(workspace: str) -> Visitor:
    """Return mona in her browser."""
    return Visitor(workspace=workspace, member=MEMBER, session=SESSION)


@frozen(kw_only=True)
class Layers:
    """What the four layers look like: of the installation, mona's link, the first project's mapping, and apollo."""

    installation: str
    link: str
    mapping: str
    override: Mapping[str, object]


@frozen(kw_only=True)
class Site:
    """One workspace of a host, and Jira beside it."""

    connectors: Connectors
    stand_in: JiraStandIn
    data_center: JiraStandIn
    data_center_host: str
    webhook_url: str
    dispatched: list[Dispatch]
    numbers: Iterator[int] = field(factory=lambda: itertools.count(1))

    def connect(self, *, workspace: str = WORKSPACE, host: str | None = None) -> Installation:
        """Connect as a person who agrees to everything."""
        begun = self.connectors.onboarding.begin(visitor=visitor_in(workspace), provider="jira", host=host)
        done = self.connectors.onboarding.complete(
            visitor=visitor_in(workspace),
            callback=Callback(provider="jira", host=host or "", parameters=self.authorised(begun.url)),
        )
        assert isinstance(done, Done)
        return done.installations[0]

    def link(self, installation: Installation) -> UserLink:
        """Link as the member."""
        begun = self.connectors.links.begin(
            visitor=visitor_in(installation.workspace),
            installation_id=installation.id,
        )
        done = self.connectors.links.complete(
            visitor=visitor_in(installation.workspace),
            callback=Callback(provider="jira", host=installation.host, parameters=self.authorised(begun.url)),
        )
        assert isinstance(done, LinkDone)
        return done.link

    def authorised(self, url: str) -> Mapping[str, str]:
        """Authorise on the page that a browser was sent to; return what it brings back."""
        query = dict(parse_qsl(urlsplit(url).query))
        if "code_challenge" in query:
            return self.data_center.authorization.authorize(query, required={"scope": "READ"})[1]
        return self.stand_in.authorization.authorize(query, required=CLOUD_REQUIRED)[1]

    def sync(self, installation: Installation) -> None:
        """List what there is."""
        self.connectors.inventory.sync(installation.workspace, installation.id)

    def map_project(self, installation: Installation, project: str = FIRST) -> ResourceMapping:
        """Map a project of the listing."""
        return self.connectors.mappings.create(
            workspace=installation.workspace,
            installation_id=installation.id,
            resource=ResourceReference(kind="project", id=project),
            target=PROJECT,
            actor=f"member:{MEMBER}",
        )

    def set_up(self) -> Installation:
        """Fill all four layers: connect, link, list, map the first project, have its webhook, make an exception."""
        installation = self.connect()
        self.link(installation)
        self.sync(installation)
        self.map_project(installation)
        self.subscribe(installation)
        self.connectors.policies.set(OVERRIDE, fields={"muted_kinds": ["star"]}, actor=f"member:{MEMBER}")
        return installation

    def subscribe(self, installation: Installation) -> list[str]:
        """Bring the webhooks in line with the mappings; return their ids at Jira."""
        result = self.connectors.subscriptions.sync(
            workspace=installation.workspace, installation_id=installation.id
        )
        assert result.fault == ""
        return [webhook.registration for webhook in result.webhooks]

    def layers(self, installation: Installation) -> Layers:
        """Return what the four layers look like now."""
        (link,) = self.connectors.links.list(workspace=WORKSPACE, installation_id=installation.id)
        (mapping,) = self.connectors.mappings.list(workspace=WORKSPACE)
        override = self.connectors.policies.get(OVERRIDE)
        return Layers(
            installation=self.installation(installation).status,
            link=link.status,
            mapping=mapping.state,
            override=override.fields if override else {},
        )

    def installation(self, installation: Installation) -> Installation:
        """Return an installation as it is now."""
        found = self.connectors.installations(installation.workspace)
        return next(each for each in found if each.id == installation.id)

    def project(self, installation: Installation, project: str = FIRST) -> KnownResource:
        """Return what the inventory knows of a project."""
        known = self.connectors.inventory.resources(installation.workspace, installation.id)
        return next(each for each in known if each.external_id == project)

    def admin_webhook(self, installation: Installation) -> AdminWebhook:
        """Have an administrator enter a webhook on the site."""
        made = self.connectors.subscriptions.add_by_hand(
            workspace=installation.workspace, installation_id=installation.id, actor=f"member:{MEMBER}"
        )
        return AdminWebhook(site=self, url=made.url, secret=made.secret)

    def tell(
        self, kind: str, *, delivery: str = "", matched: list[int] | None = None, **fields: Any
    ) -> PlainAnswer:
        """Tell of an event as a webhook of the app does, and let it be routed."""
        registered = [each["id"] for each in self.stand_in.registered.listed()]
        body = _body(kind, {**fields, "matchedWebhookIds": registered if matched is None else matched})
        secret = Secret(self.stand_in.authorization.client_secret)
        proof = sign(WEBHOOKS.schemes["app"], secret, body, now=utc_now())
        return self.send(self.webhook_url, body, proof, delivery)

    def send(self, url: str, body: bytes, proof: Mapping[str, str], delivery: str = "") -> PlainAnswer:
        """Post a body over HTTP, and let a worker do all there is."""
        name = delivery or f"delivery-{next(self.numbers)}"
        headers = {"Content-Type": "application/json", DELIVERY_HEADER: name, **proof}
        answer = post(url, headers=headers, body=body)
        while self.connectors.worker().run_once():
            pass
        return answer

    def decisions(self, delivery: str, workspace: str = WORKSPACE) -> list[ExplainedDecision]:
        """Return what was decided of a delivery in a workspace."""
        return list(self.connectors.explain(workspace=workspace, event_id=delivery).decisions)


@frozen(kw_only=True)
class AdminWebhook:
    """A webhook that an administrator entered in Jira's own pages."""

    site: Site
    url: str
    secret: Secret

    def tell(self, kind: str, *, delivery: str = "", **fields: Any) -> PlainAnswer:
        """Tell of an event, signed with the webhook's own secret."""
        scheme = WEBHOOKS.schemes["admin"]
        assert isinstance(scheme, HexHmac)
        body = _body(kind, fields)
        return self.site.send(self.url, body, sign(scheme, self.secret, body, now=utc_now()), delivery)


def _body(kind: str, fields: Mapping[str, Any]) -> bytes:
    at = int(utc_now().timestamp() * 1000)
    return json.dumps({"timestamp": at, "webhookEvent": kind, **fields}).encode()


@contextmanager
def open_site(database_url: str, clock: FrozenClock | None = None, **stand_in: Any) -> Iterator[Site]:
    """Put up a stand-in of Jira and a receiver, each behind a real server on loopback."""
    with ExitStack() as stack:
        here, there, server = (stack.enter_context(Served()) for _ in range(3))
        settings = Settings(
            database_url=database_url,
            keys={"test": KeyRing.new_key()},
            public_url=here.url,
            allowed_hosts=frozenset({there.address, server.address}),
        )
        registry = Registry()
        registry.provider("jira").relocate(there.url)
        connectors = stack.enter_context(Connectors(settings, registry=registry, clock=clock or utc_now))
        connectors.upgrade()
        cloud = JiraStandIn(setup_url="", callback_url=connectors.callback_url("jira", "atlassian.net"), **stand_in)
        data_center = JiraStandIn(setup_url="", callback_url=connectors.callback_url("jira", server.address))
        app = connectors.register_app(_settings(cloud, there.url))
        connectors.register_app(_settings(data_center, server.url))
        dispatched: list[Dispatch] = []
        connectors.on("project")(lambda dispatch, connection: dispatched.append(dispatch))
        there.serve(cloud.application)
        server.serve(data_center.application)
        here.serve(Application(connectors))
        yield Site(
            connectors=connectors,
            stand_in=cloud,
            data_center=data_center,
            data_center_host=server.address,
            webhook_url=connectors.webhook_url(app),
            dispatched=dispatched,
        )


def _settings(stand_in: JiraStandIn, base_url: str) -> AppSettings:
    made = stand_in.registration(base_url)
    return AppSettings(
        provider="jira",
        client_id=made["client_id"],
        client_secret=Secret(made["client_secret"]),
        base_url=base_url,
    )
