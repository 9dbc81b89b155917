"""What deliveries mean, beyond what the contract asks."""

from datetime import UTC, datetime

import pytest
from speckitty_connectors.plugin import Delivery, Event, Ignored

from connectors_acme import plugin


def delivery(content: bytes) -> Delivery:
    """Return a verified delivery with that document."""
    return Delivery(
        provider="acme",
        host="acme.example",
        kind="card",
        content=content,
        received_at=datetime(2026, 1, 2, tzinfo=UTC),
    )


def test_the_id_decides_and_the_name_is_a_label() -> None:
    """A board is known by its number, whatever it is called today."""
    event = plugin.route_event(delivery(b'{"action": "moved", "board": {"id": 7, "name": "menu"}}'))
    assert isinstance(event, Event)
    assert [(each.id, each.key) for each in event.resources] == [("7", "menu")]


@pytest.mark.parametrize("content", [b"{", b"[]", b'{"board": null}', b'{"board": {"id": "menu"}}'])
def test_what_names_no_board_is_ignored(content: bytes) -> None:
    """Whatever can't be read is ignored with a reason; nothing raises."""
    outcome = plugin.route_event(delivery(content))
    assert isinstance(outcome, Ignored)
    assert outcome.reason
