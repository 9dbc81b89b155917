"""`policy`: what workspaces, installations and projects want of a provider, and which values apply."""

from __future__ import annotations

from collections.abc import Sequence

import click

from ..connectors import Connectors
from ..policy.resolution import PolicyDifference
from ..policy.types import EffectivePolicy, PolicyScope, ScopedPolicy
from .arguments import Command, actor, in_workspace, value_written
from .operator import connected
from .printing import as_json, prints, say

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
    """Show and change policies. Without --installation and --project it is about the defaults of the workspace."""


@policy.command()
@in_workspace("installation")
@for_project
@as_json
@connected
def effective(connectors: Connectors, /, *, as_json: bool, **given: str) -> None:
    """Show which values apply, and where each comes from. Without --project, those of INSTALLATION."""
    found = connectors.policies.effective(**given)
    rows = [*_rows(found, known=True), *_rows(found, known=False)]
    say(lambda _: found.lines(), rows, as_json=as_json)


def _rows(found: EffectivePolicy, *, known: bool) -> list[dict[str, object]]:
    return [
        {
            "field": name,
            "value": each.value,
            "level": each.source.level if each.source else "",
            "set_by": each.source.actor if each.source else "",
            "set_at": each.source.at.isoformat() if each.source and each.source.at else "",
            "locked": str(each.lock or ""),
            "known": known,
        }
        for name, each in (found.statements if known else found.passed_over).items()
    ]


def _lines(policy: ScopedPolicy) -> list[str]:
    fields = [f"  {name} = {each}" for name, each in policy.statements.items()]
    return [f"{policy.scope}:", *(fields or ["  everything is inherited"])]


def _deviations(found: Sequence[PolicyDifference]) -> list[str]:
    return [*map(str, found)] or ["no project deviates"]


@policy.command(name="set")
@scoped
@click.argument("field")
@click.argument("value", type=value_written)
@click.option("--dry-run", is_flag=True, help="Show what it would change, and change nothing.")
@actor
@as_json
@connected
def set_field(
    connectors: Connectors, /, *, field: str, value: object, dry_run: bool, actor: str, as_json: bool, **scope: str
) -> None:
    """Set FIELD to VALUE.

    VALUE is JSON, or a text as it is. null means "explicitly none".
    """
    fields = {field: value}
    if dry_run:
        found = connectors.policies.touched_by(PolicyScope(**scope), fields=fields)
        say(lambda _: [*map(str, found)] or ["nothing would change"], found, as_json=as_json)
    else:
        say(_lines, connectors.policies.set(PolicyScope(**scope), fields=fields, actor=actor), as_json=as_json)


@policy.command()
@scoped
@click.argument("fields", metavar="[FIELD]...", nargs=-1)
@actor
@prints(_lines)
def clear(connectors: Connectors, /, *, fields: tuple[str, ...], actor: str, **scope: str) -> ScopedPolicy:
    """Let FIELDs inherit again; without a FIELD, all of them."""
    return connectors.policies.clear(PolicyScope(**scope), fields=fields or None, actor=actor)


@policy.command()
@in_workspace()
@click.argument("provider")
@for_installation
@click.argument("fields", metavar="FIELD...", nargs=-1, required=True)
@click.option("--off", is_flag=True, help="Unlock them.")
@actor
@prints(_lines)
def lock(
    connectors: Connectors, /, *, fields: tuple[str, ...], off: bool, actor: str, **scope: str
) -> ScopedPolicy:
    """Keep narrower levels from setting FIELDs."""
    change = connectors.policies.unlock if off else connectors.policies.lock
    return change(PolicyScope(**scope), fields=fields, actor=actor)


@policy.command()
@in_workspace("installation")
@prints(_deviations)
def deviations(connectors: Connectors, /, **given: str) -> tuple[PolicyDifference, ...]:
    """List the projects that deviate from the defaults. The defaults are those of INSTALLATION."""
    return connectors.policies.deviations(**given)
