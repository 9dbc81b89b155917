"""How fast events are handled again within ten seconds after a trouble, beside the speed before it.

    python bench/recovering.py

Servers and workers are processes that go on, except those that the trouble itself kills. Four producers post one
delivery after the other all the time.
"""

from __future__ import annotations

import secrets
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import psycopg
from sqlalchemy import func, select

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))
from chaos.trouble import Chaos, chaos
from crash.harness import SERVERS, WORKERS, Nursery
from crash.roles import effects

WARM_SECONDS = 5.0
MEASURED_SECONDS = 5.0
RECOVERY_SECONDS = 5.0
"""From the end of the trouble to the measurement, which ends ten seconds after it."""

STORM_SECONDS = 3.0
EXHAUSTED_SECONDS = 5.0

Trouble = Callable[[Chaos, Nursery], None]


class Recovery(Chaos):
    """Chaos with one trouble.

    Attributes:
        trouble: what goes wrong.
        before: effects a second before it.
        after: effects a second from five to ten seconds after it.
    """

    trouble: Trouble
    before = after = 0.0

    def _torment(self, nursery: Nursery, *_: object) -> None:
        self._stop.wait(WARM_SECONDS)
        self.before = self._speed()
        self.trouble(self, nursery)
        self._stop.wait(RECOVERY_SECONDS)
        self.after = self._speed()

    def _speed(self) -> float:
        began, first = time.monotonic(), self._count()
        self._stop.wait(MEASURED_SECONDS)
        return (self._count() - first) / (time.monotonic() - began)

    def _count(self) -> int:
        with self.store.reading() as connection:
            return connection.execute(select(func.count()).select_from(effects)).scalar_one()


def restart(tried: Chaos, _: Nursery) -> None:
    """Kill PostgreSQL and start it again."""
    tried.kill_postgresql()


def storm(tried: Chaos, _: Nursery) -> None:
    """Terminate every backend, again and again."""
    end = time.monotonic() + STORM_SECONDS
    while time.monotonic() < end:
        tried.terminate()
        time.sleep(0.1)


def exhaust(tried: Chaos, _: Nursery) -> None:
    """Let every connection of every process wait for a lock."""
    url = tried.store.url.render_as_string(hide_password=False).replace("+psycopg", "")
    with psycopg.connect(url) as connection:
        connection.execute("LOCK TABLE inbox, dispatches IN ACCESS EXCLUSIVE MODE")
        time.sleep(EXHAUSTED_SECONDS)


def kill_workers(_: Chaos, nursery: Nursery) -> None:
    """Kill every worker; others take their place."""
    for index in range(SERVERS, SERVERS + WORKERS):
        nursery.kill(index)


TROUBLES: Mapping[str, Trouble] = {
    "PostgreSQL is killed and restarted": restart,
    "backends are terminated for three seconds": storm,
    "connections wait for a lock for five seconds": exhaust,
    "all workers are killed": kill_workers,
}


def main() -> None:
    """Try one trouble after the other, and print what was measured."""
    seed = secrets.randbelow(10**6)
    print(f"seed {seed}; effects a second before and after, aim ≥ 0.95 x, nothing lost or doubled")
    for name, trouble in TROUBLES.items():
        with (
            chaos(Recovery, seed=seed, worker="at full speed") as tried,
            tempfile.TemporaryDirectory() as folder,
        ):
            tried.trouble, tried.burst_pause_seconds = trouble, 0.0
            tried.run(Path(folder), seconds=0)
            speeds = f"{tried.before:.0f}/s, {tried.after:.0f}/s, {tried.after / tried.before:.2f} x"
            print(
                f"  {name}: {speeds}; {len(tried.acked)} acknowledged, violations: {tried.violations}", flush=True
            )


if __name__ == "__main__":
    main()
