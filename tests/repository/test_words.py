"""One word for one thing, in plain English, wherever a person reads."""

from __future__ import annotations

import re
from collections import Counter
from fnmatch import fnmatchcase
from typing import Final

import pytest

READ: Final = (
    "README.md",
    "CHANGELOG.md",
    "docs/*.md",
    "plugins/*/README.md",
    "plugins/*/CHANGELOG.md",
    "plugins/*/src/*.py",
    "src/*.py",
    "src/*.md",
)
"""What people read: pages, changelogs, and sources with their docstrings, errors and help texts."""

NOT_YET: Final = (
    "src/speckitty_connectors/connectors.py",
    "src/speckitty_connectors/dispatch/*",
    "src/speckitty_connectors/routing/explanation.py",
    "src/speckitty_connectors/routing/lifecycle.py",
)
"""Pages and rooms that still use such words; who cleans one takes it off the list."""

DESIGNED: Final = (
    "workspace", "project", "member", "provider", "manifest", "app", "account", "installation", "user link",
    "resource", "resource mapping", "target", "policy override", "delivery", "event", "signal", "suggestion",
    "decision", "dispatch", "review item",
)  # fmt: skip
"""The words that the library was designed with."""

GLOSSARY: Final = "docs/words.md"
UNUSED: Final = "## Words that we do not use"
ROW: Final = re.compile(r"^\| (?!word|not|-)(.+?) \|", re.MULTILINE)


@pytest.fixture
def glossary(texts: dict[str, str]) -> tuple[str, str]:
    """The page about words: the words that we use, and those that we don't."""
    used, unused = texts[GLOSSARY].split(UNUSED)
    return used, unused


def unwanted(phrases: list[str], text: str) -> list[str]:
    """Return each line of a text that begins an unwanted phrase, which may go on in the next line or comment."""
    spaced = "|".join(r"[\s#]+".join(map(re.escape, phrase.split())) for phrase in phrases)
    return [
        f"{text.count(chr(10), 0, found.start()) + 1}: {' '.join(found.group().split())}"
        for found in re.finditer(rf"(?<![\w-])(?:{spaced})(?![\w-])", text, re.IGNORECASE)
    ]


def found_in(texts: dict[str, str], glossary: tuple[str, str]) -> dict[str, list[str]]:
    """Return what is unwanted in each file that people read."""
    used, unused = glossary
    phrases = re.findall(r"`([^`]+)`", "\n".join(ROW.findall(unused)))
    read = {name: text for name, text in texts.items() if any(fnmatchcase(name, pattern) for pattern in READ)}
    lines = {name: unwanted(phrases, text) for name, text in (read | {GLOSSARY: used}).items()}
    return {name: each for name, each in lines.items() if each}


def test_nobody_reads_a_word_that_we_do_not_use(texts: dict[str, str], glossary: tuple[str, str]) -> None:
    """Pages, docstrings, errors and help texts use none of the words that the glossary lists as not ours."""
    assert [
        f"{name}:{line}"
        for name, lines in found_in(texts, glossary).items()
        for line in lines
        if not any(fnmatchcase(name, pattern) for pattern in NOT_YET)
    ] == []


def test_what_is_clean_is_off_the_list(texts: dict[str, str], glossary: tuple[str, str]) -> None:
    """The list of what still uses such words names nothing that doesn't."""
    unclean = found_in(texts, glossary)
    assert [pattern for pattern in NOT_YET if not any(fnmatchcase(name, pattern) for name in unclean)] == []


@pytest.mark.parametrize(
    "text", ["Mend it.", "an end\npoint", "    # an end\n    # point of ours", '"""Whoever\n    comes."""']
)
def test_an_unwanted_word_is_found(text: str) -> None:
    """The check sees words at the start of a sentence, across lines and across comments."""
    assert len(unwanted(["mend", "end point", "whoever"], text)) == 1


@pytest.mark.parametrize("text", ["recommend", "amended", "endpoint", "amend-ment", "the end, point by point"])
def test_a_word_that_only_looks_alike_is_left(text: str) -> None:
    """The check takes whole words."""
    assert unwanted(["mend", "end point"], text) == []


def test_each_word_has_one_line(glossary: tuple[str, str]) -> None:
    """The glossary says each word once, and has all that the library was designed with."""
    words = Counter(ROW.findall(glossary[0]))
    assert [word for word, count in words.items() if count > 1] == []
    assert set(DESIGNED) - set(words) == set()
