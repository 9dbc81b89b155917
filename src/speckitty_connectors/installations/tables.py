"""Layer 1's tables: installations, and the resources seen through them with the history of their keys."""

from __future__ import annotations

from sqlalchemy import JSON, Boolean, Column, Index, String, Table, UniqueConstraint, text

from ..store.metadata import UtcDateTime, belongs_to, identifier, metadata, workspace_column

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

resources = Table(
    "resources",
    metadata,
    workspace_column(),
    identifier("id", primary_key=True),
    identifier("installation_id"),
    Column("kind", String, nullable=False),
    identifier("external_id"),
    identifier("key"),
    Column("url", String, nullable=False),
    identifier("parent_id"),
    Column("status", String(16), nullable=False),
    Column("archived", Boolean, nullable=False),
    Column("private", Boolean, nullable=False),
    Column("attributes", JSON, nullable=False),
    Column("first_seen", UtcDateTime, nullable=False),
    Column("last_seen", UtcDateTime, nullable=False),
    Column("key_at", UtcDateTime, nullable=False),
    Column("status_at", UtcDateTime, nullable=False),
    Column("archived_at", UtcDateTime, nullable=False),
    Column("private_at", UtcDateTime, nullable=False),
    identifier("successor_id"),
    UniqueConstraint("workspace_id", "installation_id", "kind", "external_id"),
    UniqueConstraint("workspace_id", "installation_id", "id"),
    belongs_to("installations", "installation_id"),
    Index("ix_resources_parent", "workspace_id", "installation_id", "parent_id"),
)
"""A resource under an installation, found by its immutable id.

What a provider changes has a moment of its own, so that of two tellings the later one holds in whatever order they
arrive. A row with a `successor_id` is what is left of an id that the provider replaced.
"""

resource_keys = Table(
    "resource_keys",
    metadata,
    workspace_column(),
    identifier("resource_id", primary_key=True),
    identifier("key", primary_key=True),
    identifier("folded_key"),
    Column("first_seen", UtcDateTime, nullable=False),
    Column("last_seen", UtcDateTime, nullable=False),
    belongs_to("resources", "resource_id"),
    Index(None, "workspace_id", "key"),
    Index(None, "workspace_id", "folded_key"),
)
"""Every key a resource has had; a label for people and imports, never an identity. `folded_key` is in lower case,
so that names are seen to have changed hands whatever their spelling."""
