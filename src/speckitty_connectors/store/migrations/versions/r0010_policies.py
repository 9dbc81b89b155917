"""What workspaces, installations and projects say of the fields of a provider's policy."""

from __future__ import annotations

from collections.abc import Sequence

from alembic import op
from sqlalchemy import Column
from sqlalchemy.schema import SchemaItem

from speckitty_connectors.store.migrations.columns import belongs_to, document, identifier, moment, words

revision = "0010"
down_revision = "0009"


def upgrade() -> None:
    """Make a table for each level."""
    op.create_table(
        "workspace_policies",
        identifier("workspace_id", primary_key=True),
        identifier("provider", primary_key=True),
        *statement_columns(),
    )
    op.create_table(
        "installation_policies",
        identifier("workspace_id", primary_key=True),
        identifier("installation_id", primary_key=True),
        *statement_columns(),
        belongs_to("installations", "installation_id"),
    )
    op.create_table(
        "policy_overrides",
        identifier("workspace_id", primary_key=True),
        identifier("provider", primary_key=True),
        identifier("project_id", primary_key=True),
        *statement_columns(),
    )


def statement_columns() -> Sequence[SchemaItem]:
    """Return the columns of what is said of a field."""
    columns: tuple[Column[object] | Column[str], ...] = (
        identifier("field", primary_key=True),
        document("value"),
        words("set_by"),
        moment("set_at", optional=True),
        words("locked_by"),
        moment("locked_at", optional=True),
    )
    return columns
