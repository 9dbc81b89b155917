"""A host with all plugins behind a real server, and the providers that deliver to it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager

import requests
from attrs import frozen
from sqlalchemy import select

from speckitty_connectors import Application, Connectors, KeyRing, Settings
from speckitty_connectors.apps.endpoints import Endpoint, add_endpoint, add_secret
from speckitty_connectors.credentials.vault import Vault
from speckitty_connectors.identifiers import utc_now
from speckitty_connectors.inbox.signing import sign
from speckitty_connectors.inbox.tables import inbox, inbox_bodies
from speckitty_connectors.store.metadata import OPERATOR

from .serving import Served
from .webhooks import SECRET


@frozen(kw_only=True)
class Stored:
    """What the inbox has of a delivery."""

    delivery_id: str
    kind: str
    state: str
    outcome: str
    reason: str
    body: bytes


@frozen(kw_only=True)
class Host:
    """A host that every provider can deliver to."""

    connectors: Connectors
    vault: Vault

    def endpoint(self, provider: str) -> Endpoint:
        """Make an endpoint that takes what the provider signs in its strongest scheme."""
        manifest = self.connectors.registry.provider(provider).manifest
        with self.connectors.store.transaction() as connection:
            endpoint = add_endpoint(
                connection,
                workspace=OPERATOR,
                provider=provider,
                host=manifest.hosts.default,
                now=utc_now(),
                app_id="app",
            )
            scheme = next(iter(manifest.webhooks.schemes))
            add_secret(connection, self.vault, endpoint, secret=SECRET, scheme=scheme, now=utc_now())
        return endpoint

    def post(self, endpoint: Endpoint, headers: Mapping[str, str], body: bytes) -> tuple[int, str]:
        """Deliver as the provider does; return the status, and what was answered."""
        scheme = next(iter(self.connectors.registry.provider(endpoint.provider).manifest.webhooks.schemes.values()))
        whole = {"Content-Type": "application/json", **headers}
        whole |= sign(scheme, SECRET, body, now=utc_now(), headers=whole)
        url = self.connectors.endpoint_url(endpoint.provider, endpoint.id)
        answer = requests.post(url, data=body, headers=whole, timeout=60)
        return answer.status_code, answer.json()["code"]

    def routed(self) -> list[Stored]:
        """Let a worker do all there is; return all deliveries, the oldest first."""
        while self.connectors.worker().run_once():
            pass
        joined = inbox.outerjoin(inbox_bodies, inbox.c.id == inbox_bodies.c.inbox_id)
        columns = (inbox.c.delivery_id, inbox.c.kind, inbox.c.state, inbox.c.outcome, inbox.c.outcome_reason)
        query = select(*columns, inbox_bodies.c.body).select_from(joined).order_by(inbox.c.id)
        with self.connectors.store.reading() as connection:
            return [
                Stored(delivery_id=name, kind=kind, state=state, outcome=outcome, reason=reason, body=body)
                for name, kind, state, outcome, reason, body in connection.execute(query)
            ]


@contextmanager
def open_host(database_url: str) -> Iterator[Host]:
    """Open a host with all plugins, behind a real server."""
    with ExitStack() as stack:
        here = stack.enter_context(Served())
        keys = {"test": KeyRing.new_key()}
        settings = Settings(database_url=database_url, keys=keys, public_url=here.url)
        connectors = stack.enter_context(Connectors(settings))
        here.serve(Application(connectors))
        yield Host(connectors=connectors, vault=Vault(KeyRing.from_configuration(keys)))
