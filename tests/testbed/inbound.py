"""Deliveries of the provider ``fake`` in the inbox, and a router that has only that provider."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Mapping

from attrs import frozen
from sqlalchemy import select

from speckitty_connectors import ResourceReference, Target
from speckitty_connectors.apps.endpoints import Endpoint, add_endpoint
from speckitty_connectors.contract.fake import FakeProvider
from speckitty_connectors.identifiers import new_id
from speckitty_connectors.inbox.repository import Arrival, StoredDelivery, digest_of, find, record
from speckitty_connectors.inbox.tables import inbox
from speckitty_connectors.installations.types import Installation
from speckitty_connectors.loading.registry import Registry
from speckitty_connectors.mappings import repository as mappings
from speckitty_connectors.mappings.types import ResourceMapping
from speckitty_connectors.plugin import Delivery, Outcome, hookimpl
from speckitty_connectors.routing import repository
from speckitty_connectors.routing.review.items import ReviewItem, list_items
from speckitty_connectors.routing.router import Router
from speckitty_connectors.routing.types import Decision
from speckitty_connectors.store.claims import ClaimQueue
from speckitty_connectors.store.engine import Store
from speckitty_connectors.store.metadata import OPERATOR

from .layers import MOMENT, resource_of

RouteEvent = Callable[[Delivery], Outcome]

_numbers = itertools.count(1)


class Scripted(FakeProvider):
    """The fake provider with another `route_event`."""

    def __init__(self, answer: RouteEvent) -> None:
        super().__init__()
        self._answer = answer

    @hookimpl
    def route_event(self, delivery: Delivery) -> Outcome:
        return self._answer(delivery)


@frozen(kw_only=True)
class Inbound:
    """An inbox and a router on one store."""

    store: Store
    registry: Registry

    @classmethod
    def on(cls, store: Store, answer: RouteEvent | None = None) -> Inbound:
        registry = Registry(entry_points=())
        registry.register(Scripted(answer) if answer else FakeProvider())
        return cls(store=store, registry=registry)

    def router(self) -> Router:
        """Return a router whose retries are due at once."""
        queue = ClaimQueue(inbox, first_delay_seconds=0)
        return Router(self.store, self.registry, queue=queue)

    def endpoint(self, *, workspace: str = OPERATOR, app_id: str = "app", installation_id: str = "") -> Endpoint:
        """Make an end point: by default that of the operator's app ``app``."""
        with self.store.transaction() as connection:
            return add_endpoint(
                connection,
                workspace=workspace,
                provider="fake",
                host="fake.example",
                now=MOMENT,
                app_id=app_id,
                installation_id=installation_id,
            )

    def deliver(
        self, endpoint: Endpoint, document: Mapping[str, object], *, delivery_id: str = "", replayable: bool = False
    ) -> str:
        """Store a verified delivery; return its id in the inbox."""
        body = json.dumps(document).encode()
        delivery_id = delivery_id or f"delivery-{next(_numbers)}"
        arrival = Arrival(
            endpoint=endpoint,
            provider="fake",
            delivery_id=delivery_id,
            kind=str(document.get("event", "")),
            digest=digest_of(body),
            secret_id="credential-1",
            received_at=self.store.now(),
            headers={},
            media_type="application/json",
            body=body,
            replayable=replayable,
        )
        record(self.store, arrival)
        with self.store.reading() as connection:
            newest = select(inbox.c.id).where(inbox.c.endpoint_id == endpoint.id).order_by(inbox.c.id.desc())
            event_id: str = connection.execute(newest.limit(1)).scalar_one()
            return event_id

    def stored(self, event_id: str, workspace: str = OPERATOR) -> StoredDelivery:
        """Return a delivery as the inbox has it now."""
        with self.store.reading() as connection:
            found = find(connection, workspace, event_id)
        assert found is not None
        return found

    def decisions(self, event_id: str, workspace: str = "w1") -> list[Decision]:
        """Return what was decided of a delivery in a workspace."""
        with self.store.reading() as connection:
            return repository.find(connection, workspace=workspace, event_id=event_id)

    def decision(self, event_id: str, workspace: str = "w1") -> Decision:
        """Return the one decision on a delivery in a workspace."""
        (decision,) = self.decisions(event_id, workspace)
        return decision

    def review_items(self, workspace: str = "w1") -> list[ReviewItem]:
        """Return what waits for a person in a workspace."""
        with self.store.reading() as connection:
            return list_items(connection, workspace=workspace, now=self.store.now())

    def map(
        self,
        installation: Installation,
        external_id: str,
        target: str | Target,
        kind: str = "board",
        **values: object,
    ) -> ResourceMapping:
        """Map a board, or something else that the installation sees, to a project or to another target."""
        resource = resource_of(self.store, installation, external_id, kind)
        given: dict[str, object] = {
            "workspace": installation.workspace,
            "id": new_id(),
            "installation_id": installation.id,
            "resource_id": resource.id,
            "resource_kind": resource.kind,
            "resource_external_id": resource.external_id,
            "resource_key": resource.key,
            "target": target if isinstance(target, Target) else Target(kind="project", id=target),
            "created_by": "member:mona",
            "created_at": MOMENT,
            "updated_at": MOMENT,
            **values,
        }
        mapping = ResourceMapping(**given)  # type: ignore[arg-type]  # the values of the test
        with self.store.transaction() as connection:
            mappings.add(connection, mapping)
        return mapping


def card(board: str = "b1", account: str = "7", **values: object) -> dict[str, object]:
    """Return the document of an event on a board."""
    return {
        "event": "card",
        "account": {"id": account},
        "board": {"id": board, "key": f"kitchen/{board}"},
        **values,
    }


def change(name: str, account: str = "7", **values: object) -> dict[str, object]:
    """Return the document of a change on the provider's side."""
    return {"change": name, "account": {"id": account}, **values}


BOARD = ResourceReference(kind="board", id="b1", key="kitchen/b1")
"""The board that `card` names by default."""
