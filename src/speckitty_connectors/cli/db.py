"""`db`: the tables."""

from __future__ import annotations

import click

from ..store import migrations
from ..store.row_level_security import row_level_security
from .operator import Operator


@click.group()
def db() -> None:
    """Create and upgrade the tables."""


@db.command()
@click.pass_obj
def upgrade(operator: Operator) -> None:
    """Bring the tables up to this version. It is safe to repeat, and beside running processes."""
    with operator.store() as store:
        migrations.upgrade(store)
        click.echo(f"the database is at {migrations.current(store)}")


@db.command()
@click.pass_obj
def current(operator: Operator) -> None:
    """Show the revision of the tables and the one needed."""
    with operator.store() as store:
        found = migrations.current(store) or "empty"
    click.echo(f"the database is at {found}; this version needs {migrations.latest()}")


@db.command("row-level-security")
@click.option("--role", default="connectors_workspace", show_default=True, help="Role of confined transactions.")
@click.option("--sign-in-role", default="", help="Role of the application, where that isn't the owner.")
@click.option("--schema", default="", help="Schema of the tables; that of the settings file by default.")
@click.pass_obj
def show_row_level_security(operator: Operator, role: str, sign_in_role: str, schema: str) -> None:
    """Print the script of PostgreSQL's row-level security. The owner of the tables runs it."""
    schema = schema or (operator.settings().schema if operator.config else "")
    click.echo(row_level_security(role=role, sign_in_role=sign_in_role, schema=schema), nl=False)
