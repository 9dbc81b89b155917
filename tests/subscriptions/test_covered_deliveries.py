"""What a webhook was registered for tells where its deliveries come from, whatever stands in them."""

from __future__ import annotations

from speckitty_connectors import Event
from speckitty_connectors.apps.endpoints import Endpoint
from speckitty_connectors.identifiers import new_id
from speckitty_connectors.plugin import Delivery, Outcome, SubscriptionScope
from speckitty_connectors.routing.types import Stage
from speckitty_connectors.store.engine import Store
from speckitty_connectors.store.metadata import OPERATOR
from speckitty_connectors.subscriptions import repository
from speckitty_connectors.subscriptions.types import Wanted, Webhook
from testbed.inbound import BOARD, Inbound
from testbed.layers import MOMENT, add_installation


def read_nothing(delivery: Delivery) -> Outcome:
    """Answer as a plugin does that can't read the document, and goes by what the webhook covers."""
    return Event(kind=delivery.kind, resources=delivery.covers)


def register(store: Store, endpoint: Endpoint, installation_id: str, wanted: Wanted) -> None:
    """Write down what the webhook of an end point is for."""
    webhook = Webhook(
        workspace=endpoint.workspace,
        id=new_id(),
        installation_id=installation_id,
        endpoint_id=endpoint.id,
        scope=wanted.scope,
        covers=wanted.covers,
        resources=wanted.resources,
        created_at=MOMENT,
    )
    with store.transaction() as connection:
        repository.add(connection, webhook)


def test_a_delivery_without_a_resource_goes_where_its_webhook_belongs(store: Store) -> None:
    """The event concerns the one resource that the webhook was made for, and waits there for a person."""
    inbound = Inbound.on(store, read_nothing)
    installation = add_installation(store)
    endpoint = inbound.endpoint(workspace="w1", installation_id=installation.id)
    register(store, endpoint, installation.id, Wanted(scope=SubscriptionScope.RESOURCE, resources=(BOARD,)))
    event_id = inbound.deliver(endpoint, {"text": "a template of the customer's own"})
    inbound.router().route_due()
    decision = inbound.decision(event_id)
    assert isinstance(decision.outcome, Event)
    assert (decision.stage, decision.outcome.resources) == (Stage.REVIEW, (BOARD,))


def test_a_webhook_of_a_whole_account_tells_nothing_of_the_kind(store: Store) -> None:
    """Neither does an app's end point, nor another workspace's."""
    inbound = Inbound.on(store, read_nothing)
    installation = add_installation(store)
    endpoint = inbound.endpoint(workspace="w1", installation_id=installation.id)
    register(store, endpoint, installation.id, Wanted(scope=SubscriptionScope.ACCOUNT))
    with store.reading() as connection:
        covers = repository.covered_by(connection, {(name, endpoint.id) for name in ("w1", "w2", OPERATOR)})
    assert covers == {("w1", endpoint.id): ()}
