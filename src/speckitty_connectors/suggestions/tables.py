"""The tables of suggestions."""

from __future__ import annotations

from sqlalchemy import JSON, Boolean, Column, ForeignKeyConstraint, Index, String, Table, UniqueConstraint

from ..store.metadata import UtcDateTime, identifier, metadata, workspace_column

suggestions = Table(
    "suggestions",
    metadata,
    workspace_column(),
    identifier("id", primary_key=True),
    identifier("installation_id"),
    identifier("resource_id"),
    Column("target_kind", String, nullable=False),
    identifier("target_id"),
    Column("confidence", String(8), nullable=False),
    Column("state", String(16), nullable=False),
    Column("source", String(16), nullable=False),
    Column("evidence", JSON, nullable=False),
    Column("grounds", JSON, nullable=False),
    identifier("mapping_id"),
    Column("decided_by", String, nullable=False),
    Column("reason", String, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("updated_at", UtcDateTime, nullable=False),
    Column("found_at", UtcDateTime, nullable=False),
    UniqueConstraint("workspace_id", "resource_id", "target_kind", "target_id"),
    ForeignKeyConstraint(
        ["workspace_id", "installation_id", "resource_id"],
        ["resources.workspace_id", "resources.installation_id", "resources.id"],
    ),
    Index("ix_suggestions_state", "workspace_id", "installation_id", "state"),
)
"""A resource that probably belongs to a target, and what people said to that.

`grounds` is what speaks for it, in a form that a rename doesn't change: a dismissed suggestion returns only with
one that wasn't there. `found_at` is when the evidence was last found.
"""

suggestion_settings = Table(
    "suggestion_settings",
    metadata,
    workspace_column(),
    Column("automatic", Boolean, nullable=False),
    Column("changed_by", String, nullable=False),
    Column("changed_at", UtcDateTime, nullable=False),
)
"""Whether a workspace wants suggestions of high confidence to become mappings by themselves."""
