"""What the groups of rules share: who judges, and the plugin under test."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar

from ..rules import Rule
from ..subject import Subject


class Judged:
    """Base of all groups."""

    def judge(self, rule: Rule, run: Callable[[], None], case: str) -> None:
        """Run a rule for a case and end it in a verdict."""
        raise NotImplementedError


class Rules(Judged):
    """Base of the groups about plugins."""

    subject: ClassVar[Subject]
