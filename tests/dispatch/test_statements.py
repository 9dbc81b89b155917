"""What an event costs the database, from the stored delivery to the host's handler."""

from __future__ import annotations

from typing import Final

from sqlalchemy import Connection, text

from speckitty_connectors import Dispatch
from speckitty_connectors.store.engine import Store
from testbed.statements import counted

from .waiting import Waiting

EVENTS: Final = 100

MOST_STATEMENTS: Final = 6
"""Statements an event, the handler's own included; BEGIN and COMMIT are not counted."""


def test_an_event_takes_few_statements(store: Store) -> None:
    """Routing and handing over, one transaction a handler, cost no more than six statements an event."""
    waiting = Waiting.on(store)
    waiting.handlers.in_transaction(write)
    deliver = waiting.hook()
    for _ in range(EVENTS):
        deliver()
    with counted(store) as statements:
        while waiting.worker().run_once():
            pass
    assert waiting.states() == {"done": EVENTS}
    assert len(statements) <= MOST_STATEMENTS * EVENTS, f"{len(statements) / EVENTS} statements an event"


def write(_: Dispatch, connection: Connection) -> None:
    """Stand for an effect: one statement."""
    connection.execute(text("SELECT 1"))
