"""The host of the engines' tests and of their worker processes: one mapped board, and a handler that inserts."""

from __future__ import annotations

import json
import os
import uuid
from collections import Counter
from typing import Any

from sqlalchemy import Column, Connection, MetaData, String, Table, insert, select

from speckitty_connectors import Connectors, Dispatch, Resource, Secret, Settings
from speckitty_connectors.apps.endpoints import add_secret
from speckitty_connectors.contract.fake import MANIFEST, FakeProvider
from speckitty_connectors.credentials.keyring import KeyRing
from speckitty_connectors.credentials.vault import Vault
from speckitty_connectors.identifiers import utc_now
from speckitty_connectors.inbox.request import Request
from speckitty_connectors.inbox.signing import sign
from speckitty_connectors.loading.registry import Registry
from testbed.inbound import Inbound, card
from testbed.layers import add_installation, add_resources

DATABASE_URL, KEY, BROKER_URL = "ENGINES_DATABASE_URL", "ENGINES_KEY", "ENGINES_BROKER_URL"
"""Names of the environment's variables that tell a worker process where everything is."""

SCHEME, SECRET = MANIFEST.webhooks.schemes["secret"], Secret("a secret of the engines' tests alone")

effects = Table("engine_effects", MetaData(), Column("subject", String))
"""The host's own table. Nothing in it stops an effect from being written twice."""


def connectors_from_environment() -> Connectors:
    """Return the host of a worker process."""
    return open_connectors(os.environ[DATABASE_URL], os.environ[KEY])


def open_connectors(url: str, key: str, **settings: Any) -> Connectors:
    """Return a host with the provider ``fake`` alone, whose handler writes one row an event."""
    registry = Registry(entry_points=())
    registry.register(FakeProvider())
    keys = {"engines": Secret(key)}
    connectors = Connectors(Settings(database_url=url, keys=keys, **settings), registry=registry)

    @connectors.on("project")
    def handle(dispatch: Dispatch, connection: Connection) -> None:
        connection.execute(insert(effects).values(subject=dispatch.event.subject))

    return connectors


class Posts:
    """Deliveries of one mapped board, posted as the provider would.

    Attributes:
        accepted: the subject of each delivery that was acknowledged.
    """

    def __init__(self, connectors: Connectors, key: str) -> None:
        self.accepted: set[str] = set()
        self._connectors = connectors
        installation = add_installation(connectors.store)
        add_resources(connectors.store, installation, Resource(kind="board", id="b1", key="kitchen/b1"))
        inbound = Inbound(store=connectors.store, registry=connectors.registry)
        inbound.map(installation, "b1", "apollo")
        self._endpoint = inbound.endpoint()
        with connectors.store.transaction() as connection:
            effects.create(connection)
            add_secret(
                connection,
                Vault(KeyRing.from_configuration({"engines": key})),
                self._endpoint,
                scheme="secret",
                secret=SECRET,
                now=utc_now(),
            )

    def post(self) -> str:
        """Post one delivery until it is acknowledged; return its subject."""
        subject = uuid.uuid4().hex
        body = json.dumps(card(subject=subject)).encode()
        headers = {
            **sign(SCHEME, SECRET, body, now=utc_now()),
            "X-Fake-Event": "card",
            "X-Fake-Delivery": subject,
            "Content-Type": "application/json",
        }
        request = Request(provider="fake", endpoint_id=self._endpoint.id, headers=list(headers.items()), body=body)
        assert self._connectors.inbox.accept(request).status == 202
        self.accepted.add(subject)
        return subject

    def handled(self) -> Counter[str]:
        """Return how often each subject had its effect."""
        with self._connectors.store.reading() as connection:
            return Counter(row.subject for row in connection.execute(select(effects.c.subject)))
