"""Waivers: rules that an author asks to be let off, each by name, for a reason, until a day."""

from __future__ import annotations

from datetime import date

from attrs import field, frozen
from attrs.validators import matches_re, min_len

from .rules import ID


@frozen(kw_only=True)
class Waiver:
    """One rule that a plugin is known to break.

    The rule still runs, as an expected failure: where the plugin keeps it after all, or the day is over, it fails.

    Attributes:
        rule: id of the rule.
        reason: why the plugin breaks it.
        link: where it is being worked on.
        until: the last day on which the waiver counts.
        case: the one sample or scheme that it is about; empty for each.

    >>> waiver = Waiver(rule="L06", reason="Acme answers 200 with an error inside",
    ...                 link="https://acme.example/issues/7", until=date(2026, 3, 31))
    >>> waiver.is_over(date(2026, 3, 31)), waiver.is_over(date(2026, 4, 1))
    (False, True)
    """

    rule: str = field(validator=matches_re(ID))
    reason: str = field(validator=min_len(1))
    link: str = field(validator=matches_re(r"https://\S+"))
    until: date
    case: str = ""

    def is_over(self, today: date) -> bool:
        """Say whether the waiver counts no more."""
        return today > self.until

    def covers(self, rule: str, case: str) -> bool:
        """Say whether the waiver is about that rule and case."""
        return rule == self.rule and self.case in {"", case}
