"""`installations`: the accounts that workspaces are connected to."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import click

from ..connectors import Connectors
from ..errors import NotFoundError
from ..installations.inventory import Report
from .arguments import actor, in_workspace
from .operator import connected
from .printing import Row, as_json, prints_rows, progress, row, show


@click.group()
def installations() -> None:
    """Manage the accounts that workspaces are connected to."""


@installations.command(name="list")
@in_workspace()
@as_json
@connected
def list_installations(connectors: Connectors, /, *, workspace: str, as_json: bool) -> None:
    """List the connected accounts, and what to do about each."""
    rows = [
        row(
            each,
            "id provider host account status reason next_step",
            account=each.account_name or each.account_id,
            reason=each.status_reason if as_json else each.explanation,
            next_step=each.next_step.action if as_json else each.next_step.text,
        )
        for each in connectors.installations(workspace)
    ]
    show(rows, as_json=as_json, nothing=f"the workspace {workspace} isn't connected to anything")


@installations.command()
@click.argument("provider")
@connected
def begin(connectors: Connectors, /, *, provider: str) -> None:
    """Print the page on which a member connects an account. The member has to be signed in to your application."""
    if not connectors.onboarding.hosts(workspace="", provider=provider):
        raise NotFoundError(
            "no app is registered", subject=f"provider {provider!r}", remedy="register an app in the settings"
        )
    click.echo(connectors.connect_url(provider))


@installations.command(name="reauth-url")
@in_workspace("installation")
@connected
def reauth_url(connectors: Connectors, /, *, workspace: str, installation_id: str) -> None:
    """Print the page for authorising INSTALLATION again. The member has to be signed in to your application."""
    click.echo(connectors.reauthorise_url(connectors.installation(workspace, installation_id)))


def _shown(update: Callable[..., object]) -> Report:
    """Show how many resources were listed; nobody knows how many there will be."""
    return lambda now: update(description=f"{now.installation.account_name}: {now.listed} on {now.pages} pages")


@installations.command()
@in_workspace("installation")
@click.option("--resume", is_flag=True, help="Continue where the last listing was interrupted.")
@click.option("--confirm-missing", is_flag=True, help="Believe at once that what isn't shown is gone.")
@actor
@prints_rows("")
def sync(
    connectors: Connectors,
    /,
    *,
    workspace: str,
    installation_id: str,
    confirm_missing: bool,
    **given: Any,
) -> list[Row]:
    """List the resources of INSTALLATION again."""
    with progress("listing …") as update:
        result = connectors.inventory.sync(
            workspace, installation_id, report=_shown(update), is_confirmed=confirm_missing, **given
        )
    columns = "listed pages missing doubted held_back complete skipped"
    return [row(result, columns, skipped="; ".join(result.skipped))]


@installations.command()
@in_workspace()
@click.option("--fix", is_flag=True, help="Fix what can be fixed from here.")
@actor
@prints_rows("both sides agree")
def check(connectors: Connectors, /, *, workspace: str, fix: bool, actor: str) -> list[Row]:
    """Compare a workspace's installations with the provider's. Each difference is explained."""
    rows: list[Row] = []
    for each in connectors.upkeep.check(workspace, actor=actor):
        what_to_do = "run again with --fix" if each.fix else each.remedy
        if fix and each.fix is not None:
            what_to_do = f"fixed: it is {connectors.upkeep.fix(each, actor=actor).status} now"
        here = each.installation
        rows.append(
            {
                "installation": here.id,
                "account": here.account_name or here.account_id,
                "difference": each.kind.value,
                "meaning": each.text,
                "what_to_do": what_to_do,
            }
        )
    return rows


@installations.command()
@click.argument("provider")
@click.option("--host", default=None, help="The provider's host, where several apps are registered.")
@prints_rows("every installation on the provider's side is connected")
def unconnected(connectors: Connectors, /, *, provider: str, host: str | None) -> list[Row]:
    """List where an app is installed but not connected."""
    return [
        {"installation": each.id, "account": each.account.name or each.account.id, "kind": each.account.kind}
        for each in connectors.upkeep.unconnected(provider, host)
    ]


@installations.command()
@click.option(
    "--older-than-hours", default=24, show_default=True, help="List again what was last listed longer ago."
)
@prints_rows("nothing had to be done")
def upkeep(connectors: Connectors, /, *, older_than_hours: int) -> list[Row]:
    """Ask about pending requests, and list again what is old. It is for a timer, and for all workspaces."""
    with progress("listing …") as update:
        result = connectors.upkeep.run(older_than=timedelta(hours=older_than_hours), report=_shown(update))
    return [
        *({"installation": each.id, "became": each.status.value} for each in result.settled),
        *({"installation": each.id, "became": "listed"} for each in result.listed),
        *({"installation": each.id, "became": f"failed: {error}"} for each, error in result.failed),
    ]


@installations.command()
@in_workspace("installation")
@actor
@click.option("--uninstall", is_flag=True, help="Uninstall the app at the provider, too, where it can do that.")
@prints_rows("")
def remove(connectors: Connectors, /, *, uninstall: bool, **given: str) -> list[Row]:
    """Remove INSTALLATION. Its grant is revoked at the provider where that is possible, and forgotten here."""
    removed = connectors.onboarding.remove(**given, uninstall=uninstall)
    return [{"status": removed.installation.status.value, "grant_at_provider": removed.revocation.value}]
