"""What a rule is: a test with an id, the version it came with, and a text that says why and how to fix it."""

from __future__ import annotations

import functools
import inspect
import re
from collections.abc import Callable
from enum import StrEnum
from typing import Any, Protocol

from attrs import frozen

from ..providers.manifest import Capability

ID = re.compile(r"[A-Z]\d\d")
"""What a rule's id looks like: the letter of its group, and a number that is never given twice."""

PARTS = re.compile(r"^ *(?:Why|Fix): ", re.MULTILINE)
"""What stands between the parts of a rule's docstring."""

PAGES = "docs/contract"
"""Where each rule has its page."""


class RuleBrokenError(Exception):
    """A plugin broke a rule; the text says what it did."""


class NotApplicableError(Exception):
    """A rule has nothing to judge here; the text says what the manifest declares that makes it so."""


def require(condition: object, did: str) -> None:
    """Go on where the condition holds; it is judged even where Python leaves out assertions.

    Raises:
        RuleBrokenError: it doesn't; `did` says what the plugin did, in the past tense and without a subject.

    >>> require(2 > 1, "counted wrongly")
    """
    if not condition:
        raise RuleBrokenError(did)


class Over(StrEnum):
    """What a rule is judged for: the plugin as a whole, or each sample or scheme of a kind."""

    PLUGIN = "plugin"
    DELIVERIES = "deliveries"
    SCHEMES = "schemes"
    INSTALLS = "installs"
    LINKS = "links"
    LISTINGS = "listings"
    EXCHANGES = "exchanges"
    SUBSCRIPTIONS = "subscriptions"
    DATABASE = "database"


@frozen(kw_only=True)
class Nothing:
    """Stands where a rule has no case, so that no rule vanishes.

    `instead` is the id of the rule that fails where there should have been a case.
    """

    name: str
    instead: str


@frozen(kw_only=True)
class Rule:
    """One rule of the contract.

    Its `id` is the letter of its group and a number, it came with the minor version `since`, it is judged `over`
    cases, and `argument` names the argument of its test for a case.
    """

    id: str
    since: str
    method: str
    title: str
    checks: str
    why: str
    fix: str
    needs: Capability | None
    over: Over
    argument: str
    waivable: bool

    @property
    def page(self) -> str:
        """The rule's page in the documentation."""
        return f"{PAGES}/{self.id}.md"


@functools.cache
def order_of(version: str) -> tuple[int, ...]:
    """Return a version of the contract so that it compares.

    >>> order_of("1.10") > order_of("1.9")
    True
    """
    return tuple(map(int, version.split(".")))


class Judge(Protocol):
    """Runs a rule for a case, and ends it in a verdict."""

    def judge(self, rule: Rule, run: Callable[[], None], case: str) -> None:
        """Run the rule and report."""
        ...


def rule(
    rule_id: str,
    *,
    since: str = "1.0",
    needs: Capability | None = None,
    over: Over = Over.PLUGIN,
    waivable: bool = True,
) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Make a method a rule; its docstring is the rule's page: title, what it checks, ``Why:`` and ``Fix:``."""

    def decorate(test: Callable[..., None]) -> Callable[..., None]:
        title, checks, why, fix = _read(test.__doc__ or "")
        described = Rule(
            id=rule_id,
            since=since,
            method=test.__name__,
            title=title,
            checks=checks,
            why=why,
            fix=fix,
            needs=needs,
            over=over,
            argument="".join([*inspect.signature(test).parameters][1:]),
            waivable=waivable,
        )
        return _judging(described, test)

    return decorate


def _judging(described: Rule, test: Callable[..., None]) -> Callable[..., None]:
    """Return the test as pytest collects it: it hands itself to the judge."""

    @functools.wraps(test)
    def judged(self: Judge, *cases: Any, **named: Any) -> None:
        case = next(iter((*cases, *named.values())), None)

        def run() -> None:
            if isinstance(case, Nothing):
                raise NotApplicableError(f"there is nothing to judge; see {case.instead}")
            test(self, *cases, **named)

        self.judge(described, run, getattr(case, "name", ""))

    judged.rule = described  # type: ignore[attr-defined]  # functions take attributes
    return judged


def rule_of(method: object) -> Rule | None:
    """Return the rule that a method is, or None."""
    found = getattr(method, "rule", None)
    return found if isinstance(found, Rule) else None


def _read(docstring: str) -> list[str]:
    """Split a docstring into title, checks, why and fix."""
    title, _, rest = docstring.partition("\n\n")
    return [" ".join(part.split()) for part in (title, *PARTS.split(rest))]
