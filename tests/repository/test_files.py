"""What no file of the repository may hold, and what each suppression must say."""

from __future__ import annotations

import io
import re
import tokenize
from pathlib import PurePath

import pytest

LOCK_FILES = {"uv.lock", "poetry.lock", "Pipfile.lock", "package-lock.json", "yarn.lock"}
MACHINE_PATH = re.compile(r"(?:(?<![\w./:-])|//)/(?:work|root|home|Users|tmp)/[\w.]")
REGISTRY = re.compile(r"pypi\.org|pythonhosted\.org|registry\.npmjs|--(?:extra-)?index-ur[l]|--find-link[s]")
SUPPRESSION = re.compile(r"#\s*(?:type:\s*ignore|noqa|pyright:\s*ignore|pragma:|nosec)")
REASONED = re.compile(
    r"#\s*(?:(?:type|pyright):\s*ignore\[[\w-]+(?:,\s*[\w-]+)*\]|noqa: [A-Z]+\d+(?:, [A-Z]+\d+)*)\s+[#-]\s*\w+"
)


def lines_with(pattern: re.Pattern[str], texts: dict[str, str]) -> list[str]:
    """Return the places that match, as a person would look them up."""
    return [
        f"{name}:{number}: {line.strip()}"
        for name, text in texts.items()
        for number, line in enumerate(text.splitlines(), 1)
        if pattern.search(line)
    ]


def test_no_file_names_a_place_of_one_machine(texts: dict[str, str]) -> None:
    """A path of somebody's machine works nowhere else, so no file holds one."""
    assert lines_with(MACHINE_PATH, texts) == []


def test_no_file_names_a_package_registry(texts: dict[str, str]) -> None:
    """Packages come from whatever index the installer has, so no file holds an address."""
    assert lines_with(REGISTRY, texts) == []


def test_no_lock_file_is_kept(texts: dict[str, str]) -> None:
    """Lock files record download addresses, so git ignores them."""
    assert [name for name in texts if PurePath(name).name in LOCK_FILES] == []


def test_constraints_hold_names_and_versions_only(texts: dict[str, str]) -> None:
    """Each line of the constraints pins one package and says nothing else."""
    lines = [line for line in texts["constraints.txt"].splitlines() if not line.startswith("#")]
    assert [line for line in lines if not re.fullmatch(r"[\w.-]+==[\w.!+-]+", line)] == []


def unreasoned(source: str) -> list[int]:
    """Return the lines of a source whose suppression says no reason."""
    comments = (
        token for token in tokenize.generate_tokens(io.StringIO(source).readline) if token.type == tokenize.COMMENT
    )
    return [
        token.start[0]
        for token in comments
        if SUPPRESSION.search(token.string) and not REASONED.search(token.string)
    ]


def test_each_suppression_has_its_reason(texts: dict[str, str]) -> None:
    """Whoever silences a tool names the rule and says why on the same line."""
    sources = {name: text for name, text in texts.items() if name.endswith(".py")}
    assert [f"{name}:{line}" for name, text in sources.items() for line in unreasoned(text)] == []


@pytest.mark.parametrize(
    "comment",
    ["# noqa", "# noqa: S101", "# type: ignore", "# type: ignore[attr-defined]", "# pyright: ignore # why"],
)
def test_a_suppression_without_rule_or_reason_is_found(comment: str) -> None:
    """The check above sees each way to silence a tool."""
    assert unreasoned(f"x = 1  {comment}\n") == [1]
