"""Inference on a generated world in which it is known whose each event is: it is right, or it is silent."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from speckitty_connectors.store.engine import Store
from testbed.world import World

SHARE_REACHED = 0.49
"""What was decided of the events that are somebody's when this was written; who always abstains fails here."""

MARGIN = 0.02


@pytest.mark.soak
def test_inference_is_right_or_silent(store: Store, record_property: Callable[[str, object], None]) -> None:
    """Of 5,000 repositories in 200 workspaces no event goes where it doesn't belong, and half are placed."""
    world = World(store, workspaces=200, situations=20)
    assert world.repositories >= 5_000
    world.plant()
    outcome = world.infer()
    for number, line in enumerate(outcome.lines()):
        record_property(f"inference {number}", line)
    assert outcome.wrong == []
    assert outcome.nobodys > 0
    assert outcome.share >= SHARE_REACHED - MARGIN, "\n".join(outcome.lines())
