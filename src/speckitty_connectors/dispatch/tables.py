"""What is to be handed to the host's handler."""

from __future__ import annotations

from sqlalchemy import Column, Index, String, Table, UniqueConstraint, text

from ..store.metadata import UtcDateTime, belongs_to, claim_columns, identifier, metadata, workspace_column

dispatches = Table(
    "dispatches",
    metadata,
    workspace_column(),
    identifier("id", primary_key=True),
    identifier("decision_id"),
    identifier("mapping_id"),
    Column("target_kind", String, nullable=False),
    identifier("target_id"),
    identifier("effect_key"),
    Column("created_at", UtcDateTime, nullable=False),
    Column("finished_at", UtcDateTime),
    *claim_columns(),
    UniqueConstraint("workspace_id", "decision_id", "target_kind", "target_id"),
    UniqueConstraint("effect_key"),
    belongs_to("decisions", "decision_id"),
    Index(
        "ix_dispatches_due",
        "not_before",
        "id",
        sqlite_where=text("state IN ('pending', 'running')"),
        postgresql_where=text("state IN ('pending', 'running')"),
    ),
)
"""One decision's target, handed over once. `effect_key` stays the same on every attempt."""
