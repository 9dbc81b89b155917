"""The command `speckitty-connectors`.

Exit codes: 0 done · 1 it failed, and the one line on standard error says why and what to do · 2 the command
was written wrongly · 3 `send` got another answer than it should have.
"""

from __future__ import annotations

import sys

import click

from ..errors import ConnectorsError
from .auditing import audit
from .database import db
from .demonstration import demo
from .examining import doctor
from .hooks import hooks
from .installing import installations
from .judging import contract
from .linking import links, members
from .mapping import mappings
from .operating import FAILED, MISUSED, Operator
from .plugins import providers
from .policies import policy
from .records import apps
from .retrying import retry
from .reviewing import review
from .routing import route
from .scaffolding import new
from .sealing_keys import keys
from .sending import send
from .serving import serve, work
from .signals import signals
from .suggestions import suggestions
from .telling import explain


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="speckitty-connectors")
@click.option(
    "--config",
    envvar="SPECKITTY_CONNECTORS_CONFIG",
    type=click.Path(exists=True, dir_okay=False),
    help="Settings file (TOML); else the environment alone.",
)
@click.pass_context
def commands(context: click.Context, config: str | None) -> None:
    """Operate the connections of a SaaS to its customers' services."""
    context.obj = Operator(config=config)


COMMANDS = (
    apps,
    audit,
    contract,
    db,
    demo,
    doctor,
    explain,
    hooks,
    installations,
    keys,
    links,
    mappings,
    members,
    new,
    policy,
    providers,
    retry,
    review,
    route,
    send,
    serve,
    signals,
    suggestions,
    work,
)

for command in COMMANDS:
    commands.add_command(command)


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
