"""Whatever goes wrong, what was acknowledged has its effect once; and whoever is known to be wrong is caught.

Seed and counts are logged, which `make chaos` shows; with SECONDS=600 it runs for longer than the test does.
"""

from __future__ import annotations

import logging
import os
import secrets
from pathlib import Path

import pytest

from chaos.trouble import Chaos, chaos

logger = logging.getLogger(__name__)

pytestmark = pytest.mark.chaos

SECONDS = float(os.environ.get("SPECKITTY_CHAOS_SECONDS", "30"))

FEWEST = 100

HUNT_SECONDS, LONGEST_HUNT_SECONDS = 30.0, 180.0
"""How long a wrong receiver is tried before it is judged, and how long a wrong worker, until it is caught."""

WRONG_WORKERS = ["no generation check", "marked done before the effect"]

WRONG_RECEIVERS = [
    "asynchronous commit",
    "de-duplication in memory",
    "de-duplication before verification",
    "one global de-duplication key",
]

LOST_OR_DOUBLED = ("acknowledged, but not stored", "effects of", "counted in the review queue", "done twice")
"""What the checker says of these; that a process ended, or that much still waits, convicts nobody."""


def test_what_was_acknowledged_has_its_effect_once(tmp_path: Path) -> None:
    """Killed processes, cut connections, swallowed answers and a killed PostgreSQL lose and double nothing."""
    seed = secrets.randbelow(10**6)
    with chaos(Chaos, seed=seed, worker="at full speed") as tried:
        tried.burst_pause_seconds = 0.0
        tried.run(tmp_path, seconds=SECONDS, fewest=FEWEST)

    logger.info("seed %d: %d acknowledged; %s", seed, len(tried.acked), dict(tried.troubles))
    assert tried.violations == [], f"seed {seed}"
    assert len(tried.acked) >= FEWEST


@pytest.mark.parametrize("worker", WRONG_WORKERS)
def test_a_worker_that_is_known_to_be_wrong_is_caught(worker: str, tmp_path: Path) -> None:
    """The checker sees what a worker without a generation check, or without one transaction, does wrong."""
    seed = secrets.randbelow(10**6)
    with chaos(Chaos, seed=seed, worker=worker) as tried:
        tried.run(tmp_path, seconds=LONGEST_HUNT_SECONDS)

    assert tried.violations, f"seed {seed}"


@pytest.mark.parametrize("receiver", WRONG_RECEIVERS)
def test_a_receiver_that_is_known_to_be_wrong_is_caught(receiver: str, tmp_path: Path) -> None:
    """The checker sees what is lost or doubled by a receiver that acknowledges or compares in the wrong way."""
    seed = secrets.randbelow(10**6)
    with chaos(Chaos, seed=seed, worker="at full speed", receiver=receiver) as tried:
        tried.run(tmp_path, seconds=HUNT_SECONDS)

    wrong = [each for each in tried.violations if any(said in each for said in LOST_OR_DOUBLED)]
    assert wrong, f"seed {seed}: {tried.violations}"
