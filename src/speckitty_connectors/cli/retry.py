"""`retry`: what was set aside is tried again."""

from __future__ import annotations

import click

from .arguments import actor
from .operator import Operator


@click.command()
@click.argument("work_id", metavar="ID")
@click.option("--workspace", default="", help="Whose it is; what came through the operator's apps is nobody's.")
@actor
@click.pass_obj
def retry(operator: Operator, *, work_id: str, workspace: str, actor: str) -> None:
    """Try again the delivery or dispatch ID, which `doctor` names as parked, with all its attempts."""
    with operator.connectors() as connectors:
        connectors.retry(workspace=workspace, work_id=work_id, actor=actor)
    click.echo(f"{work_id} is due again")
