"""What a process of the crash test does: receive deliveries, or route and dispatch them."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

import waitress
from attrs import asdict, frozen
from sqlalchemy import Column, Connection, MetaData, String, Table, insert

from crash.variants import INBOXES, STORES, WORKERS
from speckitty_connectors.contract.fake import FakeProvider
from speckitty_connectors.credentials.keyring import KeyRing
from speckitty_connectors.credentials.vault import Vault
from speckitty_connectors.dispatch.handlers import Dispatch, Handlers
from speckitty_connectors.inbox.accept import Inbox
from speckitty_connectors.inbox.request import Request
from speckitty_connectors.inbox.tables import inbox
from speckitty_connectors.loading.registry import Registry
from speckitty_connectors.routing.router import Router
from speckitty_connectors.store.claims import ClaimQueue
from speckitty_connectors.store.engine import Store

LEASE_SECONDS = 1.0
"""Short, so that a paused worker loses its rows within the test."""

HANDLER_SECONDS = 0.01
"""How long a handler takes between its start and its write: the window that kills are to hit."""

PATIENCE: dict[str, Any] = {"lease_seconds": LEASE_SECONDS, "max_crashes": 1000, "first_delay_seconds": 0.1}
"""Attempts without end: here processes die far more often than a poisonous row would let them."""

host_tables = MetaData()
effects = Table("crash_effects", host_tables, Column("effect_key", String), Column("subject", String))
"""The host's own table. Nothing in it stops an effect from being written twice."""


@frozen(kw_only=True)
class Assignment:
    """What every process is told.

    Attributes:
        database_url: the database.
        key: the key of the ring.
        endpoint_id: where deliveries are posted to.
        other_endpoint_id: the endpoint of one installation alone, by whose id as the path it is posted to.
        worker: name of the worker's variant.
        receiver: name of the receiver's variant; empty for the receiver as it is.
        handler_seconds: how long the handler takes between its start and its write.
    """

    database_url: str
    key: str
    endpoint_id: str
    other_endpoint_id: str
    worker: str
    receiver: str = ""
    handler_seconds: float = HANDLER_SECONDS

    @classmethod
    def from_text(cls, text: str) -> Assignment:
        return cls(**json.loads(text))

    def to_text(self) -> str:
        return json.dumps(asdict(self))


def registry() -> Registry:
    """Return a registry of the provider ``fake`` alone."""
    found = Registry(entry_points=())
    found.register(FakeProvider())
    return found


def serve(assignment: Assignment, listening: socket.socket) -> None:
    """Accept deliveries on a socket that outlives the process."""
    store = STORES.get(assignment.receiver, Store)(assignment.database_url)
    vault = Vault(KeyRing.from_configuration({"crash": assignment.key}))
    box = INBOXES.get(assignment.receiver, Inbox)(store, registry(), vault)

    def application(environ: dict[str, Any], start_response: Callable[..., object]) -> Iterable[bytes]:
        headers = [
            (name[5:].replace("_", "-"), value) for name, value in environ.items() if name.startswith("HTTP_")
        ]
        headers.append(("Content-Type", environ.get("CONTENT_TYPE", "")))
        endpoint_id = environ["PATH_INFO"].strip("/") or assignment.endpoint_id
        request = Request(provider="fake", endpoint_id=endpoint_id, headers=headers, body=environ["wsgi.input"])
        answer = box.accept(request)
        start_response(f"{answer.status} {answer.code}", [("Content-Type", "text/plain")])
        return [answer.body.encode()]

    waitress.create_server(application, sockets=[listening], threads=4).run()


def work(assignment: Assignment) -> None:
    """Route and dispatch until killed."""
    store = Store(assignment.database_url)
    router = Router(store, registry(), queue=ClaimQueue(inbox, **PATIENCE))
    handlers = Handlers()
    handlers.in_transaction(partial(write_effect, seconds=assignment.handler_seconds))
    WORKERS[assignment.worker](store, router, handlers, **PATIENCE).run()


def write_effect(dispatch: Dispatch, connection: Connection, *, seconds: float) -> None:
    """Handle a dispatch as a host would: slowly, and through the supplied connection."""
    time.sleep(seconds)
    connection.execute(insert(effects).values(effect_key=dispatch.effect_key, subject=dispatch.event.subject))
