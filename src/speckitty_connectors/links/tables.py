"""Layer 2's table."""

from __future__ import annotations

from sqlalchemy import Column, Index, String, Table, UniqueConstraint

from ..store.metadata import UtcDateTime, belongs_to, identifier, metadata, workspace_column

user_links = Table(
    "user_links",
    metadata,
    workspace_column(),
    identifier("id", primary_key=True),
    identifier("installation_id"),
    identifier("member_id"),
    Column("provider", String, nullable=False),
    Column("host", String, nullable=False),
    identifier("external_id"),
    Column("external_name", String, nullable=False),
    Column("status", String(32), nullable=False),
    Column("status_reason", String, nullable=False),
    identifier("credential_id"),
    Column("created_at", UtcDateTime, nullable=False),
    Column("updated_at", UtcDateTime, nullable=False),
    UniqueConstraint("workspace_id", "installation_id", "external_id"),
    UniqueConstraint("workspace_id", "installation_id", "member_id"),
    belongs_to("installations", "installation_id"),
    Index(None, "provider", "host", "external_id"),
)
"""A member's own identity under an installation; `credential_id` is empty for an identity without a token."""
