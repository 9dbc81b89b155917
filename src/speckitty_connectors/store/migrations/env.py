"""Alembic runs this for an upgrade; the connection, and the transaction, are those of `upgrade`."""

from __future__ import annotations

from alembic import context

from speckitty_connectors.store.metadata import metadata
from speckitty_connectors.store.migrations import REVISION_TABLE

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,  # for the names of constraints
    version_table=REVISION_TABLE,
    version_table_schema=context.config.attributes["schema"],
)
with context.begin_transaction():
    context.run_migrations()
