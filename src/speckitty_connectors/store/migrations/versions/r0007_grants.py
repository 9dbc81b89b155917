"""How the renewal of granted credentials stands."""

from __future__ import annotations

from alembic import op
from sqlalchemy import BigInteger, Column, ForeignKeyConstraint, Integer

from speckitty_connectors.store.migrations.columns import identifier, words

revision = "0007"
down_revision = "0005"


def upgrade() -> None:
    """Make the table of grants."""
    op.create_table(
        "grants",
        identifier("workspace_id", primary_key=True),
        identifier("credential_id", primary_key=True),
        identifier("app_id"),
        words("redirect_uri"),
        words("condition", 16),
        Column("failures", Integer, nullable=False),
        Column("intent_started_at", BigInteger),
        Column("not_before", BigInteger, nullable=False),
        ForeignKeyConstraint(
            ["workspace_id", "credential_id"], ["credentials.workspace_id", "credentials.id"], ondelete="CASCADE"
        ),
    )
