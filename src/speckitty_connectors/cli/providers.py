"""`providers`: what is installed, and whether it works."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import attrs
import click

from ..loading.registry import Registry
from ..loading.statuses import PluginState, PluginStatus
from ..providers.manifest import CONTRACT_MAJOR, Manifest
from .operator import Operator, as_json, show

NOTHING = "no provider plugin is installed · try: pip install 'speckitty-connectors[github]'"


@click.command()
@as_json
@click.option("--load/--no-load", default=True, help="Import the plugins to check them; else list only.")
@click.option("--verbose", "-v", is_flag=True, help="Show what each can do, too.")
@click.pass_obj
def providers(operator: Operator, *, as_json: bool, load: bool, verbose: bool) -> None:
    """List the provider plugins with their state, and what to do about those that don't work."""
    plugins = operator.plugins()
    registry = Registry(allow=plugins.allow, block=plugins.block)
    statuses = registry.check() if load else registry.statuses()
    rows = [_row(registry, status, verbose=verbose) for status in statuses]
    if verbose and rows and not as_json:
        click.echo("\n\n".join("\n".join(_lines(row)) for row in rows))
    else:
        columns = ("provider", "state", "distribution", "version", "reason", "remedy")
        show(rows, columns, as_json=as_json, nothing=NOTHING)


def _row(registry: Registry, status: PluginStatus, *, verbose: bool) -> Mapping[str, object]:
    row: dict[str, object] = attrs.asdict(status)
    if verbose and status.state is PluginState.ACTIVE:
        row |= _declared(registry.provider(status.provider).manifest)
    return row


def _declared(manifest: Manifest) -> Mapping[str, object]:
    """Return what a plugin says of itself."""
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


def _lines(row: Mapping[str, object]) -> Iterator[str]:
    """Yield a plugin's lines: its key and state, then whatever is known, one fact a line."""
    yield f"{row['provider'] or row['distribution']} · {row['state']}"
    for name, value in row.items():
        if name in {"provider", "state"} or value in ("", None):
            continue
        if isinstance(value, dict):
            yield from (f"  {key:<17} {text}" for key, text in value.items())
        else:
            yield f"  {name.replace('_', ' '):<17} {_text(value)}"


def _text(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)
