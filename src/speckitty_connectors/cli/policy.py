"""`policy`: what workspaces, installations and projects want of a provider, and what holds in the end."""

from __future__ import annotations

import json
from collections.abc import Sequence

import click

from ..policy.resolution import PolicyDifference
from ..policy.types import PolicyOverride, PolicyScope, Statement
from ..providers.codec import converter
from .arguments import Command, actor, value_written
from .operator import Operator, as_json, say

for_project = click.option("--project", "project_id", default="", help="Of this project: its exceptions.")
for_installation = click.option(
    "--installation", "installation_id", default="", help="Of this installation: its defaults."
)


def scoped(command: Command) -> Command:
    """Add what names a scope: the workspace and the provider, or one installation or project of theirs."""
    for add in (for_project, for_installation, click.argument("provider"), click.argument("workspace")):
        command = add(command)
    return command


@click.group()
def policy() -> None:
    """Look at policies and change them; without --installation and --project, the workspace's defaults."""


@policy.command()
@click.argument("workspace")
@click.argument("installation_id", metavar="INSTALLATION")
@for_project
@as_json
@click.pass_obj
def effective(operator: Operator, *, workspace: str, installation_id: str, project_id: str, as_json: bool) -> None:
    """Show what holds under INSTALLATION, by default or for a project, and where each value comes from."""
    with operator.connectors() as connectors:
        found = connectors.overrides.effective(
            workspace=workspace, installation_id=installation_id, project_id=project_id
        )
    if not as_json:
        click.echo("\n".join(found.lines()))
        return
    rows = [
        *(_row(name, said, known=True) for name, said in found.statements.items()),
        *(_row(name, said, known=False) for name, said in found.passed_over.items()),
    ]
    click.echo(json.dumps(rows, indent=2))


@policy.command(name="set")
@scoped
@click.argument("field")
@click.argument("value", type=value_written)
@click.option("--dry-run", is_flag=True, help="Show what it would change, and change nothing.")
@actor
@as_json
@click.pass_obj
def set_field(
    operator: Operator,
    /,
    *,
    field: str,
    value: object,
    dry_run: bool,
    actor: str,
    as_json: bool,
    **scope: str,
) -> None:
    """Set FIELD to VALUE: JSON, or a text as it is; null is "explicitly none"."""
    fields = {field: value}
    with operator.connectors() as connectors:
        if dry_run:
            found = connectors.overrides.touched_by(PolicyScope(**scope), fields=fields)
            _show_differences(found, as_json=as_json, nothing="nothing would change")
            return
        said = connectors.overrides.set(PolicyScope(**scope), fields=fields, actor=actor)
    _say(said, as_json=as_json)


@policy.command()
@scoped
@click.argument("fields", metavar="[FIELD]...", nargs=-1)
@actor
@as_json
@click.pass_obj
def clear(operator: Operator, /, *, fields: tuple[str, ...], actor: str, as_json: bool, **scope: str) -> None:
    """Let FIELDs inherit again; all of them where none is named."""
    with operator.connectors() as connectors:
        said = connectors.overrides.clear(PolicyScope(**scope), fields=fields or None, actor=actor)
    _say(said, as_json=as_json)


@policy.command()
@click.argument("workspace")
@click.argument("provider")
@for_installation
@click.argument("fields", metavar="FIELD...", nargs=-1, required=True)
@click.option("--off", is_flag=True, help="Unlock them.")
@actor
@as_json
@click.pass_obj
def lock(
    operator: Operator, /, *, fields: tuple[str, ...], off: bool, actor: str, as_json: bool, **scope: str
) -> None:
    """Let no narrower level say otherwise of FIELDs."""
    with operator.connectors() as connectors:
        change = connectors.overrides.unlock if off else connectors.overrides.lock
        said = change(PolicyScope(**scope), fields=fields, actor=actor)
    _say(said, as_json=as_json)


@policy.command()
@click.argument("workspace")
@click.argument("installation_id", metavar="INSTALLATION")
@as_json
@click.pass_obj
def deviations(operator: Operator, *, workspace: str, installation_id: str, as_json: bool) -> None:
    """List which projects have other values than the defaults of INSTALLATION."""
    with operator.connectors() as connectors:
        found = connectors.overrides.deviations(workspace=workspace, installation_id=installation_id)
    _show_differences(found, as_json=as_json, nothing="no project deviates")


def _row(name: str, said: Statement, *, known: bool) -> dict[str, object]:
    source, lock = said.source, said.lock
    return {
        "field": name,
        "value": said.value,
        "level": source.level if source else "",
        "set_by": source.actor if source else "",
        "set_at": source.at.isoformat() if source and source.at else "",
        "locked": str(lock or ""),
        "known": known,
    }


def _show_differences(found: Sequence[PolicyDifference], *, as_json: bool, nothing: str) -> None:
    if as_json:
        click.echo(json.dumps(converter.unstructure(found), indent=2))
    else:
        click.echo("\n".join(map(str, found)) or nothing)


def _say(said: PolicyOverride, *, as_json: bool) -> None:
    lines = [f"  {name} = {each}" for name, each in said.statements.items()]
    say([f"{said.scope}:", *(lines or ["  everything is inherited"])], said, as_json=as_json)
