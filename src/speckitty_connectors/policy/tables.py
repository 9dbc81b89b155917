"""Layer 4's tables: the policies of scopes, one table for each level."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import JSON, Column, String, Table
from sqlalchemy.schema import SchemaItem

from ..store.metadata import UtcDateTime, belongs_to, identifier, metadata, workspace_column


def _statement_columns() -> Sequence[SchemaItem]:
    """Return the columns of a field: it is set where `set_at` is there, and locked where `locked_at` is."""
    return (
        identifier("field", primary_key=True),
        Column("value", JSON, nullable=False),
        Column("set_by", String, nullable=False),
        Column("set_at", UtcDateTime),
        Column("locked_by", String, nullable=False),
        Column("locked_at", UtcDateTime),
    )


workspace_policies = Table(
    "workspace_policies",
    metadata,
    workspace_column(),
    identifier("provider", primary_key=True),
    *_statement_columns(),
)
"""A workspace's defaults for a provider."""

installation_policies = Table(
    "installation_policies",
    metadata,
    workspace_column(),
    identifier("installation_id", primary_key=True),
    *_statement_columns(),
    belongs_to("installations", "installation_id"),
)
"""An installation's defaults."""

project_policies = Table(
    "project_policies",
    metadata,
    workspace_column(),
    identifier("provider", primary_key=True),
    identifier("project_id", primary_key=True),
    *_statement_columns(),
)
"""A project's exceptions for a provider, whatever the installation."""
