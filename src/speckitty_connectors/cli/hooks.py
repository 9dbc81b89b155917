"""`hooks`: the webhooks that installations have at their providers."""

from __future__ import annotations

from collections.abc import Iterable

import click

from ..connectors import Connectors
from ..subscriptions.types import Webhook
from .arguments import actor, in_workspace
from .operator import connected
from .printing import Row, as_json, prints_rows, row, show

NOTHING = "the installation has no webhooks"


@click.group()
def hooks() -> None:
    """Manage webhooks made through a provider's API."""


@hooks.command(name="list")
@in_workspace("installation")
@prints_rows(NOTHING)
def list_hooks(connectors: Connectors, /, **given: str) -> list[Row]:
    """List the webhooks of INSTALLATION as last seen."""
    return _rows(connectors.subscriptions.webhooks(**given))


@hooks.command()
@click.argument("workspace", default="")
@click.argument("installation_id", metavar="[INSTALLATION]", default="")
@click.option("--check", is_flag=True, help="Only read back what is there.")
@as_json
@connected
def sync(connectors: Connectors, /, *, check: bool, as_json: bool, **given: str) -> None:
    """Make the webhooks of INSTALLATION what they should be. Without arguments, all those that are due."""
    if not all(given.values()):
        click.echo(f"{connectors.subscriptions.sync_due()} installations were checked")
        return
    run = connectors.subscriptions.check if check else connectors.subscriptions.sync
    result = run(**given)
    show(_rows(result.webhooks), as_json=as_json, nothing=NOTHING)
    if not as_json:
        click.echo(f"{result.registered} registered, {result.removed} removed")
        if result.fault:
            click.echo(f"not all deliveries arrive: {result.fault}")


@hooks.command()
@in_workspace("installation")
@click.option("--scheme", default="", help="Signature scheme by its name in the manifest; else the strongest.")
@actor
@connected
def add(connectors: Connectors, /, **given: str) -> None:
    """Create the URL and secret of a webhook made by hand. Somebody enters both on the provider's own pages."""
    made = connectors.subscriptions.add_by_hand(**given)
    click.echo(f"URL     {made.url}")
    click.echo(f"secret  {made.secret.reveal()}")
    click.echo(f"scheme  {made.webhook.scheme} (the secret isn't shown again)")


def _rows(webhooks: Iterable[Webhook]) -> list[Row]:
    return [
        row(
            each,
            "id scope resources registration scheme expires_at fault",
            resources=", ".join(f"{resource.kind} {resource.key or resource.id}" for resource in each.resources),
            expires_at=each.expires_at or "",
        )
        for each in webhooks
    ]
