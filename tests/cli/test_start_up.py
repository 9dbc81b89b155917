"""What starting the command line imports: a list answers at once, whatever the commands need."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

PROGRAM = """
import sys
from speckitty_connectors.cli import commands
commands(sys.argv[1:], standalone_mode=False)
print(*sys.modules, file=sys.stderr)
"""
PLUGINS = ("github", "gitlab", "jira", "linear", "slack")


def imported(*arguments: str) -> set[str]:
    """Run a command in a process of its own; return the packages that it imported."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("SPECKITTY")}
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, *arguments], env=environment, capture_output=True, text=True, check=True
    )
    return {name.partition(".")[0] for name in done.stderr.splitlines()[-1].split()}


def plugins_in(packages: set[str]) -> set[str]:
    """Return which of the packages are plugins."""
    return packages & {f"speckitty_connectors_{provider}" for provider in PLUGINS}


@pytest.mark.parametrize("arguments", ["--help", "--version"])
def test_help_imports_neither_database_nor_http_nor_plugins(arguments: str) -> None:
    """The list of commands is there without any command's module, and so without what those need."""
    packages = imported(arguments)
    assert packages & {"sqlalchemy", "alembic", "requests", "cryptography", "cattrs"} == set()
    assert plugins_in(packages) == set()


def test_listing_plugins_imports_none() -> None:
    """What is installed is read from metadata alone."""
    packages = imported("providers")
    assert packages & {"sqlalchemy", "alembic", "requests", "cryptography", "cattrs", "rich"} == set()
    assert plugins_in(packages) == set()


def test_checking_plugins_imports_no_more_than_them() -> None:
    """`providers --check` loads each plugin to say whether it works, and nothing that only running hosts need."""
    packages = imported("providers", "--check")
    assert packages & {"sqlalchemy", "alembic", "requests", "cryptography", "cattrs", "rich"} == set()
    assert len(plugins_in(packages)) == len(PLUGINS)
