"""Layer 1's tables: installations, and the resources seen through them with the history of their keys."""

from __future__ import annotations

from sqlalchemy import JSON, Boolean, Column, Index, String, Table, text

from ..store.metadata import UtcDateTime, identifier, metadata, workspace_column

HOLDS_ITS_ACCOUNT = text("is_exclusive AND status NOT IN ('pending_approval', 'orphaned', 'removed')")
"""The rows of which there is one an account, over all workspaces: SQL itself decides who is first."""

installations = Table(
    "installations",
    metadata,
    workspace_column(),
    identifier("id", primary_key=True),
    Column("provider", String, nullable=False),
    Column("host", String, nullable=False),
    identifier("app_id"),
    identifier("account_id"),
    Column("account_name", String, nullable=False),
    Column("account_kind", String, nullable=False),
    Column("account_url", String, nullable=False),
    identifier("provider_installation_id"),
    Column("status", String(32), nullable=False),
    Column("status_reason", String, nullable=False),
    Column("status_at", UtcDateTime, nullable=False),
    Column("scopes", JSON, nullable=False),
    Column("defaults", JSON, nullable=False),
    identifier("credential_id"),
    identifier("connected_by"),
    identifier("granted_by"),
    identifier("requester_id"),
    Column("is_exclusive", Boolean, nullable=False),
    Column("inventory_synced_at", UtcDateTime),
    Column("account_name_at", UtcDateTime, nullable=False),
    Column("scopes_at", UtcDateTime, nullable=False),
    Column("inventory_cursor", String, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("updated_at", UtcDateTime, nullable=False),
    Index(
        "uq_installations_live_account",
        "workspace_id",
        "provider",
        "host",
        "account_id",
        unique=True,
        sqlite_where=text("account_id <> ''"),
        postgresql_where=text("account_id <> ''"),
    ),
    Index(
        "uq_installations_exclusive_account",
        "provider",
        "host",
        "account_id",
        unique=True,
        sqlite_where=HOLDS_ITS_ACCOUNT,
        postgresql_where=HOLDS_ITS_ACCOUNT,
    ),
    Index("ix_installations_account", "provider", "host", "account_id"),
    Index("ix_installations_account_url", "provider", "host", "account_url"),
    Index("ix_installations_provider_installation", "provider", "host", "provider_installation_id"),
)
"""A workspace connected to an account. One row per (workspace, account): a re-install revives it.

`provider_installation_id` and `credential_id` are empty where there is none; `account_id` is empty only
while an approval is pending and the account isn't known. `status_at` is the provider's moment of the last
change of status, so that an older delivery that comes late undoes nothing. `inventory_synced_at` is when the
resources were last listed to the end; NULL when never, or when a change since then asks for a new listing;
`inventory_cursor` is how far a listing came that didn't reach the end.
"""
