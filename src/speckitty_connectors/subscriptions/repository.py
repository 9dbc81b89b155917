"""Reads and writes webhooks; every function is bound to one workspace, save the one that says otherwise."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

from sqlalchemy import (
    JSON,
    Column,
    Connection,
    Index,
    Row,
    String,
    Table,
    UniqueConstraint,
    delete,
    insert,
    select,
    tuple_,
    update,
)

from ..identifiers import InstallationKey
from ..providers.resources import ResourceReference
from ..store.metadata import UtcDateTime, belongs_to, identifier, metadata, workspace_column
from ..store.rows import from_row, is_row, is_under, to_row
from .types import Webhook

webhooks = Table(
    "webhooks",
    metadata,
    workspace_column(),
    identifier("id", primary_key=True),
    identifier("installation_id"),
    identifier("endpoint_id"),
    Column("scope", String(16), nullable=False),
    identifier("covers"),
    Column("resources", JSON, nullable=False),
    identifier("registration"),
    Column("scheme", String, nullable=False),
    Column("fault", String, nullable=False),
    Column("expires_at", UtcDateTime),
    Column("due_at", UtcDateTime),
    Column("created_at", UtcDateTime, nullable=False),
    Column("missed_at", UtcDateTime),
    UniqueConstraint("workspace_id", "installation_id", "covers"),
    belongs_to("installations", "installation_id"),
    Index(None, "workspace_id", "endpoint_id"),
    Index(None, "due_at"),
)
"""One row a webhook, written before the provider is asked, so that no crash leaves one that nobody knows.

`registration` is the provider's id, empty until it is known. `covers` is a digest of scope and resources: two
processes can't register the same twice; that of a missed one is its own id. `due_at` is when it must be looked at
again; NULL for what a person made.
"""


def add(connection: Connection, webhook: Webhook) -> None:
    """Write a new webhook.

    Raises:
        sqlalchemy.exc.IntegrityError: the installation has one for the same already.
    """
    connection.execute(insert(webhooks).values(_values(webhook)))


def save(connection: Connection, webhook: Webhook) -> None:
    """Write a changed webhook back."""
    connection.execute(
        update(webhooks).where(is_row(webhooks, webhook.workspace, webhook.id)).values(_values(webhook))
    )


def remove(connection: Connection, webhook: Webhook) -> None:
    """Delete a webhook."""
    connection.execute(delete(webhooks).where(is_row(webhooks, webhook.workspace, webhook.id)))


def list_all(connection: Connection, installation: InstallationKey) -> list[Webhook]:
    """Return an installation's webhooks, oldest first."""
    rows = connection.execute(select(webhooks).where(is_under(webhooks, installation)).order_by(webhooks.c.id))
    return [_webhook(row) for row in rows]


def covered_by(
    connection: Connection, endpoints: Collection[tuple[str, str]]
) -> dict[tuple[str, str], tuple[ResourceReference, ...]]:
    """Return what the webhooks of endpoints were registered for; nothing where that is a whole account.

    Only endpoints of a workspace have webhooks of their own: an app's serves those of many.

    Args:
        connection: the transaction.
        endpoints: workspace and id of each endpoint.
    """
    key = (webhooks.c.workspace_id, webhooks.c.endpoint_id)
    rows = connection.execute(select(*key, webhooks.c.resources).where(tuple_(*key).in_(endpoints)))
    return {(row.workspace_id, row.endpoint_id): _references(row.resources) for row in rows}


def find_due(connection: Connection, *, now: datetime) -> set[tuple[str, str]]:
    """Return (workspace, installation) of every webhook that is due, **across workspaces**."""
    due = select(webhooks.c.workspace_id, webhooks.c.installation_id).where(webhooks.c.due_at <= now).distinct()
    return {(row.workspace_id, row.installation_id) for row in connection.execute(due)}


def _references(documents: list[dict[str, str]]) -> tuple[ResourceReference, ...]:
    return tuple(
        ResourceReference(kind=document["kind"], id=document["id"], key=document["key"]) for document in documents
    )


def _values(webhook: Webhook) -> dict[str, object]:
    return to_row(
        webhook,
        resources=[
            {"kind": resource.kind, "id": resource.id, "key": resource.key} for resource in webhook.resources
        ],
    )


def _webhook(row: Row[tuple[object, ...]]) -> Webhook:
    return from_row(Webhook, row, resources=_references(row.resources))
