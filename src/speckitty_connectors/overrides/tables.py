"""Layer 4's table."""

from __future__ import annotations

from sqlalchemy import JSON, Column, String, Table, UniqueConstraint

from ..store.metadata import UtcDateTime, identifier, metadata, workspace_column

policy_overrides = Table(
    "policy_overrides",
    metadata,
    workspace_column(),
    identifier("id", primary_key=True),
    identifier("project_id"),
    Column("provider", String, nullable=False),
    Column("fields", JSON, nullable=False),
    Column("updated_by", String, nullable=False),
    Column("updated_at", UtcDateTime, nullable=False),
    UniqueConstraint("workspace_id", "project_id", "provider"),
)
"""A project's exceptions for one provider: field → value, null for "explicitly none"; absent inherits."""
