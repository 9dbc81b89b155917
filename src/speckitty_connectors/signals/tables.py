"""The table of signals."""

from __future__ import annotations

from sqlalchemy import Column, Index, String, Table

from ..store.metadata import UtcDateTime, identifier, metadata, workspace_column

signals = Table(
    "signals",
    metadata,
    workspace_column(),
    identifier("project_id", primary_key=True),
    identifier("kind", primary_key=True),
    identifier("value", primary_key=True),
    Column("label", String, nullable=False),
    Column("first_seen", UtcDateTime, nullable=False),
    Column("last_seen", UtcDateTime, nullable=False),
    Index("ix_signals_value", "workspace_id", "kind", "value", "project_id"),
    Index("ix_signals_last_seen", "workspace_id", "last_seen"),
)
"""What the host observed of its projects, one row for each thing seen; never holds a credential."""
