"""`retry`: what was parked is tried again."""

from __future__ import annotations

import click

from ..connectors import Connectors
from .arguments import actor
from .operator import connected


@click.command()
@click.argument("work_id", metavar="ID")
@click.option("--workspace", default="", help="Whose it is; none for what came through an app of the operator.")
@actor
@connected
def retry(connectors: Connectors, /, *, work_id: str, **given: str) -> None:
    """Try a parked delivery or dispatch again. `doctor --json` names the ID. Its attempts begin again."""
    connectors.retry(work_id=work_id, **given)
    click.echo(f"{work_id} is due again")
