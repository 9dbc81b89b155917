"""Deliveries on their way: inbox, decisions, dispatches, review queue."""

from __future__ import annotations

from alembic import op
from sqlalchemy import BigInteger, Column, Index, Integer, UniqueConstraint, text
from sqlalchemy.schema import SchemaItem

from speckitty_connectors.store.metadata import DatabaseMilliseconds
from speckitty_connectors.store.migrations.columns import belongs_to, document, identifier, moment, raw, words

revision = "0003"
down_revision = "0002"

HOT = {
    "fillfactor": 80,
    "autovacuum_vacuum_scale_factor": 0.01,
    "autovacuum_vacuum_threshold": 500,
    "autovacuum_analyze_scale_factor": 0.02,
    "autovacuum_vacuum_cost_delay": 0,
}
"""Rows of these tables change some times each and are then left alone: PostgreSQL is to find room for the next
version on the same page, and to clear up soon, without pauses ("Storage Parameters", "Automatic Vacuuming")."""


def upgrade() -> None:
    """Make the tables in the order in which a delivery reaches them."""
    make_inbox()
    make_decisions()
    make_dispatches()
    make_review_queue()


def claim_columns() -> tuple[SchemaItem, ...]:
    """Return the columns of rows that workers claim, and the index by which they find them."""
    unfinished = text("state IN ('pending', 'running')")
    return (
        words("state", 16, default="pending"),
        Column("attempts", Integer, nullable=False, server_default="0"),
        Column("generation", Integer, nullable=False, server_default="0"),
        Column("not_before", BigInteger, nullable=False, server_default=DatabaseMilliseconds()),
        words("last_error", default=""),
        Index(None, "not_before", "id", sqlite_where=unfinished, postgresql_where=unfinished),
    )


def make_inbox() -> None:
    """Make the tables of deliveries: what workers claim, and apart from it the bodies."""
    op.create_table(
        "inbox",
        identifier("workspace_id", primary_key=True),
        identifier("id", primary_key=True),
        identifier("endpoint_id"),
        identifier("installation_id"),
        words("provider"),
        words("host"),
        identifier("delivery_id"),
        words("kind"),
        raw("body_digest", 32),
        words("secret_id"),
        moment("received_at"),
        words("outcome", 16, default=""),
        words("outcome_reason", default=""),
        *claim_columns(),
        UniqueConstraint("endpoint_id", "delivery_id"),
        Index("ix_inbox_digest", "endpoint_id", "body_digest"),
        postgresql_with=HOT,
    )
    op.create_table(
        "inbox_bodies",
        identifier("workspace_id", primary_key=True),
        identifier("inbox_id", primary_key=True),
        document("headers"),
        words("content_type"),
        raw("body"),
        belongs_to("inbox", "inbox_id"),
    )


def make_decisions() -> None:
    """Make the table of what the router concluded."""
    op.create_table(
        "decisions",
        identifier("workspace_id", primary_key=True),
        identifier("id", primary_key=True),
        identifier("inbox_id"),
        identifier("installation_id"),
        words("stage", 16),
        words("rule"),
        document("outcome"),
        document("targets"),
        document("evidence"),
        moment("decided_at"),
        UniqueConstraint("workspace_id", "inbox_id", "installation_id"),
        Index(None, "inbox_id"),
    )


def make_dispatches() -> None:
    """Make the table of what is to be handed to the host."""
    op.create_table(
        "dispatches",
        identifier("workspace_id", primary_key=True),
        identifier("id", primary_key=True),
        identifier("decision_id"),
        identifier("mapping_id"),
        words("target_kind"),
        identifier("target_id"),
        identifier("effect_key"),
        moment("created_at"),
        moment("finished_at", optional=True),
        *claim_columns(),
        UniqueConstraint("workspace_id", "decision_id", "target_kind", "target_id"),
        UniqueConstraint("effect_key"),
        belongs_to("decisions", "decision_id"),
        postgresql_with=HOT,
    )


def make_review_queue() -> None:
    """Make the tables of what waits for a person."""
    op.create_table(
        "review_items",
        identifier("workspace_id", primary_key=True),
        identifier("id", primary_key=True),
        identifier("installation_id"),
        words("provider"),
        words("host"),
        words("resource_kind"),
        identifier("resource_id"),
        words("resource_key"),
        words("state", 16),
        words("state_reason"),
        moment("snoozed_until", optional=True),
        Column("count", Integer, nullable=False),
        Column("held", Integer, nullable=False),
        document("candidates"),
        moment("first_seen"),
        moment("last_seen"),
        UniqueConstraint("workspace_id", "installation_id", "provider", "host", "resource_kind", "resource_id"),
        Index("ix_review_items_waiting", "workspace_id", "state", "last_seen"),
    )
    op.create_table(
        "review_events",
        identifier("workspace_id", primary_key=True),
        identifier("item_id", primary_key=True),
        identifier("decision_id", primary_key=True),
        belongs_to("review_items", "item_id"),
        belongs_to("decisions", "decision_id"),
    )
