"""The table of the webhooks that installations have at their providers."""

from __future__ import annotations

from sqlalchemy import JSON, Column, Index, String, Table, UniqueConstraint

from ..store.metadata import UtcDateTime, belongs_to, identifier, metadata, workspace_column

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
    UniqueConstraint("workspace_id", "installation_id", "covers"),
    belongs_to("installations", "installation_id"),
    Index(None, "workspace_id", "endpoint_id"),
    Index(None, "due_at"),
)
"""One row a webhook, written before the provider is asked, so that no crash leaves one that nobody knows.

`registration` is the provider's id, empty until it is known. `covers` is a digest of scope and resources: two
processes can't register the same twice. `due_at` is when it must be looked at again; NULL for what a person made.
"""
