"""`apps`: the apps that are registered, for people."""

from __future__ import annotations

import click

from ..connectors import Connectors
from .printing import Row, prints_rows, row


@click.command()
@prints_rows("no app is registered · add one under [[apps]] in the settings")
def apps(connectors: Connectors) -> list[Row]:
    """List the registered apps with the URLs to enter. Enter each URL on the app's page at its provider."""
    return [
        row(
            each.app,
            "provider host client_id webhook_url callback_url",
            webhook_url=connectors.webhook_url(each),
            callback_url=connectors.callback_url(each.app.provider, each.app.host),
        )
        for each in connectors.apps.list()
    ]
