"""What was decided by a mapping that people changed before it was handed over."""

from __future__ import annotations

from sqlalchemy import Connection, select

from speckitty_connectors import Dispatch, Resource, ResourceReference, Target
from speckitty_connectors.dispatch.handlers import Handlers
from speckitty_connectors.dispatch.worker import Worker
from speckitty_connectors.mappings.service import Mappings
from speckitty_connectors.routing.tables import dispatches
from speckitty_connectors.store.engine import Store
from testbed.inbound import Inbound, card
from testbed.layers import add_installation, add_resources


def test_an_event_does_not_go_to_a_target_that_its_mapping_left(store: Store) -> None:
    """Who moves a mapping to another project stops what still waits for the former one, and nothing else."""
    inbound, installation = Inbound.on(store), add_installation(store)
    add_resources(store, installation, Resource(kind="board", id="b1", key="kitchen/b1"))
    mappings = Mappings(store)
    made = mappings.create(
        workspace="w1",
        installation_id=installation.id,
        resource=ResourceReference(kind="board", id="b1"),
        target=Target(kind="project", id="apollo"),
        actor="member:mona",
    )
    endpoint = inbound.endpoint()
    inbound.deliver(endpoint, card())
    inbound.router().route_due()
    gemini = Target(kind="project", id="gemini")
    mappings.update(workspace="w1", mapping_id=made.id, target=gemini, actor="member:mona")
    inbound.deliver(endpoint, card())

    taken: list[Target] = []

    def take(dispatch: Dispatch, connection: Connection) -> None:
        taken.append(dispatch.target)

    handlers = Handlers()
    handlers.in_transaction(take)
    worker = Worker(store, inbound.router(), handlers)
    while worker.run_once():
        pass
    assert taken == [gemini]
    with store.reading() as connection:
        rows = connection.execute(select(dispatches.c.state, dispatches.c.last_error).order_by(dispatches.c.id))
        assert [tuple(row) for row in rows] == [
            ("revoked", "the mapping leads to another target now"),
            ("done", ""),
        ]
