"""A resource that goes from one connected account to another, as the router hears of it."""

from __future__ import annotations

from speckitty_connectors import Resource
from speckitty_connectors.mappings.service import Mappings
from speckitty_connectors.mappings.types import MappingState
from speckitty_connectors.store.engine import Store
from testbed.inbound import Inbound, change
from testbed.layers import add_installation, add_resources


def test_the_account_that_a_resource_left_has_orphaned_mappings_at_once(store: Store) -> None:
    """Only the account that receives it is told; the mapping in the other one follows in the same breath."""
    left = add_installation(store, account_id="7")
    add_installation(store, account_id="8")
    add_resources(store, left, Resource(kind="board", id="b1", key="kitchen/b1"))
    inbound = Inbound.on(store)
    mapping = inbound.map(left, "b1", "apollo")
    inbound.deliver(
        inbound.endpoint(),
        change("resource_transferred", account="8", board={"id": "b1", "key": "kitchen/b1"}),
    )
    inbound.router().route_due()
    now = Mappings(store).get(workspace="w1", mapping_id=mapping.id)
    assert (now.state, now.state_reason) == (MappingState.ORPHANED, "the resource is transferred")
