"""What the contracts of plugins and of databases share: verdicts in words, and the guard against overriding."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Collection
from pathlib import Path

import pytest

from ..errors import ConfigurationError
from .rules import NotApplicableError, Rule, RuleBrokenError


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
    """Run a rule; return what the plugin did to break it, or empty.

    Raises:
        pytest.skip.Exception: the rule has nothing to judge in this case.
    """
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
