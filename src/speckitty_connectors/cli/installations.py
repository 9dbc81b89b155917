"""`installations`: the accounts that workspaces are connected to."""

from __future__ import annotations

from datetime import timedelta

import click

from ..errors import NotFoundError
from ..installations.drift import Difference
from .operator import Operator, as_json, listing_progress, show

OPERATOR_ACTOR = "operator"
"""Who the audit says it was, whoever sits at the command line."""


@click.group()
def installations() -> None:
    """Look after the accounts that workspaces are connected to."""


@installations.command(name="list")
@click.argument("workspace")
@as_json
@click.pass_obj
def list_installations(operator: Operator, *, workspace: str, as_json: bool) -> None:
    """List the accounts that a workspace is connected to, and what a person does next about each."""
    with operator.connectors() as connectors:
        rows = [
            {
                "id": each.id,
                "provider": each.provider,
                "host": each.host,
                "account": each.account_name or each.account_id,
                "status": each.status.value,
                "reason": each.status_reason if as_json else each.explanation,
                "next_step": each.next_step.action.value if as_json else each.next_step.text,
            }
            for each in connectors.installations(workspace)
        ]
    columns = ("id", "provider", "host", "account", "status", "reason", "next_step")
    show(rows, columns, as_json=as_json, nothing=f"the workspace {workspace} isn't connected to anything")


@installations.command()
@click.argument("provider")
@click.pass_obj
def begin(operator: Operator, *, provider: str) -> None:
    """Print the page on which a signed-in member connects an account of PROVIDER."""
    with operator.connectors() as connectors:
        if not connectors.onboarding.hosts(workspace="", provider=provider):
            raise NotFoundError(
                "no app is registered", subject=f"provider {provider!r}", remedy="register an app in the settings"
            )
        click.echo(connectors.connect_url(provider))


@installations.command(name="reauth-url")
@click.argument("workspace")
@click.argument("installation")
@click.pass_obj
def reauth_url(operator: Operator, *, workspace: str, installation: str) -> None:
    """Print the page on which a signed-in member authorises INSTALLATION again."""
    with operator.connectors() as connectors:
        click.echo(connectors.reauthorise_url(connectors.installation(workspace, installation)))


@installations.command()
@click.argument("workspace")
@click.argument("installation")
@click.option("--resume", is_flag=True, help="Go on where the last listing was interrupted.")
@as_json
@click.pass_obj
def sync(operator: Operator, *, workspace: str, installation: str, resume: bool, as_json: bool) -> None:
    """List the resources of INSTALLATION again."""
    with operator.connectors() as connectors, listing_progress() as report:
        result = connectors.inventory.sync(
            workspace, installation, resume=resume, report=report, actor=OPERATOR_ACTOR
        )
    row = {"listed": result.listed, "pages": result.pages, "missing": result.missing, "complete": result.complete}
    show([row], tuple(row), as_json=as_json, nothing="")


@installations.command()
@click.argument("workspace")
@click.option("--fix", is_flag=True, help="Apply what can be mended from here.")
@as_json
@click.pass_obj
def check(operator: Operator, *, workspace: str, fix: bool, as_json: bool) -> None:
    """Compare the installations of a workspace with the provider's side, and explain each difference."""
    with operator.connectors() as connectors:
        differences = connectors.upkeep.check(workspace, actor=OPERATOR_ACTOR)
        rows = [_explained(each) for each in differences]
        for each, row in zip(differences, rows, strict=True):
            if fix and each.fix is not None:
                mended = connectors.upkeep.fix(each, actor=OPERATOR_ACTOR)
                row["what_to_do"] = f"mended: it is {mended.status} now"
    show(rows, ("installation", "account", "difference", "meaning", "what_to_do"), as_json=as_json, nothing=AGREES)


AGREES = "both sides agree"


def _explained(difference: Difference) -> dict[str, object]:
    here = difference.installation
    return {
        "installation": here.id,
        "account": here.account_name or here.account_id,
        "difference": difference.kind.value,
        "meaning": difference.text,
        "what_to_do": "run again with --fix" if difference.fix else difference.remedy,
    }


@installations.command()
@click.argument("provider")
@click.option("--host", default=None, help="The provider's host, where several apps are registered.")
@as_json
@click.pass_obj
def unconnected(operator: Operator, *, provider: str, host: str | None, as_json: bool) -> None:
    """List where the app of PROVIDER is installed without any workspace being connected."""
    with operator.connectors() as connectors:
        rows = [
            {"installation": each.id, "account": each.account.name or each.account.id, "kind": each.account.kind}
            for each in connectors.upkeep.unconnected(provider, host)
        ]
    nothing = "every installation on the provider's side is connected"
    show(rows, ("installation", "account", "kind"), as_json=as_json, nothing=nothing)


@installations.command()
@click.option("--older-than-hours", default=24, show_default=True, help="List again what wasn't for so long.")
@as_json
@click.pass_obj
def upkeep(operator: Operator, *, older_than_hours: int, as_json: bool) -> None:
    """Ask about requests that wait for an owner, and list again what is stale, in every workspace."""
    with operator.connectors() as connectors, listing_progress() as report:
        result = connectors.upkeep.run(older_than=timedelta(hours=older_than_hours), report=report)
    rows = [{"installation": each.id, "became": each.status.value} for each in result.settled]
    rows += [{"installation": each.id, "became": "listed"} for each in result.listed]
    rows += [{"installation": each.id, "became": f"failed: {error}"} for each, error in result.failed]
    show(rows, ("installation", "became"), as_json=as_json, nothing="nothing had to be done")


@installations.command()
@click.argument("workspace")
@click.argument("installation")
@as_json
@click.pass_obj
def remove(operator: Operator, *, workspace: str, installation: str, as_json: bool) -> None:
    """Disconnect INSTALLATION: forget its grant, and ask the provider to take the grant back."""
    with operator.connectors() as connectors:
        removed = connectors.onboarding.remove(
            workspace=workspace, installation_id=installation, actor=OPERATOR_ACTOR
        )
    row = {"status": removed.installation.status.value, "grant_at_provider": removed.revocation.value}
    show([row], tuple(row), as_json=as_json, nothing="")
