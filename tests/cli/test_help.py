"""What `--help` says of each command, on a terminal of 80 columns."""

from __future__ import annotations

import re
from collections.abc import Iterator

import click
import pytest
from click.testing import CliRunner

from speckitty_connectors.cli import COMMANDS, commands
from testbed.shell import WIDTH

SHORT = 60
"""Characters in which a command says its point."""

Path = tuple[str, ...]


def below(command: click.Command, path: Path = ()) -> Iterator[tuple[Path, click.Command]]:
    """Yield a command and all below it, each by its words."""
    yield path, command
    if isinstance(command, click.Group):
        context = click.Context(command)
        for name in command.list_commands(context):
            found = command.get_command(context, name)
            assert found is not None
            yield from below(found, (*path, name))


ALL = dict(below(commands))


def first_line(command: click.Command) -> str:
    """Return what a command says of itself in a list, however long that is."""
    return command.get_short_help_str(limit=10_000)


def shown(path: Path) -> list[str]:
    """Return the lines of a command's help."""
    done = CliRunner().invoke(commands, [*path, "--help"], terminal_width=WIDTH)
    assert done.exit_code == 0, done.output
    return done.output.splitlines()


def test_the_list_of_commands_says_what_each_says_itself() -> None:
    """The list is written down so that it imports none of them, and each has the words of the command itself."""
    assert {name: first_line(ALL[name,]) for name in COMMANDS} == COMMANDS


@pytest.mark.parametrize("path", ALL, ids=" ".join)
def test_a_command_says_its_point_in_a_short_sentence(path: Path) -> None:
    """It is one whole sentence of at most 60 characters, and each option says what it does."""
    command = ALL[path]
    text = first_line(command)
    assert (text[-1:], len(text) <= SHORT or path == ()) == (".", True), text
    assert [each.name for each in command.params if isinstance(each, click.Option) and not each.help] == []


@pytest.mark.parametrize("path", ALL, ids=" ".join)
def test_help_fits_80_columns_and_cuts_nothing_off(path: Path) -> None:
    """No line is longer than the terminal is wide, and a group's list has its commands' sentences to their end."""
    lines = shown(path)
    assert [line for line in lines if len(line) > WIDTH] == []
    for name in {words[-1] for words in ALL if words and words[:-1] == path}:
        [listed] = [line for line in lines if re.match(rf"  {name} ", line)]
        assert listed.split(maxsplit=1)[1] == first_line(ALL[*path, name])
