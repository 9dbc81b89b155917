"""Renewals by many processes, some of which die or stop in the middle: one request, and no grant lost.

The same harness has to see grants lost by processes that don't take turns, else it proves nothing.
"""

from __future__ import annotations

import os
import secrets
import signal
import time
from pathlib import Path

import pytest

from renewing.harness import PAUSE_SECONDS, harness
from renewing.roles import FAILPOINTS, TIMES

CALLERS = (7, 7, 6, 6, 6, 6, 6, 6)
"""Threads of each process: fifty, because the PostgreSQL of these tests has sixty connections."""

STORM_SECONDS = 4.0
UNCOMMITTED = "after the write, before its commit"
"""Whoever is paused here holds the database's locks, so that all others can only wait."""

LOST_BY_NATURE = "after the answer, before its write", UNCOMMITTED
"""Killed here, the only copy of a strict provider's new token is gone with the process."""


def test_one_expiry_makes_one_request(database_url: str, tmp_path: Path) -> None:
    """Fifty callers in eight processes find a token ended: one asks, and all are given the new one."""
    with harness(database_url, tmp_path, grants=["g1"], grace=False) as tried:
        at = time.time() + 1.5
        for threads in CALLERS:
            tried.start("call_once", threads, at)
        given = [token for each in tried.told("given", len(CALLERS)) for token in each]

        assert given == ["access/g1/2"] * sum(CALLERS)
        assert tried.provider.renewals == {"g1": 1}
        assert len(tried.provider.host.received) == 1


@pytest.mark.soak
@pytest.mark.parametrize("grace", [True, False], ids=["with grace", "strict"])
def test_a_holder_that_dies_or_stops_loses_no_grant(grace: bool, database_url: str, tmp_path: Path) -> None:
    """At each point of a renewal a holder is killed or paused past its lease; others take over by the rules.

    Where a strict provider's answer dies with its only reader, that grant is lost by nature: it is found out,
    reported as one that a person has to renew, and kept.
    """
    troubles = {f"kill {point}": (point, "kill") for point in FAILPOINTS}
    troubles |= {f"pause {point}": (point, "pause") for point in FAILPOINTS if point != UNCOMMITTED}
    with harness(database_url, tmp_path, grants=list(troubles), grace=grace) as tried:
        victims = {
            name: tried.start("call_on", [name], point, action) for name, (point, action) in troubles.items()
        }
        assert len(tried.told("hit", len(troubles))) == len(troubles)
        for _ in range(2):
            tried.start("call_on", list(troubles), "", "")
        time.sleep(PAUSE_SECONDS)
        for name, (_, action) in troubles.items():
            if action == "pause":
                os.kill(victims[name], signal.SIGCONT)
        by_nature = [] if grace else [f"kill {point}" for point in LOST_BY_NATURE]

        assert sorted(tried.lost()) == sorted(by_nature)
        assert tried.provider.stale == []
        assert tried.provider.revoked == set(by_nature)
        assert {name: tried.condition(name) for name in troubles} == {
            name: "refused" if name in by_nature else "good" for name in troubles
        }
        assert [tried.number(name) for name in by_nature] == [1] * len(by_nature)


@pytest.mark.soak
@pytest.mark.parametrize(
    ("grace", "kills"), [(True, True), (False, False)], ids=["kills and pauses, with grace", "pauses, strict"]
)
def test_a_storm_loses_no_grant(grace: bool, kills: bool, database_url: str, tmp_path: Path) -> None:
    """Under kills and pauses at random, with tokens that end all the time, no grant is lost and none shown late."""
    seed = secrets.randbelow(10**6)
    grants = [f"g{number}" for number in range(4)]
    with harness(database_url, tmp_path, grants=grants, grace=grace, lifetime=1) as tried:
        processes = [tried.start("call_on", grants, "", "") for _ in range(4)]
        tried.torment(processes, seconds=STORM_SECONDS, kills=kills, seed=seed)

        assert tried.lost() == [], f"seed {seed}"
        assert tried.provider.stale == [], f"seed {seed}"
        assert sum(tried.provider.renewals.values()) > 8, f"seed {seed}"


@pytest.mark.soak
def test_processes_that_take_no_turns_are_caught(database_url: str, tmp_path: Path) -> None:
    """Without turns, the same harness sees a strict provider revoke grants for tokens that were used before."""
    grants = [f"g{number}" for number in range(4)]
    with harness(database_url, tmp_path, grants=grants, grace=False, lifetime=1, locked=False) as tried:
        for _ in range(4):
            tried.start("call_on", grants, "", "")
        end = time.monotonic() + 30 * TIMES.lease
        while not tried.provider.revoked and time.monotonic() < end:
            time.sleep(0.1)

        assert tried.provider.revoked
