"""What the contracts of plugins and of databases share: verdicts in words, and the guard against overriding."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Collection
from datetime import date
from pathlib import Path

import pytest
from attrs import field, frozen
from attrs.validators import matches_re, min_len

from ..errors import ConfigurationError
from .rules import ID, NotApplicableError, Rule, RuleBrokenError


def report(rule: Rule, label: str, case: str, did: str) -> str:
    """Return a failure that can be read alone."""
    where = " · ".join(part for part in (rule.id, label, case) if part)
    return (
        f"{where}\n  what it did: {did}\n  the rule:    {rule.title}\n"
        f"  why:         {rule.why}\n  how to fix:  {rule.fix}\n  page:        {rule.page}"
    )


def place_of(cls: type) -> str:
    """Return where an author's class is written."""
    return f"{cls.__module__}:{cls.__qualname__}"


def refuse_overriding(cls: type, suite: type, *, but: Collection[str]) -> None:
    """Refuse a class that has anything of the suite's own in another version.

    Raises:
        ConfigurationError: it has; `but` names what may be its own.
    """
    own = {name for name in dir(suite) if not name.startswith("__")}.difference(but)
    changed = [name for name in sorted(own) if _raw(cls, name) is not _raw(suite, name)]
    if changed:
        raise ConfigurationError(
            f"the contract's own {', '.join(changed)} can't be overridden",
            subject=place_of(cls),
            remedy="take it out; a rule that a plugin can't keep yet is waived by name: waivers = [Waiver(…)]",
        )


def _raw(cls: type, name: str) -> object:
    return next((vars(base)[name] for base in cls.__mro__ if name in vars(base)), None)


def broken_by(run: Callable[[], None]) -> str:
    """Run a rule; return what the plugin did to break it, or empty."""
    try:
        run()
    except NotApplicableError as reason:
        nothing = str(reason)
    except RuleBrokenError as broken:
        return str(broken)
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # noqa: BLE001 - a plugin may raise anything, even what skips a test
        return f"raised {type(error).__name__}: {_one_line(error)} ({_place(error)})"
    else:
        return ""
    # Raised here, so that a plugin that raises it is told from the suite.
    pytest.skip(nothing)


def _one_line(error: BaseException) -> str:
    return " ".join(str(error).split())[:300]


def _place(error: BaseException) -> str:
    frames = traceback.extract_tb(error.__traceback__)
    theirs = [
        frame for frame in frames if "speckitty_connectors/contract/" not in frame.filename.replace("\\", "/")
    ]
    last = (theirs or frames)[-1]
    return f"{Path(last.filename).name}:{last.lineno}"


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
