"""A desk at which accounts are connected: a provider's token end point on loopback, and everything of ours."""

from __future__ import annotations

import hashlib
import itertools
import json
from base64 import urlsafe_b64encode
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from typing import Any
from urllib.parse import parse_qs, parse_qsl, urlsplit

from attrs import evolve, frozen
from sqlalchemy import select

from speckitty_connectors import Callback, Manifest, ResourceReference, Visitor
from speckitty_connectors.apps.service import Apps
from speckitty_connectors.contract.fake import MANIFEST, FakeProvider
from speckitty_connectors.conversations.steps import SendBrowser
from speckitty_connectors.credentials.keyring import KeyRing
from speckitty_connectors.credentials.vault import Vault
from speckitty_connectors.http.session import Transport
from speckitty_connectors.installations.approvals import PendingApprovals
from speckitty_connectors.installations.inventory import Inventory
from speckitty_connectors.installations.onboarding import Onboarding
from speckitty_connectors.installations.steps import Step
from speckitty_connectors.installations.types import Follow, follow_nothing
from speckitty_connectors.installations.upkeep import Upkeep
from speckitty_connectors.links.offboarding import Members
from speckitty_connectors.links.service import Links
from speckitty_connectors.loading.registry import Registry
from speckitty_connectors.plugin import Conversation, InstallAnswer, LinkAnswer, hookimpl
from speckitty_connectors.store.audit import audit
from speckitty_connectors.store.engine import Store
from speckitty_connectors.subscriptions.service import Subscriptions
from speckitty_connectors.tokens.sessions import Sessions

from .clock import FrozenClock
from .hosts import ProviderHost, Received, Reply

SESSION = "the browser session of mona"
ACCOUNT = {"id": "7", "name": "Seven", "kind": "space"}
USER = {"id": "u1", "name": "octocat"}


class Script(FakeProvider):
    """The fake provider, its conversations led by a test and remembered."""

    def __init__(self, manifest: Manifest = MANIFEST) -> None:
        super().__init__()
        self.manifest = manifest
        self.seen: list[Conversation] = []
        self.accounts: Callable[[Conversation], InstallAnswer] = lambda conversation: FakeProvider.install(
            self, conversation
        )
        self.people: Callable[[Conversation], LinkAnswer] = lambda conversation: FakeProvider.link_user(
            self, conversation
        )

    def reference(self, external_id: str) -> ResourceReference:
        """Return a board of the listing, as a person names it."""
        return next(
            ResourceReference(kind=resource.kind, id=resource.id, key=resource.key)
            for resource in self.resources
            if resource.id == external_id
        )

    @hookimpl
    def install(self, conversation: Conversation) -> InstallAnswer:
        self.seen.append(conversation)
        return self.accounts(conversation)

    @hookimpl
    def link_user(self, conversation: Conversation) -> LinkAnswer:
        self.seen.append(conversation)
        return self.people(conversation)


class AuthorizationServer:
    """The provider's side of OAuth: a code is good once, for its redirect URI and its PKCE challenge (RFC 7636)."""

    def __init__(self) -> None:
        self.host = ProviderHost(self._respond)
        self.on_exchange: Callable[[], object] = lambda: None
        self.on_get: Callable[[Received], Reply] = lambda _: Reply()
        self.on_refresh: Callable[[], Reply] = lambda: Reply(status=400, body=b'{"error": "invalid_grant"}')
        self.revocation_status = 200
        self._codes: dict[str, tuple[dict[str, str], dict[str, object]]] = {}
        self._numbers = itertools.count(1)

    @property
    def exchanges(self) -> list[dict[str, str]]:
        """The token requests that came in."""
        posted = [request for request in self.host.received if request.method == "POST"]
        return [dict(parse_qsl(request.body.decode())) for request in posted]

    def approve(self, url: str, **details: object) -> dict[str, str]:
        """Authorise as a person would; return what their browser brings back."""
        asked = dict(parse_qsl(urlsplit(url).query))
        code = f"code-{next(self._numbers)}"
        answer = {"scope": "boards:read", "account": ACCOUNT, "user": USER, **details}
        self._codes[code] = (asked, answer)
        return {"code": code, "state": asked["state"]}

    def _respond(self, received: Received) -> Reply:
        if received.method == "GET":
            return self.on_get(received)
        self.on_exchange()
        form = dict(parse_qsl(received.body.decode()))
        if received.path == "/oauth/revoke":
            return Reply(status=self.revocation_status)
        if form.get("grant_type") == "refresh_token":
            return self.on_refresh()
        asked, answer = self._codes.pop(form.get("code", ""), ({}, {}))
        digest = hashlib.sha256(form.get("code_verifier", "").encode()).digest()
        challenge = urlsafe_b64encode(digest).rstrip(b"=").decode()
        if asked.get("redirect_uri") != form.get("redirect_uri") or asked.get("code_challenge") != challenge:
            return Reply(body=b'{"error": "bad_verification_code"}', headers={"Content-Type": "application/json"})
        tokens = {"access_token": f"token-of-{form['code']}", "refresh_token": "r", "token_type": "bearer"}
        return Reply(body=json.dumps({**tokens, **answer}).encode(), headers={"Content-Type": "application/json"})


@frozen(kw_only=True)
class Desk:
    """Everything that a conversation needs, on one store."""

    store: Store
    clock: FrozenClock
    plugin: Script
    server: AuthorizationServer
    registry: Registry
    apps: Apps
    vault: Vault
    sessions: Sessions
    onboarding: Onboarding
    links: Links
    members: Members
    inventory: Inventory
    upkeep: Upkeep
    subscriptions: Subscriptions
    place: Mapping[str, str]

    def begin(self, **values: str) -> SendBrowser:
        """Begin as mona in workspace w1."""
        return self.onboarding.begin(visitor=visitor_of(values), **{**self.place, **values})

    def complete(self, parameters: Mapping[str, str], **values: str) -> Step:
        """Come back as mona in workspace w1."""
        visitor = visitor_of(values)
        callback = Callback(parameters=parameters, **{**self.place, **values})
        return self.onboarding.complete(visitor=visitor, callback=callback)

    def choose(self, state: str, *account_ids: str, **values: str) -> Step:
        """Pick accounts as mona in workspace w1."""
        return self.onboarding.choose(visitor=visitor_of(values), state=state, account_ids=account_ids)

    def connect(self, details: Mapping[str, object] | None = None, **values: str) -> Step:
        """Walk all the way as a person who authorises."""
        return self.complete(self.server.approve(self.begin(**values).url, **(details or {})), **values)

    def refusals(self, workspace: str = "w1") -> list[str]:
        """Return the audited reasons of refusals."""
        with self.store.reading() as connection:
            refused = select(audit.c.reason).where(
                audit.c.workspace_id == workspace, audit.c.verb == "conversation.refused"
            )
            return sorted(connection.execute(refused).scalars())


def visitor_of(values: dict[str, str]) -> Visitor:
    """Take a visitor out of values: mona in workspace w1, save for what they name."""
    given = {"workspace": "w1", "member": "mona", "session": SESSION}
    return Visitor(**{name: values.pop(name, default) for name, default in given.items()})


def state_in(url: str) -> str:
    """Return the state that a URL carries."""
    return parse_qs(urlsplit(url).query)["state"][0]


@contextmanager
def open_desk(
    database_url: str,
    *,
    manifest: Manifest = MANIFEST,
    plugin: Script | None = None,
    private_key: str | None = None,
    follow: Follow = follow_nothing,
    exclusive_accounts: bool = False,
    other: AuthorizationServer | None = None,
) -> Iterator[Desk]:
    """Open a desk for a provider of which one self-managed host is registered, and `other` where given."""
    clock, server, plugin = FrozenClock(), AuthorizationServer(), plugin or Script(manifest)
    allowed = {each.host.address for each in (server, other) if each is not None}
    with (
        server.host.serving(),
        closing(Store(database_url, clock=clock, wait_seconds=30)) as store,
        closing(Transport(allowed_hosts=allowed, clock=clock)) as transport,
    ):
        registry = Registry(entry_points=())
        registry.register(plugin)
        vault = Vault(KeyRing.from_configuration({"2026": KeyRing.new_key()}), clock)
        apps = Apps(store, vault, registry, allowed_hosts=allowed)
        sessions = Sessions(store, vault, transport, registry)
        parts = (store, registry, apps, vault, sessions, transport, callback_url)
        subscriptions = Subscriptions(store, registry, apps, vault, sessions, endpoint_url)
        apps.register(
            provider=plugin.manifest.provider,
            base_url=server.host.url,
            client_id="client",
            client_secret="the client secret",
            private_key=private_key,
        )
        if other is not None:
            apps.register(
                provider=plugin.manifest.provider,
                base_url=other.host.url,
                client_id="client of the other host",
                client_secret="the other client secret",
            )
        pending = PendingApprovals(store, registry, apps, sessions, follow=follow)
        inventory = Inventory(store, registry, apps, sessions, follow=follow)
        links = Links(*parts)
        yield Desk(
            store=store,
            clock=clock,
            plugin=plugin,
            server=server,
            registry=registry,
            apps=apps,
            vault=vault,
            sessions=sessions,
            onboarding=Onboarding(
                *parts,
                pending,
                follow=follow,
                leave=subscriptions.remove,
                exclusive_accounts=exclusive_accounts,
            ),
            links=links,
            members=Members(store, vault, links.ending),
            inventory=inventory,
            upkeep=Upkeep(store, registry, apps, sessions, inventory, pending, follow=follow),
            subscriptions=subscriptions,
            place={"provider": plugin.manifest.provider, "host": server.host.address},
        )


def callback_url(provider: str, host: str) -> str:
    """Return where browsers come back to."""
    return f"https://saas.example/callback/{provider}/{host}"


def endpoint_url(provider: str, endpoint_id: str) -> str:
    """Return where providers post to."""
    return f"https://saas.example/webhooks/{provider}/{endpoint_id}"


def manifest_of(provider: str) -> Manifest:
    """Return the fake provider's manifest under another key."""
    return evolve(MANIFEST, provider=provider)


def strict(**changes: Any) -> Manifest:
    """Return the fake provider's manifest with other rules for OAuth."""
    assert MANIFEST.install_oauth is not None
    rules = evolve(MANIFEST.install_oauth, **changes)
    return evolve(MANIFEST, install_oauth=rules, link_oauth=rules)
