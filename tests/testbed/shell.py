"""Somebody at a shell, who runs commands of `speckitty-connectors` in this process."""

from __future__ import annotations

import json
from typing import Any

from click.testing import CliRunner, Result

from speckitty_connectors import KeyRing
from speckitty_connectors.cli import commands
from speckitty_connectors.store.engine import Store

WIDTH = 80
"""How many characters fit on a line of the terminal."""


class Shell:
    """A terminal of 80 columns, with the settings in its environment."""

    def __init__(self, store: Store, **environment: str) -> None:
        self.environment = {
            "COLUMNS": str(WIDTH),
            "SPECKITTY_CONNECTORS_DATABASE_URL": store.url.render_as_string(hide_password=False),
            "SPECKITTY_CONNECTORS_KEYS": f"test:{KeyRing.new_key().reveal()}",
            **environment,
        }

    def invoke(self, *arguments: str) -> Result:
        """Run a command, whatever becomes of it."""
        return CliRunner().invoke(commands, list(arguments), env=self.environment)

    def run(self, *arguments: str) -> str:
        """Run a command that succeeds; return what it printed."""
        done = self.invoke(*arguments)
        assert done.exit_code == 0, (done.output, done.exception)
        return done.output

    def read(self, *arguments: str) -> Any:
        """Run a command with ``--json``; return what it printed."""
        return json.loads(self.run(*arguments, "--json"))
