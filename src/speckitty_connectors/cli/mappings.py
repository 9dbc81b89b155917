"""`mappings`: what is mapped to what, changed by hand and by file."""

from __future__ import annotations

from pathlib import Path

import click

from ..mappings.files import FileForm, MappingFile
from ..mappings.types import Direction, ResourceMapping
from ..providers.resources import ResourceReference
from ..providers.suggestions import Target
from .arguments import actor, direction, resource_named, selecting, selector_of, target_named
from .operator import FAILED, Operator, as_json, say, show_rows


@click.group()
def mappings() -> None:
    """Look at what is mapped to what, and change it."""


@mappings.command(name="list")
@click.argument("workspace")
@click.option("--target", type=target_named, metavar="KIND:ID", default=None, help="Only what goes there.")
@as_json
@click.pass_obj
def list_mappings(operator: Operator, *, workspace: str, target: Target | None, as_json: bool) -> None:
    """List what a workspace mapped to what."""
    with operator.connectors() as connectors:
        rows = [_row(each) for each in connectors.mappings.list(workspace=workspace, target=target)]
    show_rows(rows, as_json=as_json, nothing=f"nothing is mapped in the workspace {workspace}")


@mappings.command()
@click.argument("workspace")
@click.argument("installation_id", metavar="INSTALLATION")
@click.argument("resource", type=resource_named, metavar="RESOURCE")
@click.argument("target", type=target_named, metavar="TARGET")
@selecting
@direction
@actor
@as_json
@click.pass_obj
def add(
    operator: Operator,
    /,
    *,
    workspace: str,
    installation_id: str,
    resource: ResourceReference,
    target: Target,
    direction: str | None,
    actor: str,
    as_json: bool,
    **selecting: tuple[str, ...],
) -> None:
    """Map RESOURCE, seen through INSTALLATION, to TARGET; warn of other mappings that it meets."""
    with operator.connectors() as connectors:
        made = connectors.mappings.create(
            workspace=workspace,
            installation_id=installation_id,
            resource=resource,
            target=target,
            actor=actor,
            selector=selector_of(**selecting),
            direction=Direction(direction or Direction.BOTH),
        )
    say(_told(made), made, as_json=as_json)


@mappings.command()
@click.argument("workspace")
@click.argument("mapping_id", metavar="MAPPING")
@click.option(
    "--target", type=target_named, metavar="KIND:ID", default=None, help="Where its events go from now on."
)
@selecting
@direction
@actor
@as_json
@click.pass_obj
def update(
    operator: Operator,
    /,
    *,
    workspace: str,
    mapping_id: str,
    target: Target | None,
    direction: str | None,
    actor: str,
    as_json: bool,
    **selecting: tuple[str, ...],
) -> None:
    """Change what is given of MAPPING; a given selector replaces the whole selector."""
    with operator.connectors() as connectors:
        changed = connectors.mappings.update(
            workspace=workspace,
            mapping_id=mapping_id,
            actor=actor,
            selector=selector_of(**selecting),
            direction=Direction(direction) if direction else None,
            target=target,
        )
    say(_told(changed), changed, as_json=as_json)


@mappings.command()
@click.argument("workspace")
@click.argument("mapping_id", metavar="MAPPING")
@click.option("--reason", default="", help="Why, for whoever asks later.")
@actor
@as_json
@click.pass_obj
def pause(operator: Operator, *, workspace: str, mapping_id: str, reason: str, actor: str, as_json: bool) -> None:
    """Stop routing over MAPPING until somebody resumes it."""
    with operator.connectors() as connectors:
        paused = connectors.mappings.pause(workspace=workspace, mapping_id=mapping_id, actor=actor, reason=reason)
    say(_told(paused), paused, as_json=as_json)


@mappings.command()
@click.argument("workspace")
@click.argument("mapping_id", metavar="MAPPING")
@actor
@as_json
@click.pass_obj
def resume(operator: Operator, *, workspace: str, mapping_id: str, actor: str, as_json: bool) -> None:
    """Route over a paused MAPPING again."""
    with operator.connectors() as connectors:
        resumed = connectors.mappings.resume(workspace=workspace, mapping_id=mapping_id, actor=actor)
    say(_told(resumed), resumed, as_json=as_json)


@mappings.command()
@click.argument("workspace")
@click.argument("mapping_id", metavar="MAPPING")
@click.option("--reason", default="", help="Why, for whoever asks later.")
@actor
@click.pass_obj
def remove(operator: Operator, *, workspace: str, mapping_id: str, reason: str, actor: str) -> None:
    """Delete MAPPING; `undo` brings it back."""
    with operator.connectors() as connectors:
        connectors.mappings.remove(workspace=workspace, mapping_id=mapping_id, actor=actor, reason=reason)
    click.echo(f"removed {mapping_id}")


@mappings.command()
@click.argument("workspace")
@click.argument("mapping_id", metavar="MAPPING")
@actor
@as_json
@click.pass_obj
def undo(operator: Operator, *, workspace: str, mapping_id: str, actor: str, as_json: bool) -> None:
    """Take back the last change that a person made to MAPPING."""
    with operator.connectors() as connectors:
        restored = connectors.mappings.undo(workspace=workspace, mapping_id=mapping_id, actor=actor)
    told = _told(restored) if restored else [f"removed {mapping_id}, whose creation was undone"]
    say(told, restored, as_json=as_json)


@mappings.command()
@click.argument("workspace")
@click.option("--form", type=click.Choice([each.value for each in FileForm]), default="toml", show_default=True)
@click.pass_obj
def export(operator: Operator, *, workspace: str, form: str) -> None:
    """Print a workspace's mappings as a file to keep in git."""
    with operator.connectors() as connectors:
        click.echo(connectors.mapping_files.export(workspace=workspace).write(FileForm(form)), nl=False)


@mappings.command(name="import")
@click.argument("workspace")
@click.argument("path", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--dry-run", is_flag=True, help="Show the difference and change nothing.")
@click.option("--complete", is_flag=True, help="Remove the mappings that the file doesn't name.")
@actor
@as_json
@click.pass_obj
def import_file(
    operator: Operator, *, workspace: str, path: Path, dry_run: bool, complete: bool, actor: str, as_json: bool
) -> None:
    """Make a workspace's mappings what the file at PATH (.toml or .json) says: all of it, or nothing."""
    file = _read(path)
    with operator.connectors() as connectors:
        files = connectors.mapping_files
        difference = (
            files.compare(workspace=workspace, file=file, complete=complete)
            if dry_run
            else files.apply(workspace=workspace, file=file, actor=actor, complete=complete)
        )
    say([*difference.lines(), f"{difference.unchanged} unchanged"], difference, as_json=as_json)


@mappings.command()
@click.argument("workspace")
@click.argument("path", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@as_json
@click.pass_obj
def lint(operator: Operator, *, workspace: str, path: Path, as_json: bool) -> None:
    """Say what is the matter with the file at PATH; end with 1 where it can't be applied."""
    file = _read(path)
    with operator.connectors() as connectors:
        difference = connectors.mapping_files.compare(workspace=workspace, file=file)
    rows = [{"place": each.path, "prevents": each.prevents, "text": each.text} for each in difference.findings]
    show_rows(rows, as_json=as_json, nothing="nothing is the matter with it")
    if difference.errors:
        raise click.exceptions.Exit(FAILED)


def _read(path: Path) -> MappingFile:
    form = FileForm.JSON if path.suffix == ".json" else FileForm.TOML
    return MappingFile.read(path.read_text(encoding="utf-8"), form)


def _row(mapping: ResourceMapping) -> dict[str, object]:
    return {
        "id": mapping.id,
        "resource": f"{mapping.resource_kind} {mapping.resource_key}",
        "target": str(mapping.target),
        "wants": str(mapping.selector),
        "direction": mapping.direction.value,
        "state": mapping.state.value,
        "reason": mapping.state_reason,
        "origin": mapping.origin.value,
        "created_by": mapping.created_by,
    }


def _told(mapping: ResourceMapping) -> list[str]:
    reason = f": {mapping.state_reason}" if mapping.state_reason else ""
    label = mapping.resource_key or mapping.resource_external_id
    return [
        f"{mapping.id}: {mapping.resource_kind} {label} → {mapping.target}, {mapping.state}{reason}",
        f"  wants {mapping.selector}",
        *(f"  note: {overlap}" for overlap in mapping.overlaps),
    ]
