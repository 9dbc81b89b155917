"""What was observed of projects, and what that suggests."""

from __future__ import annotations

from alembic import op
from sqlalchemy import Boolean, Column, ForeignKeyConstraint, Index, UniqueConstraint

from speckitty_connectors.store.migrations.columns import document, identifier, moment, words

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    """Make the tables of signals and of suggestions."""
    make_signals()
    make_suggestions()


def make_signals() -> None:
    """Make the table of what was observed of projects."""
    op.create_table(
        "signals",
        identifier("workspace_id", primary_key=True),
        identifier("project_id", primary_key=True),
        identifier("kind", primary_key=True),
        identifier("value", primary_key=True),
        words("label"),
        moment("first_seen"),
        moment("last_seen"),
        Index("ix_signals_value", "workspace_id", "kind", "value", "project_id"),
        Index("ix_signals_last_seen", "workspace_id", "last_seen"),
    )


def make_suggestions() -> None:
    """Make the tables of suggestions, and of the workspaces that want the best of them to be followed at once."""
    op.create_table(
        "suggestions",
        identifier("workspace_id", primary_key=True),
        identifier("id", primary_key=True),
        identifier("installation_id"),
        identifier("resource_id"),
        words("target_kind"),
        identifier("target_id"),
        words("confidence", 8),
        words("state", 16),
        words("source", 16),
        document("evidence"),
        document("grounds"),
        identifier("mapping_id"),
        words("decided_by"),
        words("reason"),
        moment("created_at"),
        moment("updated_at"),
        moment("found_at"),
        UniqueConstraint("workspace_id", "resource_id", "target_kind", "target_id"),
        ForeignKeyConstraint(
            ["workspace_id", "installation_id", "resource_id"],
            ["resources.workspace_id", "resources.installation_id", "resources.id"],
        ),
        Index("ix_suggestions_state", "workspace_id", "installation_id", "state"),
    )
    op.create_table(
        "suggestion_settings",
        identifier("workspace_id", primary_key=True),
        Column("automatic", Boolean, nullable=False),
        words("changed_by"),
        moment("changed_at"),
    )
