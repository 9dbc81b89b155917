"""What the groups of rules share: who judges, the plugin under test, and what is tried with hooks that call out."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from string import Formatter
from typing import ClassVar

from attrs import evolve

from ...providers.oauth import OAuthRules
from ..mutations import renamed
from ..rules import NotApplicableError, Rule, RuleBrokenError
from ..scenario_player import Interference, PlayedScenario, answering, failing, playing
from ..scenarios import Exchange, Scenario
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

    def flows(self) -> Iterator[tuple[str, OAuthRules]]:
        """Yield the OAuth flows that the manifest declares, each with the name of its field."""
        for name in ("install_oauth", "link_oauth"):
            flow = getattr(self.subject.manifest, name)
            if flow is not None:
                yield name, flow

    def successful(self, scenario: Scenario) -> Scenario:
        """Return a scenario that is expected to succeed."""
        if "error" in scenario.expect:
            raise NotApplicableError("this scenario is expected to fail")
        return scenario

    def outcome(self, scenario: Scenario, interfere: Interference) -> object:
        """Return what is answered, or raised, when the API answers otherwise."""
        return self.attempt(scenario, interfere)[0]

    def attempt(self, scenario: Scenario, interfere: Interference) -> tuple[object, PlayedScenario]:
        """Return the same, and what was asked meanwhile."""
        with playing(self.subject.manifest, scenario, interfere) as played:
            try:
                return self.subject.call(played), played
            except RuleBrokenError:
                raise
            except Exception as error:  # noqa: BLE001 - what is raised is the question
                return error, played

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


def placeholders(template: str) -> set[str]:
    """Return the names that stand in braces in a template."""
    return {name for _, name, _, _ in Formatter().parse(template) if name}


def with_renamed(scenario: Scenario, names: set[str]) -> Scenario:
    """Return a scenario in whose answers these names have become others."""
    exchanges = tuple(
        Exchange(request=each.request, answer=evolve(each.answer, body=renamed(each.answer.body, names)))
        for each in scenario.exchanges
    )
    return evolve(scenario, exchanges=exchanges)
