"""What was inferred is handed over like anything else, as long as nobody says otherwise."""

from __future__ import annotations

import pytest
from sqlalchemy import select, update

from speckitty_connectors import Dispatch, Resource, Signal
from speckitty_connectors.dispatch.handlers import Handlers
from speckitty_connectors.dispatch.worker import Worker
from speckitty_connectors.installations.tables import installations
from speckitty_connectors.installations.types import Installation
from speckitty_connectors.mappings.service import Mappings
from speckitty_connectors.routing.tables import dispatches
from speckitty_connectors.signals.service import Signals
from speckitty_connectors.store.engine import Store
from speckitty_connectors.suggestions.service import Suggestions
from testbed.inbound import Inbound, card
from testbed.layers import MOMENT, add_installation, add_resources


@pytest.fixture
def installation(store: Store) -> Installation:
    """An installation that sees a board, and a project whose remote names it."""
    made = add_installation(store)
    add_resources(store, made, Resource(kind="board", id="b1", key="kitchen/b1"))
    signal = Signal(project_id="apollo", remote_url="git@fake.example:kitchen/b1.git", observed_at=MOMENT)
    Signals(store).report(workspace="w1", signals=[signal])
    return made


@pytest.fixture
def inbound(store: Store, installation: Installation) -> Inbound:
    """An inbox in which an event of the board has been inferred, and waits to be handed over."""
    made = Inbound.on(store)
    made.deliver(made.endpoint(), card())
    assert made.router().route_due() == 1
    return made


def handed_over(inbound: Inbound) -> list[Dispatch]:
    """Let a worker hand over what waits, and return what the handler got."""
    handlers, taken = Handlers(), list[Dispatch]()
    handlers.in_transaction(lambda dispatch, _connection: taken.append(dispatch), target_kind="project")
    worker = Worker(inbound.store, inbound.router(), handlers)
    while worker.run_once():
        pass
    return taken


def state(store: Store) -> tuple[str, str]:
    """Return the state of the only dispatch, and why."""
    with store.reading() as connection:
        row = connection.execute(select(dispatches.c.state, dispatches.c.last_error)).one()
        return row.state, row.last_error


def test_an_inferred_event_reaches_its_handler(store: Store, inbound: Inbound) -> None:
    """It has a target and no mapping."""
    (taken,) = handed_over(inbound)
    assert (str(taken.target), taken.mapping_id, taken.event.kind) == ("project:apollo", "", "card")
    assert state(store) == ("done", "")


def test_what_a_person_dismissed_meanwhile_is_not_handed_over(store: Store, inbound: Inbound) -> None:
    """Between the decision and the handing over somebody may say no; that holds at once."""
    suggestions = Suggestions(store, inbound.registry, Mappings(store))
    (raised,) = suggestions.list(workspace="w1")
    suggestions.dismiss(workspace="w1", suggestion_id=raised.id, actor="member:mona")
    assert handed_over(inbound) == []
    assert state(store) == ("revoked", "a person has dismissed what it was inferred from")


def test_what_came_through_an_installation_that_ended_is_not_handed_over(store: Store, inbound: Inbound) -> None:
    """An uninstalled account has no effect any more, whatever was inferred before."""
    with store.transaction() as connection:
        connection.execute(update(installations).values(status="removed"))
    assert handed_over(inbound) == []
    assert state(store) == ("revoked", "the installation is removed")
