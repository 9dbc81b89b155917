"""Deliveries that name the webhooks they were sent for concern none but the installations that hold one."""

from __future__ import annotations

import pytest

from speckitty_connectors.installations.types import Installation
from speckitty_connectors.store.engine import Store
from speckitty_connectors.subscriptions import repository as subscriptions
from speckitty_connectors.subscriptions.types import BY_HAND, Webhook
from testbed.inbound import Inbound, card
from testbed.layers import MOMENT, add_installation


def register(store: Store, installation: Installation, registration: str, **values: object) -> None:
    """Let an installation have a webhook at the provider."""
    given: dict[str, object] = {
        "workspace": installation.workspace,
        "id": f"hook-{installation.workspace}",
        "installation_id": installation.id,
        "endpoint_id": "e1",
        "scope": "resources",
        "covers": "digest",
        "registration": registration,
        "due_at": MOMENT,
        "created_at": MOMENT,
        **values,
    }
    with store.transaction() as connection:
        subscriptions.add(connection, Webhook(**given))  # type: ignore[arg-type]  # what the test is about


@pytest.mark.parametrize(
    ("named", "concerned"),
    [
        ([], ["w1", "w2", "w3", "w4"]),
        (["11"], ["w1", "w3"]),
        (["11", "12"], ["w1", "w2", "w3"]),
        (["99"], ["w3"]),
    ],
)
def test_a_delivery_concerns_those_whose_webhook_it_names(
    store: Store, named: list[str], concerned: list[str]
) -> None:
    """Several workspaces have one account: each gets what its own webhook sent, even before its id is known."""
    inbound = Inbound.on(store)
    accounts = [add_installation(store, workspace) for workspace in ("w1", "w2", "w3", "w4")]
    for installation, registration in zip(accounts, ("11", "12", ""), strict=False):
        register(store, installation, registration)
    register(store, accounts[3], "", scope=BY_HAND, due_at=None)
    event_id = inbound.deliver(inbound.endpoint(), card(registrations=named))
    inbound.router().route_due()
    decided = [each.workspace for each in accounts if inbound.decisions(event_id, each.workspace)]
    assert decided == concerned


def test_a_webhook_that_nobody_holds_waits_for_a_person(store: Store) -> None:
    """What a forgotten webhook still sends is routed to nobody."""
    inbound = Inbound.on(store)
    register(store, add_installation(store), "11")
    inbound.deliver(inbound.endpoint(), card(registrations=["99"]))
    inbound.router().route_due()
    assert [item.reason for item in inbound.review_items("")] == ["unknown_installation"]
