"""`apps`: what is registered, for people."""

from __future__ import annotations

import click

from .operator import Operator, as_json, show_rows


@click.command()
@as_json
@click.pass_obj
def apps(operator: Operator, *, as_json: bool) -> None:
    """List the operator's apps with the URLs to enter at the provider."""
    with operator.connectors() as connectors:
        rows = [
            {
                "provider": each.app.provider,
                "host": each.app.host,
                "client_id": each.app.client_id,
                "webhook_url": connectors.webhook_url(each),
                "callback_url": connectors.callback_url(each.app.provider, each.app.host),
            }
            for each in connectors.apps.list()
        ]
    show_rows(rows, as_json=as_json, nothing="no app is registered · add one under [[apps]] in the settings")
