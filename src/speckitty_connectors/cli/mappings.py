"""`mappings`: what is mapped to what, changed by hand and by file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from ..connectors import Connectors
from ..mappings.files import FileDifference, FileForm, MappingFile
from ..mappings.types import Direction, ResourceMapping
from ..providers.suggestions import Target
from .arguments import (
    actor,
    chosen,
    direction,
    in_workspace,
    reason,
    resource_named,
    selecting,
    target,
    target_named,
)
from .operator import FAILED, connected
from .printing import Row, as_json, passing, prints, prints_rows, row, show


@click.group()
def mappings() -> None:
    """Show and change which resource is mapped to what."""


@mappings.command(name="list")
@in_workspace()
@click.option("--target", type=target_named, metavar="KIND:ID", default=None, help="Only what goes there.")
@prints_rows("nothing is mapped in the workspace {workspace}")
def list_mappings(connectors: Connectors, /, *, workspace: str, target: Target | None) -> list[Row]:
    """List the mappings of a workspace."""
    return [
        row(
            each,
            "id resource target wants direction state reason origin created_by",
            resource=f"{each.resource_kind} {each.resource_key}",
            target=str(each.target),
            wants=str(each.selector),
            reason=each.state_reason,
        )
        for each in connectors.mappings.list(workspace=workspace, target=target)
    ]


def _lines(mapping: ResourceMapping | None) -> list[str]:
    if mapping is None:
        return ["the mapping is removed: what is undone is its creation"]
    why = f": {mapping.state_reason}" if mapping.state_reason else ""
    label = mapping.resource_key or mapping.resource_external_id
    return [
        f"{mapping.id}: {mapping.resource_kind} {label} → {mapping.target}, {mapping.state}{why}",
        f"  wants {mapping.selector}",
        *(f"  note: {overlap}" for overlap in mapping.overlaps),
    ]


@mappings.command()
@in_workspace("installation")
@click.argument("resource", type=resource_named, metavar="RESOURCE")
@target
@selecting
@direction
@actor
@prints(_lines)
def add(connectors: Connectors, /, *, direction: Direction | None, **given: Any) -> ResourceMapping:
    """Map RESOURCE, as INSTALLATION sees it, to TARGET. Where other mappings take the same events, it warns."""
    return connectors.mappings.create(direction=direction or Direction.BOTH, **given)


@mappings.command()
@in_workspace("mapping")
@click.option(
    "--target", type=target_named, metavar="KIND:ID", default=None, help="Where its events go from now on."
)
@selecting
@direction
@actor
@prints(_lines)
def update(connectors: Connectors, /, **given: Any) -> ResourceMapping:
    """Change the target, selector or direction of MAPPING.

    What isn't given stays; --path, --branch and --kind together replace the whole selector.
    """
    return connectors.mappings.update(**given)


@mappings.command()
@in_workspace("mapping")
@reason
@actor
@connected
def remove(connectors: Connectors, /, *, mapping_id: str, **given: str) -> None:
    """Remove MAPPING; `undo` brings it back."""
    connectors.mappings.remove(mapping_id=mapping_id, **given)
    click.echo(f"removed {mapping_id}")


of_mapping = in_workspace("mapping")
passing(mappings, "pause", "Stop routing over MAPPING until it is resumed.", _lines, of_mapping, reason, actor)
passing(mappings, "resume", "Route over a paused MAPPING again.", _lines, of_mapping, actor)
passing(mappings, "undo", "Undo the last change that a person made to MAPPING.", _lines, of_mapping, actor)


@mappings.command()
@in_workspace()
@chosen("--form", FileForm, "How to write it.", default="toml")
@connected
def export(connectors: Connectors, /, *, workspace: str, form: FileForm) -> None:
    """Print a workspace's mappings as a file to keep in git."""
    click.echo(connectors.mapping_files.export(workspace=workspace).write(form), nl=False)


def _read(_context: click.Context, _parameter: click.Parameter, path: Path) -> MappingFile:
    form = FileForm.JSON if path.suffix == ".json" else FileForm.TOML
    return MappingFile.read(path.read_text(encoding="utf-8"), form)


def _difference_lines(difference: FileDifference) -> list[str]:
    return [*difference.lines(), f"{difference.unchanged} unchanged"]


file = click.argument(
    "file", metavar="PATH", type=click.Path(exists=True, dir_okay=False, path_type=Path), callback=_read
)


@mappings.command(name="import")
@in_workspace()
@file
@click.option("--dry-run", is_flag=True, help="Show the difference and change nothing.")
@click.option("--complete", is_flag=True, help="Remove the mappings that the file doesn't name.")
@actor
@prints(_difference_lines)
def import_file(connectors: Connectors, /, *, dry_run: bool, actor: str, **given: Any) -> FileDifference:
    """Apply a file to the mappings of a workspace.

    PATH is a .toml or .json file. The mappings become what it says, all of them or none.
    """
    files = connectors.mapping_files
    return files.compare(**given) if dry_run else files.apply(actor=actor, **given)


@mappings.command()
@in_workspace()
@file
@as_json
@connected
def lint(connectors: Connectors, /, *, as_json: bool, **given: Any) -> None:
    """Check the file at PATH without applying it. The exit code is 1 where it can't be applied."""
    difference = connectors.mapping_files.compare(**given)
    rows = [{"place": each.path, "prevents": each.prevents, "text": each.text} for each in difference.findings]
    show(rows, as_json=as_json, nothing="the file has no faults")
    if difference.errors:
        raise click.exceptions.Exit(FAILED)
