"""Print what the library costs as multiples of a floor measured in the same run.

    python bench/run.py [--rounds N] [--corpus FOLDER] [--scale [--signals LARGEST]]

Absolute times say more about the machine than about the code, so every figure is a ratio: the candidates and
their floor take turns within each round, and the median of the rounds' ratios is shown.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import accepting
import draining
import reading
import reading_each
import reading_slack
import routing_scale
import signals_scale
import starting
import waiting_turns
import waking
from rounds import Report

DEFAULT_CORPUS = Path(__file__).resolve().parents[2] / "shared" / "corpus" / "github"


def main() -> None:
    """Run every benchmark and print one table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=15, help="how often the candidates take turns")
    parser.add_argument("--corpus", type=Path, default=DEFAULT_CORPUS, help="folder of recorded deliveries")
    parser.add_argument("--scale", action="store_true", help="measure growth instead, which takes minutes")
    parser.add_argument("--signals", type=int, default=1_000_000, help="how far signals grow: up to ten million")
    arguments = parser.parse_args()
    report = Report()
    if arguments.scale:
        routing_scale.measure(report, rounds=arguments.rounds)
        waiting_turns.measure(report, waiting=10_000)
        signals_scale.measure(report, largest=arguments.signals, rounds=arguments.rounds)
        return
    starting.measure(report, rounds=arguments.rounds)
    reading.measure(report, corpus=arguments.corpus, rounds=arguments.rounds)
    reading_slack.measure(report, corpus=arguments.corpus, rounds=arguments.rounds)
    reading_each.measure(report, corpus=arguments.corpus, rounds=arguments.rounds)
    accepting.measure(report, corpus=arguments.corpus, rounds=arguments.rounds)
    draining.measure(report, rounds=arguments.rounds)
    waking.measure(report)


if __name__ == "__main__":
    main()
