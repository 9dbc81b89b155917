"""What the groups of rules share: the plugin under test, and who judges."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar

from ..rules import Rule
from ..subject import Subject


class Rules:
    """Base of the groups."""

    subject: ClassVar[Subject]

    def judge(self, rule: Rule, run: Callable[[], None], case: str) -> None:
        """Run a rule for a case and end it in a verdict."""
        raise NotImplementedError
