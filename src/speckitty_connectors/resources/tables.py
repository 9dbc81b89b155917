"""The tables of the inventory."""

from __future__ import annotations

from sqlalchemy import JSON, Boolean, Column, Index, String, Table, UniqueConstraint

from ..store.metadata import UtcDateTime, belongs_to, identifier, metadata, workspace_column

resources = Table(
    "resources",
    metadata,
    workspace_column(),
    identifier("id", primary_key=True),
    identifier("installation_id"),
    Column("kind", String, nullable=False),
    identifier("external_id"),
    identifier("key"),
    Column("url", String, nullable=False),
    identifier("parent_id"),
    Column("status", String(16), nullable=False),
    Column("archived", Boolean, nullable=False),
    Column("private", Boolean, nullable=False),
    Column("attributes", JSON, nullable=False),
    Column("first_seen", UtcDateTime, nullable=False),
    Column("last_seen", UtcDateTime, nullable=False),
    Column("key_at", UtcDateTime, nullable=False),
    Column("status_at", UtcDateTime, nullable=False),
    Column("archived_at", UtcDateTime, nullable=False),
    Column("private_at", UtcDateTime, nullable=False),
    Column("missed_at", UtcDateTime),
    identifier("successor_id"),
    UniqueConstraint("workspace_id", "installation_id", "kind", "external_id"),
    UniqueConstraint("workspace_id", "installation_id", "id"),
    belongs_to("installations", "installation_id"),
    Index("ix_resources_parent", "workspace_id", "installation_id", "parent_id"),
)
"""A resource under an installation, found by its immutable id.

What a provider changes has a moment of its own, so that of two tellings the later one holds in whatever order they
arrive. A row with a `successor_id` is what is left of an id that the provider replaced.
"""

resource_keys = Table(
    "resource_keys",
    metadata,
    workspace_column(),
    identifier("resource_id", primary_key=True),
    identifier("key", primary_key=True),
    identifier("folded_key"),
    Column("first_seen", UtcDateTime, nullable=False),
    Column("last_seen", UtcDateTime, nullable=False),
    belongs_to("resources", "resource_id"),
    Index(None, "workspace_id", "key"),
    Index(None, "workspace_id", "folded_key"),
)
"""Every key a resource has had; a label for people and imports, never an identity. `folded_key` is in lower case,
so that names are seen to have changed hands whatever their spelling."""
