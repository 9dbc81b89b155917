"""`apps`, `installations`: what is stored, for people."""

from __future__ import annotations

import click

from .operating import Operator, as_json, show_rows


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


@click.command()
@click.argument("workspace")
@as_json
@click.pass_obj
def installations(operator: Operator, *, workspace: str, as_json: bool) -> None:
    """List the accounts that a workspace is connected to."""
    with operator.connectors() as connectors:
        rows = [
            {
                "id": each.id,
                "provider": each.provider,
                "host": each.host,
                "account": each.account_name or each.account_id,
                "status": each.status.value,
                "reason": each.status_reason,
            }
            for each in connectors.installations(workspace)
        ]
    show_rows(rows, as_json=as_json, nothing=f"the workspace {workspace} isn't connected to anything")
