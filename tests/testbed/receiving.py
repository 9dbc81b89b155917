"""An inbox with one end point, and a provider that posts to it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import attrs
from sqlalchemy import select

from speckitty_connectors.apps.endpoints import Endpoint, EndpointSecret, add_endpoint, add_secret
from speckitty_connectors.contract.fake import MANIFEST, FakeProvider
from speckitty_connectors.credentials.keyring import KeyRing
from speckitty_connectors.credentials.secret import Secret
from speckitty_connectors.credentials.vault import Vault
from speckitty_connectors.inbox.accept import Inbox
from speckitty_connectors.inbox.request import Readable, Request
from speckitty_connectors.inbox.responses import Answer
from speckitty_connectors.inbox.signing import sign
from speckitty_connectors.inbox.tables import inbox, inbox_bodies
from speckitty_connectors.loading.registry import Registry
from speckitty_connectors.plugin import WebhookRules
from speckitty_connectors.store.engine import Store
from speckitty_connectors.store.metadata import OPERATOR

from .webhooks import SECRET

DOCUMENT = json.dumps({"event": "card", "action": "moved", "board": {"id": "b1", "key": "kitchen/menu"}}).encode()
JSON = {"Content-Type": "application/json"}


class Receiver:
    """The receiving side of one provider; `post` is the provider.

    Args:
        store: migrated and empty.
        routed_kinds: what the host asks for.
        tolerances: how wrong the host lets clocks be.
        scheme: name of the scheme that the provider signs by; the strongest where not given.
        rules: changes to the fake provider's webhook rules.
    """

    def __init__(
        self,
        store: Store,
        *,
        routed_kinds: frozenset[str] | None = None,
        tolerances: Mapping[str, int] | None = None,
        scheme: str = "",
        **rules: Any,
    ) -> None:
        self.store = store
        self.rules: WebhookRules = attrs.evolve(MANIFEST.webhooks, **rules)
        plugin = FakeProvider()
        plugin.manifest = attrs.evolve(MANIFEST, webhooks=self.rules)
        self.registry = Registry(entry_points=())
        self.manifest = self.registry.register(plugin).manifest
        self.vault = Vault(KeyRing.from_configuration({"test": KeyRing.new_key()}), store.now)
        self.inbox = Inbox(
            store,
            self.registry,
            self.vault,
            {"fake": routed_kinds} if routed_kinds is not None else None,
            tolerances,
        )
        self.scheme = scheme or next(iter(self.rules.schemes))
        self.endpoint = self.add_endpoint()
        self.secret_id = self.add_secret(SECRET).credential_id

    def add_endpoint(self, *, workspace: str = OPERATOR, installation_id: str = "") -> Endpoint:
        """Make a further end point, without a secret."""
        with self.store.transaction() as connection:
            return add_endpoint(
                connection,
                workspace=workspace,
                provider="fake",
                host="fake.example",
                now=self.store.now(),
                installation_id=installation_id,
            )

    def add_secret(self, secret: Secret, *, scheme: str = "", endpoint: Endpoint | None = None) -> EndpointSecret:
        """Add a secret to an end point."""
        with self.store.transaction() as connection:
            return add_secret(
                connection,
                self.vault,
                endpoint or self.endpoint,
                secret=secret,
                scheme=scheme or self.scheme,
                now=self.store.now(),
            )

    def signed(
        self,
        body: bytes = DOCUMENT,
        *,
        kind: str = "card",
        delivery: str = "d1",
        secret: Secret = SECRET,
        scheme: str = "",
        headers: Mapping[str, str] = JSON,
    ) -> dict[str, str]:
        """Return the headers with which the provider would deliver a body."""
        sent = dict(headers)
        if self.rules.kind_header:
            sent[self.rules.kind_header] = kind
        if delivery and self.rules.delivery_id_header:
            sent[self.rules.delivery_id_header] = delivery
        rule = self.rules.schemes[scheme or self.scheme]
        return {**sent, **sign(rule, secret, body, now=self.store.now(), headers=sent)}

    def post(self, body: bytes = DOCUMENT, *, endpoint: Endpoint | None = None, **signing: Any) -> Answer:
        """Deliver a body as the provider would."""
        return self.send(
            list(self.signed(body, **signing).items()), body, endpoint_id=(endpoint or self.endpoint).id
        )

    def send(
        self,
        headers: Sequence[tuple[str, str]],
        body: bytes | Readable,
        *,
        endpoint_id: str | None = None,
        provider: str = "fake",
    ) -> Answer:
        """Send anything at all."""
        known = self.endpoint.id if endpoint_id is None else endpoint_id
        return self.inbox.accept(Request(provider=provider, endpoint_id=known, headers=headers, body=body))

    def rows(self) -> list[Any]:
        """Return what is stored, oldest first."""
        with self.store.reading() as connection:
            return list(connection.execute(select(inbox).order_by(inbox.c.id)))

    def bodies(self) -> dict[str, Any]:
        """Return what is stored of bodies, by inbox id."""
        with self.store.reading() as connection:
            return {row.inbox_id: row for row in connection.execute(select(inbox_bodies))}
