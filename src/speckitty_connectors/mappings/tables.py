"""Layer 3's tables: mappings, what was observed of projects, and what that suggests."""

from __future__ import annotations

from sqlalchemy import JSON, Column, ForeignKeyConstraint, Index, String, Table, UniqueConstraint

from ..store.metadata import UtcDateTime, identifier, metadata, workspace_column

resource_mappings = Table(
    "resource_mappings",
    metadata,
    workspace_column(),
    identifier("id", primary_key=True),
    identifier("installation_id"),
    identifier("resource_id"),
    Column("target_kind", String, nullable=False),
    identifier("target_id"),
    Column("selector", JSON, nullable=False),
    Column("direction", String(8), nullable=False),
    Column("origin", String(16), nullable=False),
    Column("state", String(16), nullable=False),
    Column("state_reason", String, nullable=False),
    Column("created_by", String, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("updated_at", UtcDateTime, nullable=False),
    UniqueConstraint("workspace_id", "resource_id", "target_kind", "target_id"),
    ForeignKeyConstraint(
        ["workspace_id", "installation_id", "resource_id"],
        ["resources.workspace_id", "resources.installation_id", "resources.id"],
    ),
    Index(None, "workspace_id", "target_kind", "target_id"),
    Index("ix_resource_mappings_installation", "workspace_id", "installation_id"),
)
"""A resource mapped to a target. The three-part key makes SQL refuse a resource of another installation."""
