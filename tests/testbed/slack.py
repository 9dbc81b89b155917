"""A workspace of the host beside a stand-in of Slack: both behind real servers on loopback, on both databases."""

from __future__ import annotations

import itertools
import json
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qsl, quote, urlencode, urlsplit

import requests
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
from speckitty_connectors.conversations.steps import SendBrowser
from speckitty_connectors.identifiers import utc_now
from speckitty_connectors.inbox.signing import sign
from speckitty_connectors.installations.steps import Done
from speckitty_connectors.links.types import LinkDone
from speckitty_connectors_slack.manifest import FORM, WEBHOOKS
from speckitty_connectors_slack.standin import SlackStandIn, documents

from .serving import Served

WORKSPACE, MEMBER = "w1", "mona"
VISITOR = Visitor(workspace=WORKSPACE, member=MEMBER, session="the session of mona's browser")
PROJECT = Target(kind="project", id="apollo")
OVERRIDE = PolicyScope(workspace=WORKSPACE, provider="slack", project_id=PROJECT.id)
TRIES = 4
"""How often Slack sends a delivery: at once, and three times again."""

(SCHEME,) = WEBHOOKS.schemes.values()


@define
class ShiftedClock:
    """The real clock, set forward by a test; Slack's own stays as it is."""

    ahead: timedelta = timedelta()

    def __call__(self) -> datetime:
        return utc_now() + self.ahead


@frozen(kw_only=True)
class Office:
    """One workspace of a host, and Slack beside it."""

    connectors: Connectors
    stand_in: SlackStandIn
    provider_url: str
    webhook_url: str
    secret: Secret
    dispatched: list[Dispatch]
    organization: bool
    clock: ShiftedClock
    numbers: Iterator[int] = field(factory=lambda: itertools.count(1))

    @property
    def host(self) -> str:
        return urlsplit(self.provider_url).netloc

    def connect(self) -> Installation:
        """Connect as a person who agrees to everything."""
        return self._agree(
            self.connectors.onboarding.begin(
                visitor=VISITOR,
                provider="slack",
                host=self.host,
            )
        )

    def reauthorise(self, installation: Installation) -> Installation:
        """Authorise again what is connected."""
        return self._agree(
            self.connectors.onboarding.reauthorise(
                visitor=VISITOR,
                installation_id=installation.id,
            )
        )

    def _agree(self, begun: SendBrowser) -> Installation:
        done = self.connectors.onboarding.complete(
            visitor=VISITOR,
            callback=Callback(provider="slack", host=self.host, parameters=landing(begun.url)),
        )
        assert isinstance(done, Done)
        return done.installations[0]

    def link(self, installation: Installation) -> UserLink:
        """Link as the member."""
        begun = self.connectors.links.begin(visitor=VISITOR, installation_id=installation.id)
        done = self.connectors.links.complete(
            visitor=VISITOR,
            callback=Callback(provider="slack", host=self.host, parameters=landing(begun.url)),
        )
        assert isinstance(done, LinkDone)
        return done.link

    def resource(self, index: int = 0) -> ResourceReference:
        """Return a channel of the listing."""
        return ResourceReference(kind="channel", id=documents.channel_id(index))

    def map_channel(self, installation: Installation, index: int = 0, target: Target = PROJECT) -> ResourceMapping:
        """Map a channel of the listing."""
        return self.connectors.mappings.create(
            workspace=WORKSPACE,
            installation_id=installation.id,
            resource=self.resource(index),
            target=target,
            actor=f"member:{MEMBER}",
        )

    def set_up(self) -> Installation:
        """Fill all four layers: connect, list, link, map the first channel, and make an exception."""
        installation = self.connect()
        self.connectors.inventory.sync(WORKSPACE, installation.id)
        if not self.organization:
            self.link(installation)
        self.map_channel(installation)
        self.connectors.policies.set(OVERRIDE, fields={"muted_kinds": ["star"]}, actor="member:mona")
        return installation

    def post(self, body: bytes, content_type: str = "application/json", **headers: str) -> PlainAnswer:
        """Post a signed body as Slack would, which tries again where a busy machine answers 503."""
        proof = sign(SCHEME, self.secret, body, now=utc_now())
        whole = {"Content-Type": content_type, **proof, **headers}
        answers = (post(self.webhook_url, headers=whole, body=body) for _ in range(TRIES))
        return next(
            (answer for answer in answers if answer.status != 503), PlainAnswer(status=503, url="", text="")
        )

    def work(self) -> None:
        """Let a worker do all there is."""
        while self.connectors.worker().run_once():
            pass

    def tell(self, kind: str, *, at: float | None = None, event_id: str = "", **values: Any) -> str:
        """Tell of an event and let it be routed; return its id."""
        outer = {name[1:]: values.pop(name) for name in tuple(values) if name.startswith("_")}
        told = event_id or f"Ev{next(self.numbers)}"
        seen = {
            "team_id": None if self.organization else documents.TEAM_ID,
            "enterprise_id": documents.ORGANIZATION_ID if self.organization else None,
            "user_id": documents.BOT_ID,
            "is_bot": True,
            "is_enterprise_install": self.organization,
        }
        whole = {
            "type": "event_callback",
            "team_id": documents.TEAM_ID,
            "api_app_id": documents.APP_ID,
            "event_id": told,
            "event_time": int(time.time() if at is None else at) + 1,
            "authorizations": [seen],
            **outer,
            "event": {"type": kind, **values},
        }
        assert self.post(json.dumps(whole).encode()).status in {200, 202}
        self.work()
        return told

    def write(self, index: int = 0, **values: Any) -> str:
        """Write into a channel; return the event's id."""
        return self.tell(
            "message",
            channel=documents.channel_id(index),
            channel_type="channel",
            user=documents.USER_ID,
            ts=f"{time.time():.6f}",
            **values,
        )

    def interact(self, document: Mapping[str, Any]) -> PlainAnswer:
        """Press a button, as a form with the document in it."""
        answer = self.post(urlencode({"payload": json.dumps(document)}).encode(), FORM)
        self.work()
        return answer

    def layers(self) -> dict[str, object]:
        """Return what each layer looks like now."""
        (installation,) = self.connectors.installations(WORKSPACE)
        links = self.connectors.links.list(workspace=WORKSPACE)
        mappings = self.connectors.mappings.list(workspace=WORKSPACE)
        override = self.connectors.policies.get(OVERRIDE)
        return {
            "installation": str(installation.status),
            "account": installation.account_name,
            "listed": installation.inventory_synced_at is not None,
            "links": [str(link.status) for link in links],
            "mappings": [(each.resource_external_id, each.resource_key, str(each.state)) for each in mappings],
            "policy": override.fields,
        }


def landing(url: str) -> dict[str, str]:
    """Agree at Slack; return what the browser brings back."""
    page = requests.get(url, allow_redirects=False, timeout=10)
    return dict(parse_qsl(urlsplit(page.headers["Location"]).query))


@contextmanager
def open_office(database_url: str, *, organization: bool = False, **settings: str) -> Iterator[Office]:
    """Open an office, of a workspace or of an organization, with nothing connected yet."""
    with ExitStack() as stack:
        here, there = stack.enter_context(Served()), stack.enter_context(Served())
        clock = ShiftedClock()
        connectors = stack.enter_context(
            Connectors(
                Settings(
                    database_url=database_url,
                    keys={"test": KeyRing.new_key()},
                    public_url=here.url,
                    allowed_hosts=frozenset({there.address}),
                ),
                clock=clock,
            )
        )
        callback = f"{here.url}/callback/slack/{quote(there.address, safe='')}"
        stand_in = SlackStandIn(setup_url=callback, callback_url=callback, organization=organization)
        made = stand_in.registration(there.url)
        secret = Secret(made["webhook_secrets"][0])
        app = AppSettings(
            provider="slack",
            client_id=made["client_id"],
            client_secret=Secret(made["client_secret"]),
            webhook_secrets=(secret,),
            base_url=made["base_url"],
            settings=settings,
        )
        dispatched: list[Dispatch] = []
        connectors.on()(lambda dispatch, _: dispatched.append(dispatch))
        url = connectors.webhook_url(connectors.register_app(app))
        there.serve(stand_in.application)
        here.serve(Application(connectors))
        yield Office(
            connectors=connectors,
            stand_in=stand_in,
            provider_url=there.url,
            webhook_url=url,
            secret=secret,
            dispatched=dispatched,
            organization=organization,
            clock=clock,
        )


def ago(seconds: float) -> float:
    """Return a moment in the past, in epoch seconds."""
    return datetime.now(UTC).timestamp() - seconds
