"""A deterministic world that is routed, and everything that was decided in it as text that two runs share."""

from __future__ import annotations

import hashlib
import itertools
import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from attrs import evolve
from sqlalchemy import Connection, Table, select

from speckitty_connectors import Event, Resource, Signal, Target
from speckitty_connectors.apps.endpoints import Endpoint
from speckitty_connectors.contract.fake import FakeProvider
from speckitty_connectors.inbox.tables import inbox
from speckitty_connectors.installations.tables import installations
from speckitty_connectors.installations.types import Installation
from speckitty_connectors.mappings.service import Mappings
from speckitty_connectors.mappings.tables import resource_mappings
from speckitty_connectors.mappings.types import ResourceMapping
from speckitty_connectors.plugin import Delivery, Outcome
from speckitty_connectors.policy.service import Policies
from speckitty_connectors.providers.codec import converter
from speckitty_connectors.resources.tables import resource_keys, resources
from speckitty_connectors.routing import explanation
from speckitty_connectors.routing.review.queue import ReviewQueue
from speckitty_connectors.routing.router import BATCH
from speckitty_connectors.routing.tables import (
    decisions,
    dispatches,
    ignore_rules,
    review_events,
    review_items,
    review_reasons,
)
from speckitty_connectors.signals.service import Signals
from speckitty_connectors.store.engine import Store
from speckitty_connectors.suggestions.service import Suggestions
from speckitty_connectors.suggestions.tables import suggestions
from testbed.clock import FrozenClock
from testbed.inbound import Inbound
from testbed.layers import MOMENT, add_installation, add_resources

NAMED: Sequence[tuple[str, Table]] = (
    ("installation", installations),
    ("resource", resources),
    ("mapping", resource_mappings),
    ("delivery", inbox),
    ("decision", decisions),
    ("dispatch", dispatches),
    ("item", review_items),
    ("rule", ignore_rules),
    ("suggestion", suggestions),
)
"""What every row of a table is called, with its number in the order in which their ids were made."""


def understand(delivery: Delivery) -> Outcome:
    """Read a document as the fake provider does; it may also have a ``fingerprint``, or name nothing at all."""
    document = json.loads(delivery.content)
    if document.get("nothing"):
        return Event(kind=delivery.kind, account=None, installation=document["installation"])
    outcome = FakeProvider().route_event(delivery)
    if isinstance(outcome, Event):
        return evolve(outcome, fingerprint=document.get("fingerprint", ""))
    return outcome


class RecordedWorld:
    """Workspaces on one store whose clock stands still, and a router that takes what is delivered in batches."""

    def __init__(self, store: Store, clock: FrozenClock) -> None:
        self.store, self.clock = store, clock
        self.inbound = Inbound.on(store, understand)
        self.mappings = Mappings(store, self.inbound.registry)
        self.review = ReviewQueue(store, self.inbound.registry, self.mappings)
        self.suggestions = Suggestions(store, self.inbound.registry, self.mappings)
        self.policies = Policies(store, self.inbound.registry)
        self.app = self.inbound.endpoint()
        self.endpoints = {self.app.id: "the app's"}
        self.said: list[str] = []
        self._numbers = itertools.count(1)

    def installation(self, name: str, workspace: str = "w1", **values: object) -> Installation:
        """Connect an account; `name` is the installation's id."""
        return add_installation(self.store, workspace, id=name, **values)  # type: ignore[arg-type]  # the scenario's

    def see(self, installation: Installation, *seen: Resource, at: datetime = MOMENT) -> None:
        """Let an installation see resources."""
        add_resources(self.store, installation, *seen, at=at)

    def boards(self, installation: Installation, *names: str, space: str = "") -> None:
        """Let an installation see boards called ``kitchen/…``."""
        self.see(
            installation,
            *(Resource(kind="board", id=name, key=f"kitchen/{name}", parent_id=space) for name in names),
        )

    def map(
        self,
        installation: Installation,
        external_id: str,
        target: str,
        kind: str = "board",
        target_kind: str = "project",
        **values: object,
    ) -> ResourceMapping:
        """Map a resource that the installation sees."""
        return self.inbound.map(installation, external_id, Target(kind=target_kind, id=target), kind, **values)

    def report(self, project: str, workspace: str = "w1", days: int = 0, **values: object) -> None:
        """Let a project report one signal."""
        at = MOMENT + timedelta(days=days)
        signal = Signal(project_id=project, observed_at=at, **values)  # type: ignore[arg-type]  # the scenario's
        Signals(self.store).report(workspace=workspace, signals=[signal])

    def hook(self, installation: Installation) -> Endpoint:
        """Make the installation's own end point."""
        made = self.inbound.endpoint(workspace=installation.workspace, installation_id=installation.id)
        self.endpoints[made.id] = f"the hook of {installation.id}"
        return made

    def deliver(self, *documents: Mapping[str, object], at: Endpoint | None = None, **values: Any) -> list[str]:
        """Store deliveries, to the app's end point or another one; return their ids."""
        return [
            self.inbound.deliver(at or self.app, each, **{"delivery_id": f"d{next(self._numbers)}", **values})
            for each in documents
        ]

    def route(self, *documents: Mapping[str, object], at: Endpoint | None = None, **values: Any) -> list[str]:
        """Store deliveries, and decide them with all that waits in the order in which it came; return their ids."""
        ids = self.deliver(*documents, at=at, **values)
        router = self.inbound.router()
        with self.store.transaction() as connection:
            claims = router.queue.claim(connection, limit=MANY)
        for first in range(0, len(claims), BATCH):
            router.route(claims[first : first + BATCH])
        self.clock.advance(60)
        return ids

    def say(self, *lines: str) -> None:
        """Keep lines that somebody is told besides what is stored."""
        self.said += lines

    def text(self, *, brief: bool = False) -> str:
        """Return everything that was decided, ids by the order in which they were made, one record a line."""
        with self.store.reading() as connection:
            sections = dict(self._sections(connection, brief=brief))
            names = dict(self._names(connection))
        lines = []
        for title, records in sections.items():
            rows = ",\n".join(json.dumps(each, ensure_ascii=False) for each in records)
            lines.append(f"{json.dumps(title)}: [\n{rows}\n]" if rows else f"{json.dumps(title)}: []")
        text = "{" + ",\n".join(lines) + "}\n"
        for known in sorted(names, key=len, reverse=True):
            text = text.replace(known, names[known])
        return text

    def _names(self, connection: Connection) -> Iterator[tuple[str, str]]:
        yield from self.endpoints.items()
        for word, table in NAMED:
            ids = connection.scalars(select(table.c.id).order_by(table.c.id))
            for number, known in enumerate((each for each in ids if len(each) == len(self.app.id)), start=1):
                yield known, f"{word} {number}"

    def _sections(self, connection: Connection, *, brief: bool) -> Iterator[tuple[str, list[object]]]:
        decided = _rows(connection, decisions)
        by_id = {row["id"]: row for row in decided}
        forgotten = {"outcome"} if brief else set[str]()
        yield (
            "deliveries",
            [_of(row, "id", "state", "outcome", "outcome_reason") for row in _rows(connection, inbox)],
        )
        yield "decisions", [{name: row[name] for name in row if name not in forgotten} for row in decided]
        yield "dispatches", [_dispatch(row, by_id[row["decision_id"]]) for row in _rows(connection, dispatches)]
        yield "review items", [_item(connection, row) for row in _rows(connection, review_items)]
        yield "suggestions", list(_rows(connection, suggestions))
        yield "mappings", [_of(row, *MAPPED) for row in _rows(connection, resource_mappings)]
        yield "resources", [_of(row, *SHOWN) for row in _rows(connection, resources)]
        keys = connection.execute(select(resource_keys).order_by("resource_id", "key")).mappings()
        yield "keys", [] if brief else [_plain(dict(row)) for row in keys]
        yield (
            "explained",
            [
                {"event": row["inbox_id"], "workspace": row["workspace_id"], "lines": lines}
                for row in decided
                if row["workspace_id"]
                for lines in [_explained(connection, row)]
            ],
        )
        yield "said", list(self.said)


MANY = 100_000
"""More than waits in any scenario: every workspace's share has room for all that it has."""

SHOWN = ("installation_id", "kind", "external_id", "key", "status", "archived", "key_at", "first_seen", "last_seen")
MAPPED = ("id", "resource_id", "target_kind", "target_id", "origin", "state", "state_reason", "created_by")


def _rows(connection: Connection, table: Table) -> list[dict[str, Any]]:
    rows = connection.execute(select(table).order_by(table.c.id)).mappings()
    return [_plain(dict(row)) for row in rows]


def _plain(row: Mapping[str, Any]) -> dict[str, Any]:
    return {name: converter.unstructure(value) for name, value in row.items() if not isinstance(value, bytes)}


def _of(row: Mapping[str, Any], *columns: str) -> dict[str, Any]:
    return {name: row[name] for name in columns}


def _dispatch(row: Mapping[str, Any], decision: Mapping[str, Any]) -> dict[str, Any]:
    """Return a dispatch with what its effect key is made of instead of the key, which tells nothing."""
    change = decision["outcome"]["fingerprint"]
    made_of = [
        decision["installation_id"],
        bool(change),
        change or decision["inbox_id"],
        row["target_kind"],
        row["target_id"],
    ]
    assert row["effect_key"] == hashlib.sha256(json.dumps(made_of).encode()).hexdigest()
    columns = ("workspace_id", "id", "decision_id", "mapping_id", "created_at", "state", "attempts")
    return {**_of(row, *columns), "effect_key_of": made_of}


def _item(connection: Connection, row: Mapping[str, Any]) -> dict[str, Any]:
    reasons = connection.execute(
        select(review_reasons).where(review_reasons.c.item_id == row["id"]).order_by(review_reasons.c.reason)
    ).mappings()
    held = connection.scalars(
        select(review_events.c.decision_id)
        .where(review_events.c.item_id == row["id"])
        .order_by(review_events.c.decision_id)
    )
    return {**row, "reasons": [_plain(dict(reason)) for reason in reasons], "holds": list(held)}


def _explained(connection: Connection, row: Mapping[str, Any]) -> list[str]:
    explained = explanation.explain(connection, workspace=row["workspace_id"], event_id=row["inbox_id"])
    return explained.lines()
