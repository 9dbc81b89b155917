"""A workspace of the host beside a stand-in of GitLab: both behind real servers on loopback, on both databases."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from types import MappingProxyType
from typing import Any
from urllib.parse import parse_qsl, quote, urlsplit

import requests
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
    ResourceReference,
    Secret,
    Settings,
    Target,
    Visitor,
)
from speckitty_connectors.cli.http import PlainAnswer, post
from speckitty_connectors.cli.loopback import Loopback
from speckitty_connectors.identifiers import utc_now
from speckitty_connectors.inbox.signing import sign
from speckitty_connectors.installations.steps import Done
from speckitty_connectors.links.types import LinkDone
from speckitty_connectors.standin import StandInWebhook
from speckitty_connectors_gitlab.manifest import WEBHOOKS
from speckitty_connectors_gitlab.standin import GitLabStandIn, documents

WORKSPACE, MEMBER = "w1", "mona"
VISITOR = Visitor(workspace=WORKSPACE, member=MEMBER, session="the session of mona's browser")
PROJECT = Target(kind="project", id="apollo")
OVERRIDE = PolicyScope(workspace=WORKSPACE, provider="gitlab", project_id=PROJECT.id)
NO_HEADERS: Mapping[str, str] = MappingProxyType({})
HELLO = str(documents.FIRST_PROJECT_ID)


@frozen(kw_only=True)
class Workshop:
    """One workspace of a host, and GitLab beside it."""

    connectors: Connectors
    stand_in: GitLabStandIn
    provider_url: str
    dispatched: list[Dispatch]
    numbers: Iterator[int] = field(factory=lambda: itertools.count(1))

    @property
    def host(self) -> str:
        return urlsplit(self.provider_url).netloc

    def connect(self) -> Installation:
        """Connect the group as a person who agrees to everything."""
        begun = self.connectors.onboarding.begin(visitor=VISITOR, provider="gitlab", host=self.host)
        done = self.connectors.onboarding.complete(
            visitor=VISITOR,
            callback=Callback(provider="gitlab", host=self.host, parameters=landing(begun.url)),
        )
        assert isinstance(done, Done)
        return done.installations[0]

    def link(self, installation: Installation) -> None:
        """Link as the member."""
        begun = self.connectors.links.begin(visitor=VISITOR, installation_id=installation.id)
        done = self.connectors.links.complete(
            visitor=VISITOR,
            callback=Callback(provider="gitlab", host=self.host, parameters=landing(begun.url)),
        )
        assert isinstance(done, LinkDone)

    def map(self, installation: Installation, kind: str = "project", external_id: str = HELLO) -> None:
        """Map a project or a group of the listing."""
        self.connectors.mappings.create(
            workspace=WORKSPACE,
            installation_id=installation.id,
            resource=ResourceReference(kind=kind, id=external_id),
            target=PROJECT,
            actor=f"member:{MEMBER}",
        )

    def set_up(self) -> Installation:
        """Fill all four layers: connect, list, link, map the first project, make an exception, and the webhook."""
        installation = self.connect()
        self.connectors.inventory.sync(WORKSPACE, installation.id)
        self.link(installation)
        self.map(installation)
        self.connectors.policies.set(OVERRIDE, fields={"muted_kinds": ["star"]}, actor="member:mona")
        self.connectors.subscriptions.sync(workspace=WORKSPACE, installation_id=installation.id)
        return installation

    def post(
        self,
        header: str,
        body: bytes,
        *,
        webhook: StandInWebhook | None = None,
        scheme: str = "",
        delivery_id: str = "",
        headers: Mapping[str, str] = NO_HEADERS,
    ) -> PlainAnswer:
        """Post a body as GitLab does by one of the webhooks that were made there, the first where not given."""
        chosen = webhook or self.stand_in.webhooks()[0]
        sent = {
            "Content-Type": "application/json",
            "X-Gitlab-Event": header,
            "X-Gitlab-Instance": self.provider_url,
            "webhook-id": delivery_id or f"msg-{next(self.numbers)}",
            **headers,
        }
        rule = WEBHOOKS.schemes[scheme or chosen.scheme]
        proof = sign(rule, Secret(chosen.secret), body, now=utc_now(), headers=sent)
        return post(chosen.url, headers={**sent, **proof}, body=body)

    def work(self) -> None:
        """Let a worker do all there is."""
        while self.connectors.worker().run_once():
            pass

    def tell(self, header: str, document: Mapping[str, Any], **values: Any) -> None:
        """Post a document and let it be routed."""
        assert self.post(header, json.dumps(document).encode(), **values).status == 202
        self.work()

    def layers(self) -> dict[str, object]:
        """Return what each layer looks like now."""
        (installation,) = self.connectors.installations(WORKSPACE)
        mappings = self.connectors.mappings.list(workspace=WORKSPACE)
        override = self.connectors.policies.get(OVERRIDE)
        return {
            "installation": str(installation.status),
            "listed": installation.inventory_synced_at is not None,
            "links": [str(link.status) for link in self.connectors.links.list(workspace=WORKSPACE)],
            "mappings": [(each.resource_external_id, each.resource_key, str(each.state)) for each in mappings],
            "policy": override.fields,
        }


def landing(url: str) -> dict[str, str]:
    """Agree at GitLab; return what the browser brings back."""
    page = requests.get(url, allow_redirects=False, timeout=10)
    return dict(parse_qsl(urlsplit(page.headers["Location"]).query))


@contextmanager
def open_workshop(database_url: str, **stand_in: Any) -> Iterator[Workshop]:
    """Open a workshop with nothing connected yet."""
    with ExitStack() as stack:
        here, there = stack.enter_context(Loopback()), stack.enter_context(Loopback())
        connectors = stack.enter_context(
            Connectors(
                Settings(
                    database_url=database_url,
                    keys={"test": KeyRing.new_key()},
                    public_url=here.url,
                    allowed_hosts=frozenset({there.address}),
                )
            )
        )
        callback = f"{here.url}/callback/gitlab/{quote(there.address, safe='')}"
        gitlab = GitLabStandIn(setup_url=callback, callback_url=callback, **stand_in)
        made = gitlab.registration(there.url)
        connectors.register_app(
            AppSettings(
                provider="gitlab",
                client_id=made["client_id"],
                client_secret=Secret(made["client_secret"]),
                base_url=made["base_url"],
            )
        )
        dispatched: list[Dispatch] = []
        connectors.on()(lambda dispatch, _: dispatched.append(dispatch))
        there.serve(gitlab.application)
        here.serve(Application(connectors))
        yield Workshop(connectors=connectors, stand_in=gitlab, provider_url=there.url, dispatched=dispatched)
