"""`db`: the tables."""

from __future__ import annotations

import click

from ..store import migrations
from .operating import Operator


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
