"""What the groups of rules share: who judges, the plugin under test, and what is tried with hooks that call out."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from typing import ClassVar

from ...providers.codec import to_document
from ..isolation import sealed_off
from ..rules import Rule, RuleBrokenError, require
from ..scenario_player import Interference, answering, difference, failing
from ..scenarios import Scenario
from ..subject import Subject

MALFORMED: tuple[object, ...] = (None, [], {}, "text", 7, {"data": None}, b"<html>", b"\xff")
"""Bodies that aren't what the provider documents."""


class Judged:
    """Base of all groups."""

    def judge(self, rule: Rule, run: Callable[[], None], case: str) -> None:
        """Run a rule for a case and end it in a verdict."""
        raise NotImplementedError


class Rules(Judged):
    """Base of the groups about plugins."""

    subject: ClassVar[Subject]

    def ends_as_expected(self, scenario: Scenario, words: Mapping[type, str]) -> None:
        """Require the answer that the scenario expects, and no request but those that it lists.

        Args:
            scenario: what is played.
            words: the types that may be answered, each with its word in expectations.
        """
        require(scenario.expect.get("answer") in words.values(), "is shown with a scenario that expects no answer")
        answer, played = self.subject.ask(scenario)
        require(type(answer) in words, f"answered with a {type(answer).__name__}")
        require(not played.unexpected, f"asked what isn't recorded: {', '.join(played.unexpected)}")
        differing = difference({**to_document(answer), "answer": words[type(answer)]}, scenario.expect)
        require(not differing, f"answered with {differing}")

    def answers_the_same_again(self, scenario: Scenario) -> None:
        """Require that a step has the same answer whenever it is asked."""
        first, second = (self.subject.ask(scenario)[0] for _ in range(2))
        require(first == second, "answered the same step differently the second time")

    def stays_in_the_session(self, scenario: Scenario) -> None:
        """Require that every request goes through the session that core handed over."""
        with sealed_off() as tried:
            _, played = self.subject.ask(scenario)
        outside = [*played.outside, *tried]
        require(not outside, f"asked {', '.join(outside)} outside its session")

    def outcome(self, scenario: Scenario, interfere: Interference) -> object:
        """Return what is answered, or raised, when the API answers otherwise."""
        try:
            return self.subject.ask(scenario, interfere)[0]
        except RuleBrokenError:
            raise
        except Exception as error:  # noqa: BLE001 - what is raised is the question
            return error

    def failures(self, scenario: Scenario, statuses: Collection[int]) -> Iterator[tuple[int, object]]:
        """Yield each status, and the outcome where one request is answered with it; each request in turn."""
        for index in range(len(scenario.exchanges)):
            for status in statuses:
                yield status, self.outcome(scenario, failing(status, at=index))

    def malformed(self, scenario: Scenario) -> Iterator[tuple[int, object, object]]:
        """Yield the index of each exchange, a body that isn't what is documented, and the outcome at that body."""
        for index in range(len(scenario.exchanges)):
            for body in MALFORMED:
                yield index, body, self.outcome(scenario, answering(body, at=index))
