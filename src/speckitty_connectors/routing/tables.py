"""What the router concluded, what is to be handed to the host, and what waits for a person."""

from __future__ import annotations

from sqlalchemy import JSON, Column, Index, Integer, String, Table, UniqueConstraint

from ..store.metadata import UtcDateTime, belongs_to, claim_columns, identifier, metadata, workspace_column

decisions = Table(
    "decisions",
    metadata,
    workspace_column(),
    identifier("id", primary_key=True),
    identifier("inbox_id"),
    identifier("installation_id"),
    Column("stage", String(16), nullable=False),
    Column("rule", String, nullable=False),
    Column("outcome", JSON, nullable=False),
    Column("targets", JSON, nullable=False),
    Column("evidence", JSON, nullable=False),
    Column("decided_at", UtcDateTime, nullable=False),
    UniqueConstraint("workspace_id", "inbox_id", "installation_id"),
    Index(None, "inbox_id"),
)
"""One decision per delivery and installation; `installation_id` is empty where none was found."""

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
)
"""One decision's target, handed over once. `effect_key` stays the same on every attempt."""

review_items = Table(
    "review_items",
    metadata,
    workspace_column(),
    identifier("id", primary_key=True),
    identifier("installation_id"),
    Column("provider", String, nullable=False),
    Column("host", String, nullable=False),
    Column("resource_kind", String, nullable=False),
    identifier("resource_id"),
    Column("resource_key", String, nullable=False),
    Column("state", String(16), nullable=False),
    Column("state_reason", String, nullable=False),
    Column("snoozed_until", UtcDateTime),
    Column("count", Integer, nullable=False),
    Column("held", Integer, nullable=False),
    Column("candidates", JSON, nullable=False),
    Column("first_seen", UtcDateTime, nullable=False),
    Column("last_seen", UtcDateTime, nullable=False),
    UniqueConstraint("workspace_id", "installation_id", "provider", "host", "resource_kind", "resource_id"),
    Index("ix_review_items_waiting", "workspace_id", "state", "last_seen"),
)
"""Events that no stage could place, one item per installation and resource; `held` of `count` can be replayed."""

review_reasons = Table(
    "review_reasons",
    metadata,
    workspace_column(),
    identifier("item_id", primary_key=True),
    Column("reason", String(32), primary_key=True),
    Column("count", Integer, nullable=False),
    Column("first_seen", UtcDateTime, nullable=False),
    Column("last_seen", UtcDateTime, nullable=False),
    belongs_to("review_items", "item_id"),
)
"""Why the events of an item wait, each reason counted apart."""

review_events = Table(
    "review_events",
    metadata,
    workspace_column(),
    identifier("item_id", primary_key=True),
    identifier("decision_id", primary_key=True),
    belongs_to("review_items", "item_id"),
    belongs_to("decisions", "decision_id"),
)
"""The events that an item holds."""

ignore_rules = Table(
    "ignore_rules",
    metadata,
    workspace_column(),
    identifier("id", primary_key=True),
    Column("conditions", JSON, nullable=False),
    Column("note", String, nullable=False),
    Column("created_by", String, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
)
"""What a workspace doesn't want people to be asked about."""
