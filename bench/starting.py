"""Start the command line as a person does, beside an interpreter that does nothing."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from rounds import Candidate, Report, take_turns

COMMAND = str(Path(sys.executable).with_name("speckitty-connectors"))


def measure(report: Report, *, rounds: int) -> None:
    """Add what it costs to start."""
    seconds = take_turns(
        {
            "floor": _running(sys.executable, "-c", "pass"),
            "help": _running(COMMAND, "--help"),
            "providers": _running(COMMAND, "providers"),
            "checked": _running(COMMAND, "providers", "--check"),
        },
        rounds=rounds,
    )
    floor = seconds["floor"]
    report.title("starting the command line; the floor is python -c pass")
    report.add("--help / floor", seconds["help"], floor, aim="≤ 25")
    report.add("providers / floor", seconds["providers"], floor, aim="≤ 25")
    report.add("providers --check, with all plugins loaded / floor", seconds["checked"], floor, aim="≤ 25")


def _running(*command: str) -> Candidate:
    def run() -> None:
        subprocess.run(command, stdout=subprocess.DEVNULL, check=True)

    return run
