"""What was decided before is decided today: recorded worlds, byte for byte, on both databases.

After a change that is meant to decide or to say something else, record anew, and read the difference::

    SPECKITTY_RECORD_DECISIONS=1 make test ARGS="tests/routing/test_recorded_decisions.py -k sqlite"
"""

from __future__ import annotations

import json
import os
from contextlib import closing
from pathlib import Path

import pytest

from routing.recording import RecordedWorld
from routing.scenarios import SCENARIOS
from speckitty_connectors.routing.types import REVIEW_REASONS, Stage
from speckitty_connectors.store.engine import Store
from testbed.clock import FrozenClock

RECORDED = Path(__file__).parent / "recorded"

RECORD_ANEW = os.environ.get("SPECKITTY_RECORD_DECISIONS") == "1"


@pytest.mark.parametrize("name", SCENARIOS)
def test_the_same_log_is_decided_as_it_was_recorded(database_url: str, name: str) -> None:
    """Decisions, dispatches, review items, suggestions, mappings and explanations are those of the record."""
    clock, recorded = FrozenClock(), RECORDED / f"{name}.json"
    with closing(Store(database_url, clock=clock)) as store:
        world = RecordedWorld(store, clock)
        SCENARIOS[name](world)
        text = world.text(brief=name == "generated")
    if RECORD_ANEW:
        recorded.write_text(text, encoding="utf-8")
    assert text == recorded.read_text(encoding="utf-8")


def test_every_kind_of_decision_is_recorded() -> None:
    """Each stage, and each reason to ask a person, is in some record."""
    decided = [each for path in RECORDED.glob("*.json") for each in json.loads(path.read_text())["decisions"]]
    assert {each["stage"] for each in decided} == {stage.value for stage in Stage}
    assert {each["rule"] for each in decided} >= set(REVIEW_REASONS)
