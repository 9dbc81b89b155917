"""`keys`: what seals credentials."""

from __future__ import annotations

import click

from ..credentials.keyring import KeyRing


@click.group()
def keys() -> None:
    """Make keys for sealing credentials."""


@keys.command()
def new() -> None:
    """Print a fresh key; put it into your secret store, never into a file of the project."""
    click.echo(KeyRing.new_key().reveal())
