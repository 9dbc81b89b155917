"""The review queue for teams: why events wait, and what nobody wants to be asked about."""

from __future__ import annotations

from alembic import op
from sqlalchemy import Column, Integer

from speckitty_connectors.store.migrations.columns import belongs_to, document, identifier, moment, words

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Make the tables of reasons and of ignore rules."""
    op.create_table(
        "review_reasons",
        identifier("workspace_id", primary_key=True),
        identifier("item_id", primary_key=True),
        words("reason", 32, primary_key=True),
        Column("count", Integer, nullable=False),
        moment("first_seen"),
        moment("last_seen"),
        belongs_to("review_items", "item_id"),
    )
    op.create_table(
        "ignore_rules",
        identifier("workspace_id", primary_key=True),
        identifier("id", primary_key=True),
        document("conditions"),
        words("note"),
        words("created_by"),
        moment("created_at"),
    )
