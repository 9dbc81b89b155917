"""`db`: the tables."""

from __future__ import annotations

import click

from ..store import migrations
from ..store.row_level_security import row_level_security
from .operator import Operator


@click.group()
def db() -> None:
    """Make and upgrade the tables."""


@db.command()
@click.pass_obj
def upgrade(operator: Operator) -> None:
    """Bring the tables up to this version; safe to repeat, and beside running processes."""
    with operator.store() as store:
        migrations.upgrade(store)
        click.echo(f"the database is at {migrations.current(store)}")


@db.command()
@click.pass_obj
def current(operator: Operator) -> None:
    """Show the revision of the tables and the one this version needs."""
    with operator.store() as store:
        found = migrations.current(store) or "empty"
    click.echo(f"the database is at {found}; this version needs {migrations.latest()}")


@db.command("row-level-security")
@click.option(
    "--role", default="connectors_workspace", show_default=True, help="What confined transactions run as."
)
@click.option("--sign-in-role", default="", help="Who the application signs in as, where that isn't the owner.")
@click.option("--schema", default="", help="Where the tables are; as the settings file says, where there is one.")
@click.pass_obj
def show_row_level_security(operator: Operator, role: str, sign_in_role: str, schema: str) -> None:
    """Print the script of PostgreSQL's row-level security, to be run by the owner of the tables."""
    schema = schema or (operator.settings().schema if operator.config else "")
    click.echo(row_level_security(role=role, sign_in_role=sign_in_role, schema=schema), nl=False)
