"""Webhooks that are made through a provider's API."""

from __future__ import annotations

from alembic import op
from sqlalchemy import Index, UniqueConstraint

from speckitty_connectors.store.migrations.columns import belongs_to, document, identifier, moment, words

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    """Make the table of what installations have registered."""
    op.create_table(
        "webhooks",
        identifier("workspace_id", primary_key=True),
        identifier("id", primary_key=True),
        identifier("installation_id"),
        identifier("endpoint_id"),
        words("scope", 16),
        identifier("covers"),
        document("resources"),
        identifier("registration"),
        words("scheme"),
        words("fault"),
        moment("expires_at", optional=True),
        moment("due_at", optional=True),
        moment("created_at"),
        UniqueConstraint("workspace_id", "installation_id", "covers"),
        belongs_to("installations", "installation_id"),
        Index(None, "workspace_id", "endpoint_id"),
        Index(None, "due_at"),
    )
