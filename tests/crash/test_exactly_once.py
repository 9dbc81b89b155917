"""Servers and workers die at random; what was acknowledged is done, and done once.

The same harness has to catch two workers that are known to be wrong, else it proves nothing.
"""

from __future__ import annotations

import secrets
from pathlib import Path

import pytest

from crash.harness import harness

pytestmark = pytest.mark.soak

SECONDS = 20.0
FEWEST = 100
LONGEST_HUNT_SECONDS = 180.0


def test_what_was_acknowledged_is_done_exactly_once(database_url: str, tmp_path: Path) -> None:
    """Under kills and pauses nothing acknowledged is lost, nothing is done twice, and nothing is left undone."""
    with harness(database_url, worker="as it is", seed=secrets.randbelow(10**6)) as tried:
        tried.run(tmp_path, seconds=SECONDS, fewest=FEWEST)

    assert tried.violations == [], f"seed {tried.seed}"
    assert len(tried.acked) >= FEWEST


@pytest.mark.parametrize("worker", ["no generation check", "marked done before the effect"])
def test_a_worker_that_is_known_to_be_wrong_is_caught(database_url: str, worker: str, tmp_path: Path) -> None:
    """The checker sees what a worker without a generation check, or without one transaction, does wrong."""
    with harness(database_url, worker=worker, seed=secrets.randbelow(10**6)) as tried:
        tried.run(tmp_path, seconds=LONGEST_HUNT_SECONDS)

    assert tried.violations, f"seed {tried.seed}"
