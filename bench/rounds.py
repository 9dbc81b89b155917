"""Taking turns: candidates and their floor in each round, the median of the ratios over all rounds."""

from __future__ import annotations

import gc
import statistics
import time
from collections.abc import Callable, Mapping

from attrs import define

Candidate = Callable[[], None]


def take_turns(candidates: Mapping[str, Candidate], *, rounds: int) -> dict[str, list[float]]:
    """Return the seconds of each candidate in each round; who begins changes from round to round."""
    names = list(candidates)
    for candidate in candidates.values():
        candidate()
    seconds: dict[str, list[float]] = {name: [] for name in names}
    for number in range(rounds):
        first = number % len(names)
        for name in names[first:] + names[:first]:
            gc.collect()
            start = time.perf_counter()
            candidates[name]()
            seconds[name].append(time.perf_counter() - start)
    return seconds


@define
class Report:
    """Prints the figures of one run as they come."""

    lines: int = 0

    def title(self, text: str) -> None:
        """Begin a table."""
        print(f"\n{text}\n{'':52}  median   min … max     aim")

    def add(self, what: str, candidate: list[float], floor: list[float], *, aim: str = "") -> None:
        """Print the candidate's time as a multiple of the floor's."""
        self._print(what, [a / b for a, b in zip(candidate, floor, strict=True)], aim)

    def add_speed(self, what: str, candidate: list[float], floor: list[float], *, aim: str = "") -> None:
        """Print the candidate's speed as a multiple of the floor's."""
        self._print(what, [b / a for a, b in zip(candidate, floor, strict=True)], aim)

    def _print(self, what: str, ratios: list[float], aim: str) -> None:
        spread = f"{min(ratios):.2f} … {max(ratios):.2f}"
        print(f"{what:52}  {statistics.median(ratios):.2f} x   {spread:12}  {aim}".rstrip())
        self.lines += 1
