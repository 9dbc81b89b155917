"""`hooks`: the webhooks that installations have at their providers."""

from __future__ import annotations

from collections.abc import Sequence

import click

from ..subscriptions.types import Webhook
from .operator import Operator, as_json, show

COLUMNS = ("id", "scope", "resources", "registration", "scheme", "expires_at", "fault")


@click.group()
def hooks() -> None:
    """Look after webhooks that are made through a provider's API."""


@hooks.command(name="list")
@click.argument("workspace")
@click.argument("installation")
@as_json
@click.pass_obj
def list_hooks(operator: Operator, *, workspace: str, installation: str, as_json: bool) -> None:
    """List the webhooks of an INSTALLATION as they were last seen."""
    with operator.connectors() as connectors:
        known = connectors.subscriptions.webhooks(workspace=workspace, installation_id=installation)
    _show(known, as_json=as_json)


@hooks.command()
@click.argument("workspace", required=False)
@click.argument("installation", required=False)
@click.option("--check", is_flag=True, help="Only read back what is there.")
@as_json
@click.pass_obj
def sync(
    operator: Operator, *, workspace: str | None, installation: str | None, check: bool, as_json: bool
) -> None:
    """Make the webhooks of an INSTALLATION what they should be; without one, whatever is due in any workspace."""
    with operator.connectors() as connectors:
        if not workspace or not installation:
            click.echo(f"{connectors.subscriptions.sync_due()} installations were looked at")
            return
        run = connectors.subscriptions.check if check else connectors.subscriptions.sync
        result = run(workspace=workspace, installation_id=installation)
    _show(result.webhooks, as_json=as_json)
    if not as_json:
        click.echo(f"{result.registered} registered, {result.removed} removed")
        if result.fault:
            click.echo(f"not all deliveries arrive: {result.fault}")


@hooks.command()
@click.argument("workspace")
@click.argument("installation")
@click.option("--scheme", default="", help="Signature scheme by its name in the manifest; else the strongest.")
@click.pass_obj
def add(operator: Operator, *, workspace: str, installation: str, scheme: str) -> None:
    """Make an address and a secret for a webhook that somebody enters in the provider's own pages."""
    with operator.connectors() as connectors:
        made = connectors.subscriptions.add_by_hand(
            workspace=workspace, installation_id=installation, actor="operator", scheme=scheme
        )
    click.echo(f"URL     {made.url}")
    click.echo(f"secret  {made.secret.reveal()}")
    click.echo(f"scheme  {made.webhook.scheme} (the secret isn't shown again)")


def _show(webhooks: Sequence[Webhook], *, as_json: bool) -> None:
    rows = [
        {
            "id": each.id,
            "scope": str(each.scope),
            "resources": ", ".join(f"{resource.kind} {resource.key or resource.id}" for resource in each.resources),
            "registration": each.registration,
            "scheme": each.scheme,
            "expires_at": each.expires_at.isoformat() if each.expires_at else "",
            "fault": each.fault,
        }
        for each in webhooks
    ]
    show(rows, COLUMNS, as_json=as_json, nothing="the installation has no webhooks")
