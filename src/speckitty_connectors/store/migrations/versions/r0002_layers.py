"""Layers one to three: installations with their resources, user links, resource mappings."""

from __future__ import annotations

from alembic import op
from sqlalchemy import Boolean, Column, ForeignKeyConstraint, Index, UniqueConstraint, text

from speckitty_connectors.store.migrations.columns import belongs_to, document, identifier, moment, words

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Make the tables of the layers, each above those that it refers to."""
    make_installations()
    make_resources()
    make_user_links()
    make_resource_mappings()


def make_installations() -> None:
    """Make layer 1's table."""
    known_account = text("account_id <> ''")
    holds_its_account = text("is_exclusive AND status NOT IN ('pending_approval', 'orphaned', 'removed')")
    op.create_table(
        "installations",
        identifier("workspace_id", primary_key=True),
        identifier("id", primary_key=True),
        words("provider"),
        words("host"),
        identifier("app_id"),
        identifier("account_id"),
        words("account_name"),
        words("account_kind"),
        words("account_url"),
        identifier("provider_installation_id"),
        words("status", 32),
        words("status_reason"),
        moment("status_at"),
        document("scopes"),
        document("defaults"),
        identifier("credential_id"),
        identifier("connected_by"),
        identifier("granted_by"),
        identifier("requester_id"),
        Column("is_exclusive", Boolean, nullable=False),
        moment("inventory_synced_at", optional=True),
        moment("account_name_at"),
        moment("scopes_at"),
        words("inventory_cursor"),
        moment("created_at"),
        moment("updated_at"),
        Index(
            "uq_installations_live_account",
            *("workspace_id", "provider", "host", "account_id"),
            unique=True,
            sqlite_where=known_account,
            postgresql_where=known_account,
        ),
        Index(
            "uq_installations_exclusive_account",
            *("provider", "host", "account_id"),
            unique=True,
            sqlite_where=holds_its_account,
            postgresql_where=holds_its_account,
        ),
        Index("ix_installations_account", "provider", "host", "account_id"),
        Index("ix_installations_account_url", "provider", "host", "account_url"),
        Index("ix_installations_provider_installation", "provider", "host", "provider_installation_id"),
    )


def make_resources() -> None:
    """Make the tables of resources and of the keys they have had."""
    op.create_table(
        "resources",
        identifier("workspace_id", primary_key=True),
        identifier("id", primary_key=True),
        identifier("installation_id"),
        words("kind"),
        identifier("external_id"),
        identifier("key"),
        words("url"),
        identifier("parent_id"),
        words("status", 16),
        Column("archived", Boolean, nullable=False),
        Column("private", Boolean, nullable=False),
        document("attributes"),
        moment("first_seen"),
        moment("last_seen"),
        moment("key_at"),
        moment("status_at"),
        moment("archived_at"),
        moment("private_at"),
        identifier("successor_id"),
        UniqueConstraint("workspace_id", "installation_id", "kind", "external_id"),
        UniqueConstraint("workspace_id", "installation_id", "id"),
        belongs_to("installations", "installation_id"),
        Index("ix_resources_parent", "workspace_id", "installation_id", "parent_id"),
    )
    op.create_table(
        "resource_keys",
        identifier("workspace_id", primary_key=True),
        identifier("resource_id", primary_key=True),
        identifier("key", primary_key=True),
        identifier("folded_key"),
        moment("first_seen"),
        moment("last_seen"),
        belongs_to("resources", "resource_id"),
        Index(None, "workspace_id", "key"),
        Index(None, "workspace_id", "folded_key"),
    )


def make_user_links() -> None:
    """Make layer 2's table."""
    op.create_table(
        "user_links",
        identifier("workspace_id", primary_key=True),
        identifier("id", primary_key=True),
        identifier("installation_id"),
        identifier("member_id"),
        words("provider"),
        words("host"),
        identifier("external_id"),
        words("external_name"),
        words("status", 32),
        words("status_reason"),
        identifier("credential_id"),
        moment("created_at"),
        moment("updated_at"),
        UniqueConstraint("workspace_id", "installation_id", "external_id"),
        UniqueConstraint("workspace_id", "installation_id", "member_id"),
        belongs_to("installations", "installation_id"),
        Index(None, "provider", "host", "external_id"),
    )


def make_resource_mappings() -> None:
    """Make layer 3's table; its three-part key refuses a resource of another installation."""
    op.create_table(
        "resource_mappings",
        identifier("workspace_id", primary_key=True),
        identifier("id", primary_key=True),
        identifier("installation_id"),
        identifier("resource_id"),
        words("target_kind"),
        identifier("target_id"),
        document("selector"),
        words("direction", 8),
        words("origin", 16),
        words("state", 16),
        words("state_reason"),
        words("created_by"),
        moment("created_at"),
        moment("updated_at"),
        UniqueConstraint("workspace_id", "resource_id", "target_kind", "target_id"),
        ForeignKeyConstraint(
            ["workspace_id", "installation_id", "resource_id"],
            ["resources.workspace_id", "resources.installation_id", "resources.id"],
        ),
        Index(None, "workspace_id", "target_kind", "target_id"),
        Index("ix_resource_mappings_installation", "workspace_id", "installation_id"),
    )
