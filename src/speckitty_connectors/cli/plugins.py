"""`providers`: what is installed, and whether it works."""

from __future__ import annotations

import attrs
import click

from ..providers.registry import Registry
from .operating import Operator, as_json, show


@click.command()
@as_json
@click.option("--load/--no-load", default=True, help="Import the plugins to check them; else list only.")
@click.pass_obj
def providers(operator: Operator, *, as_json: bool, load: bool) -> None:
    """List the provider plugins with their state, and what to do about those that don't work."""
    plugins = operator.plugins()
    registry = Registry(allow=plugins.allow, block=plugins.block)
    statuses = registry.check() if load else registry.statuses()
    show(
        [attrs.asdict(status) for status in statuses],
        ("provider", "state", "distribution", "version", "reason", "remedy"),
        as_json=as_json,
        nothing="no provider plugin is installed · try: pip install 'speckitty-connectors[github]'",
    )
