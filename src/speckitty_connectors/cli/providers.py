"""`providers`: what is installed, and whether it works."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import click
from attrs import asdict

from ..loading.statuses import PluginState
from ..providers.manifest import CONTRACT_MAJOR, Manifest
from .operator import Operator
from .printing import Row, as_json, block, screen_width, show

if TYPE_CHECKING:
    from ..loading.registry import Registry

COLUMNS = ("provider", "state", "reason", "remedy")
"""What a table shows; the reason names the distribution and its version."""


@click.command()
@as_json
@click.option("--check", is_flag=True, help="Import each plugin to see whether it works.")
@click.option("--verbose", "-v", is_flag=True, help="Import each plugin, and show what it can do, too.")
@click.pass_obj
def providers(operator: Operator, *, as_json: bool, check: bool, verbose: bool) -> None:
    """List the provider plugins with their state. For one that can't be used, it says why and what to do.

    What is installed is read from its metadata, and no plugin is imported. One that is "available" may be used, and
    with --check it is "active" if it works, or "failed" with the reason.
    """
    rows: list[Row]
    if check or verbose:
        rows = list(_checked(operator.registry(), verbose=verbose))
    else:
        rows = [asdict(status) for status in operator.plugins()]
    if verbose and rows and not as_json:
        click.echo("\n\n".join("\n".join(_lines(row)) for row in rows))
    else:
        nothing = "no provider plugin is installed · try: pip install 'speckitty-connectors[github]'"
        show(rows, COLUMNS, as_json=as_json, nothing=nothing)


def _checked(registry: Registry, *, verbose: bool) -> Iterator[Row]:
    """Load each plugin, and yield its row; where more is wanted of one that works, with what it declares."""
    for status in registry.check():
        works = verbose and status.state is PluginState.ACTIVE
        declared = _declared(registry.provider(status.provider).manifest) if works else {}
        yield {**asdict(status), **declared}


def _declared(manifest: Manifest) -> Row:
    """Return what a plugin declares."""
    return {
        "title": manifest.title,
        "contract": f"{CONTRACT_MAJOR}.{manifest.contract_minor}",
        "host": manifest.hosts.default,
        "self_managed": manifest.hosts.self_managed is not None,
        "resource_kinds": [kind.name for kind in manifest.resource_kinds],
        "schemes": list(manifest.webhooks.schemes),
        "capabilities": {
            capability.value: " · ".join(filter(None, (support.level, support.reason)))
            for capability, support in manifest.capabilities.items()
        },
        "documentation": manifest.documentation,
    }


def _lines(row: Row) -> Iterator[str]:
    """Yield a plugin's lines: its key and state, then whatever is known, one fact a line."""
    yield f"{row['provider'] or row['distribution']} · {row['state']}"
    facts: dict[str, object] = {}
    for name, value in row.items():
        facts |= value if isinstance(value, dict) else {name.replace("_", " "): value}
    del facts["provider"], facts["state"]
    yield from block(facts, width=screen_width(), indent="  ")
