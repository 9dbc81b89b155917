"""How results are shown: rows as a table or as blocks, sentences as lines, and either as JSON."""

from __future__ import annotations

import json
import shutil
import textwrap
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from enum import Enum
from functools import wraps
from importlib import import_module
from typing import TYPE_CHECKING, Any, Final, TypeVar

import click

from .operator import connected

if TYPE_CHECKING:
    from ..connectors import Connectors

Row = Mapping[str, object]
Shown = TypeVar("Shown")

NARROWEST_TEXT: Final = 30
"""Columns that a table's last column needs to be pleasant to read; with fewer, each row is a block."""

as_json = click.option("--json", "as_json", is_flag=True, help="Print JSON.")
"""The option of every command that shows something."""


def prints(lines: Callable[[Shown], Iterable[str]]) -> Callable[[Callable[..., Shown]], Callable[..., None]]:
    """Give a command the `Connectors`, and print what it returns: in the words of `lines`, or as JSON."""

    def decorate(command: Callable[..., Shown]) -> Callable[..., None]:
        @as_json
        @wraps(command)
        def run(*, as_json: bool, **given: object) -> None:
            say(lines, connected(command)(**given), as_json=as_json)

        return run

    return decorate


def passing(
    group: click.Group, name: str, words: str, lines: Callable[[Any], Iterable[str]], *options: Callable[..., Any]
) -> None:
    """Add a command that only calls the method of its name, and prints what that returns, by `lines` or as JSON."""

    def command(connectors: Connectors, /, **given: object) -> Any:
        return getattr(getattr(connectors, str(group.name)), name)(**given)

    command.__doc__ = words
    decorated: Any = prints(lines)(command)
    for option in reversed(options):
        decorated = option(decorated)
    group.command(name=name)(decorated)


def prints_rows(nothing: str, *columns: str) -> Callable[[Callable[..., Iterable[Row]]], Callable[..., None]]:
    """Give a command the `Connectors`, and print the rows that it returns; people see these columns, or all.

    Where there are no rows it says `nothing`, with the command's arguments filled in.
    """

    def decorate(command: Callable[..., Iterable[Row]]) -> Callable[..., None]:
        @as_json
        @wraps(command)
        def run(*, as_json: bool, **given: object) -> None:
            show(tuple(connected(command)(**given)), columns, as_json=as_json, nothing=nothing.format(**given))

        return run

    return decorate


def say(lines: Callable[[Shown], Iterable[str]], document: Shown, *, as_json: bool) -> None:
    """Print a document: in the words of `lines`, or as JSON."""
    if as_json:
        print_json(document)
    else:
        click.echo("\n".join(lines(document)))


def show(rows: Sequence[Row], columns: Sequence[str] = (), *, as_json: bool, nothing: str = "") -> None:
    """Print rows as JSON, or for people; no columns are all of them."""
    if as_json:
        print_json([dict(row) for row in rows])
    elif rows:
        click.echo("\n".join(table(rows, columns or tuple(rows[0]), width=screen_width())))
    else:
        click.echo(nothing)


def row(entity: object, columns: str, **given: object) -> Row:
    """Return a row with these columns: values that are given, else attributes of an entity."""
    return {name: _plain(given[name] if name in given else getattr(entity, name)) for name in columns.split()}


def _plain(value: object) -> object:
    """Return a word for an enumeration, and text for a moment."""
    if isinstance(value, datetime):
        return value.isoformat()
    return value.value if isinstance(value, Enum) else value


def print_json(document: object) -> None:
    """Print a type of the contract, or a collection of them, as JSON."""
    from ..providers.codec import to_document

    click.echo(json.dumps(to_document(document), indent=2, default=str))


@contextmanager
def progress(what: str, *, transient: bool = True) -> Iterator[Callable[..., object]]:
    """Show on standard error how far a long command is, where rich is installed; a transient bar is then erased."""
    try:
        rich, console = import_module("rich.progress"), import_module("rich.console").Console(stderr=True)
    except ImportError:
        yield lambda **_: None
        return
    with rich.Progress(console=console, transient=transient) as bar:
        task = bar.add_task(what, total=None)
        yield lambda **now: bar.update(task, **now)


def screen_width() -> int:
    """Return how many characters fit on a line: what the terminal or ``COLUMNS`` says, else 80."""
    return shutil.get_terminal_size().columns


def table(rows: Sequence[Row], columns: Sequence[str], *, width: int) -> Iterator[str]:
    r"""Yield the lines of a table that fits; where an id or URL would be cut, each row is a block.

    A column that is empty in every row is left out, and the text in the last one may take several lines.

    >>> rows = [{"key": "apollo", "note": "", "last_seen": "today"}, {"key": "luna", "note": "", "last_seen": ""}]
    >>> print("\n".join(table(rows, ("key", "note", "last_seen"), width=80)))
    key     last seen
    apollo  today
    luna
    """
    names = [name for name in columns if any(_text(row[name]) for row in rows)] or columns[:1]
    cells = [[*map(_label, names)], *([_text(row[name]) for name in names] for row in rows)]
    *widths, last = (max(map(len, column)) for column in zip(*cells, strict=True))
    left = sum(widths) + 2 * len(widths)
    longest = max(len(word) for line in cells for word in line[-1].split() or [""])
    if width - left < max(longest, min(last, NARROWEST_TEXT)):
        for row in rows:
            yield from ([] if row is rows[0] else [""])
            yield from block({_label(name): row[name] for name in columns}, width=width)
        return
    for line in cells:
        start = "".join(f"{cell:<{size}}  " for cell, size in zip(line, widths, strict=False))
        yield from fold(start + line[-1], width=width, indent=" " * left)


def block(facts: Row, *, width: int, indent: str = "") -> Iterator[str]:
    """Yield the facts that aren't empty, one below the other."""
    shown = {label: text for label, fact in facts.items() if (text := _text(fact))}
    size = max(map(len, shown), default=0)
    for label, text in shown.items():
        yield from fold(f"{indent}{label:<{size}}  {text}", width=width, indent=f"{indent}    ")


def fold(text: str, *, width: int, indent: str) -> list[str]:
    """Return a text on lines that fit; a word longer than a line has one of its own, so that it can be copied."""
    return textwrap.wrap(text, width, subsequent_indent=indent, break_on_hyphens=False, break_long_words=False)


def _label(column: str) -> str:
    return column.replace("_", " ")


def _text(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list | tuple):
        return ", ".join(map(str, value))
    return "" if value is None else str(value)
