"""The command `speckitty-connectors`.

Exit codes: 0 done · 1 it failed, and the one line on standard error says why and what to do · 2 the command
was written wrongly · 3 `send` got another answer than it should have.
"""

from __future__ import annotations

import sys

import click

from ..errors import ConnectorsError
from .database import db
from .demonstration import demo
from .hooks import hooks
from .judging import contract
from .operating import Operator
from .plugins import providers
from .records import apps, installations, mappings, review
from .sealing_keys import keys
from .sending import send
from .serving import serve, work
from .telling import explain

DONE, FAILED, MISUSED, UNEXPECTED_ANSWER = 0, 1, 2, 3


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


for command in (
    apps,
    contract,
    db,
    demo,
    explain,
    hooks,
    installations,
    keys,
    mappings,
    providers,
    review,
    send,
    serve,
    work,
):
    commands.add_command(command)


def main() -> None:
    """Run the command line; an expected error is one line with its remedy."""
    try:
        commands(standalone_mode=False)
    except ConnectorsError as error:
        click.echo(f"error: {error}", err=True)
        sys.exit(FAILED)
    except click.exceptions.Exit as request:
        sys.exit(request.exit_code)
    except click.Abort:
        click.echo("stopped", err=True)
        sys.exit(FAILED)
    except click.ClickException as error:
        error.show()
        sys.exit(MISUSED if isinstance(error, click.UsageError) else FAILED)
