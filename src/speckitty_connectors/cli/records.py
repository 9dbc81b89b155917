"""`apps`, `mappings`, `review`: what is stored, for people."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import click

from ..store.metadata import OPERATOR
from .operating import Operator, as_json, show


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
    _show(rows, as_json=as_json, nothing="no app is registered · add one under [[apps]] in the settings")


@click.command()
@click.argument("workspace")
@as_json
@click.pass_obj
def mappings(operator: Operator, *, workspace: str, as_json: bool) -> None:
    """List what a workspace mapped to what."""
    with operator.connectors() as connectors:
        rows = [
            {
                "id": each.id,
                "resource": f"{each.resource_kind} {each.resource_key}",
                "target": str(each.target),
                "state": each.state.value,
                "reason": each.state_reason,
                "origin": each.origin.value,
                "created_by": each.created_by,
            }
            for each in connectors.mappings.list(workspace=workspace)
        ]
    _show(rows, as_json=as_json, nothing=f"nothing is mapped in the workspace {workspace}")


@click.group()
def review() -> None:
    """Look at what waits for a person."""


@review.command(name="list")
@click.argument("workspace", default=OPERATOR)
@as_json
@click.pass_obj
def list_review(operator: Operator, *, workspace: str, as_json: bool) -> None:
    """List the review items of a workspace; without one, what could not be placed in any."""
    with operator.connectors() as connectors:
        rows = [
            {
                "id": each.id,
                "provider": each.provider,
                "resource": f"{each.subject.kind} {each.subject.key or each.subject.id}".strip(),
                "reason": each.reason,
                "count": each.count,
                "first_seen": each.first_seen.isoformat(),
                "last_seen": each.last_seen.isoformat(),
            }
            for each in connectors.review_items(workspace)
        ]
    _show(rows, as_json=as_json, nothing="nothing waits for a person")


def _show(rows: Sequence[Mapping[str, object]], *, as_json: bool, nothing: str) -> None:
    show(rows, tuple(rows[0]) if rows else (), as_json=as_json, nothing=nothing)
