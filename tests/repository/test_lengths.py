"""A function fits on a screen."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from fnmatch import fnmatchcase
from typing import Final

import pytest

LONGEST: Final = 30
"""Lines of a function, from `def` to its end, docstring included."""

SOURCES: Final = ("src/*.py", "plugins/*/src/*.py")

NOT_YET: Final = (
    "src/speckitty_connectors/connectors.py",
    "src/speckitty_connectors/conversations/*",
    "src/speckitty_connectors/installations/*",
    "src/speckitty_connectors/resources/*",
    "src/speckitty_connectors/routing/*",
    "src/speckitty_connectors/store/*",
    "src/speckitty_connectors/subscriptions/*",
)
"""Rooms that still have longer ones; who shortens the last of a room takes it off the list."""


def too_long(source: str) -> Iterator[str]:
    """Yield the functions of a source that are too long, each with its line and length."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            lines = (node.end_lineno or node.lineno) - node.lineno + 1
            if lines > LONGEST:
                yield f"{node.lineno}: {node.name} has {lines} lines"


@pytest.fixture
def found(texts: dict[str, str]) -> dict[str, list[str]]:
    """The functions that are too long, by file."""
    sources = {name: text for name, text in texts.items() if any(fnmatchcase(name, each) for each in SOURCES)}
    functions = {name: list(too_long(text)) for name, text in sources.items()}
    return {name: each for name, each in functions.items() if each}


def test_a_function_fits_on_a_screen(found: dict[str, list[str]]) -> None:
    """No function is longer than thirty lines, save in rooms that are still on the list."""
    assert [
        f"{name}:{line}"
        for name, lines in found.items()
        for line in lines
        if not any(fnmatchcase(name, pattern) for pattern in NOT_YET)
    ] == []


def test_a_room_without_long_functions_is_off_the_list(found: dict[str, list[str]]) -> None:
    """The list of rooms with longer functions names no other."""
    assert [pattern for pattern in NOT_YET if not any(fnmatchcase(name, pattern) for name in found)] == []


@pytest.mark.parametrize(("lines", "is_found"), [(LONGEST, False), (LONGEST + 1, True)])
def test_a_docstring_counts(lines: int, is_found: bool) -> None:
    """The length is that of the whole function."""
    body = "\n".join("    pass" for _ in range(lines - 2))
    assert bool(list(too_long(f'def told():\n    """Say."""\n{body}\n'))) is is_found
