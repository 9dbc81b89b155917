"""The command `speckitty-connectors`.

Exit codes: 0 done · 1 it failed, and the one line on standard error says why and what to do · 2 the command
was written wrongly · 3 `send` got another answer than it should have.
"""

from __future__ import annotations

import sys
from importlib import import_module
from typing import Final

import click

from ..errors import ConnectorsError
from .operator import CORE, FAILED, MISUSED, Operator

COMMANDS: Final = {
    "apps": "List the registered apps with the URLs to enter.",
    "audit": "Show who changed what, and why.",
    "contract": "Check an installed plugin by the rules of the contract.",
    "db": "Create and upgrade the tables.",
    "demo": "Show a whole integration, with a stand-in as the provider.",
    "doctor": "Check settings, plugins, database, keys and queues.",
    "explain": "Explain what happened to a delivery.",
    "hooks": "Manage webhooks made through a provider's API.",
    "installations": "Manage the accounts that workspaces are connected to.",
    "keys": "Create and rotate the keys that seal credentials.",
    "links": "Manage the identities of members at providers.",
    "mappings": "Show and change which resource is mapped to what.",
    "members": "Revoke the links of members who leave.",
    "new": "Write a new provider plugin, as a package of its own.",
    "policy": "Show and change policies.",
    "providers": "List the provider plugins with their state.",
    "retry": "Try parked deliveries and dispatches again.",
    "review": "Show what waits for a person, and decide.",
    "route": "Ask the router what would happen to an event.",
    "send": "Sign recorded deliveries, and send them.",
    "serve": "Receive deliveries and callbacks, and process them.",
    "signals": "Report what was observed of projects, or forget it.",
    "suggestions": "Show suggestions; confirm, change or dismiss them.",
    "work": "Route and dispatch events in processes of their own.",
}
"""Each command with its first line of help. Its module is named as it is, and listing them imports none."""


class Commands(click.Group):
    """Imports a command when it is asked for, so that ``--help`` answers at once.

    >>> commands.get_command(click.Context(commands), "nothing") is None
    True
    """

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click gives it
        """Return the names, in alphabetical order."""
        return sorted(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002 - as above
        """Import a command; None where there is none of that name."""
        if cmd_name not in COMMANDS:
            return None
        command: click.Command = getattr(import_module(f".{cmd_name}", __name__), cmd_name)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002 - as above
        """Write the list of commands."""
        with formatter.section("Commands"):
            formatter.write_dl(sorted(COMMANDS.items()))


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name=CORE)
@click.option(
    "--config",
    envvar="SPECKITTY_CONNECTORS_CONFIG",
    type=click.Path(exists=True, dir_okay=False),
    help="Settings file (TOML); else the environment alone.",
)
@click.pass_context
def commands(context: click.Context, config: str | None) -> None:
    """Operate the connections of a SaaS to the services of its customers."""
    context.obj = Operator(config=config)


def main() -> None:
    """Run the command line; an expected error is one line with its remedy."""
    try:
        sys.exit(commands(standalone_mode=False))  # click gives back the code of a command that ends with one
    except ConnectorsError as error:
        click.echo(f"error: {error}", err=True)
        sys.exit(FAILED)
    except click.Abort:
        click.echo("stopped", err=True)
        sys.exit(FAILED)
    except click.ClickException as error:
        error.show()
        sys.exit(MISUSED if isinstance(error, click.UsageError) else FAILED)
