"""Apps, credentials, end points, conversations, and the audit."""

from __future__ import annotations

from alembic import op
from sqlalchemy import Column, Index, Integer, UniqueConstraint

from speckitty_connectors.store.migrations.columns import belongs_to, document, identifier, moment, raw, words

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Make what needs no installation."""
    make_credentials()
    make_apps()
    make_endpoints()
    make_conversations()
    make_audit()


def make_credentials() -> None:
    """Make the tables of sealed credentials and of key checks."""
    op.create_table(
        "credentials",
        identifier("workspace_id", primary_key=True),
        identifier("id", primary_key=True),
        words("provider"),
        words("host"),
        words("kind"),
        Column("version", Integer, nullable=False),
        words("key_id"),
        raw("sealed"),
        moment("expires_at", optional=True),
        moment("created_at"),
        moment("updated_at"),
        Index(None, "key_id"),
    )
    op.create_table("key_checks", words("key_id", primary_key=True), raw("sealed"))


def make_apps() -> None:
    """Make the table of registered apps."""
    op.create_table(
        "apps",
        identifier("workspace_id", primary_key=True),
        identifier("id", primary_key=True),
        words("provider"),
        words("host"),
        words("base_url"),
        words("client_id"),
        document("settings"),
        identifier("client_secret_id"),
        identifier("private_key_id"),
        moment("created_at"),
        UniqueConstraint("workspace_id", "provider", "host", "client_id"),
    )


def make_endpoints() -> None:
    """Make the tables of webhook end points and their secrets."""
    op.create_table(
        "endpoints",
        identifier("workspace_id", primary_key=True),
        identifier("id", primary_key=True),
        words("provider"),
        words("host"),
        identifier("app_id"),
        identifier("installation_id"),
        moment("created_at"),
        moment("disabled_at", optional=True),
        UniqueConstraint("id"),
    )
    op.create_table(
        "endpoint_secrets",
        identifier("workspace_id", primary_key=True),
        identifier("endpoint_id", primary_key=True),
        identifier("credential_id", primary_key=True),
        words("scheme"),
        moment("created_at"),
        moment("retires_at", optional=True),
        belongs_to("endpoints", "endpoint_id"),
        belongs_to("credentials", "credential_id"),
    )


def make_conversations() -> None:
    """Make the table of connections and links under way."""
    op.create_table(
        "conversations",
        identifier("workspace_id", primary_key=True),
        identifier("state_digest", primary_key=True),
        words("purpose"),
        identifier("member_id"),
        identifier("session_digest"),
        words("provider"),
        words("host"),
        identifier("app_id"),
        identifier("installation_id"),
        words("redirect_uri"),
        identifier("credential_id"),
        words("step"),
        document("remembered"),
        identifier("code_digest"),
        moment("created_at"),
        moment("expires_at"),
        moment("used_at", optional=True),
        UniqueConstraint("state_digest"),
        Index(None, "provider", "host", "code_digest"),
    )


def make_audit() -> None:
    """Make the record of who changed what."""
    op.create_table(
        "audit",
        identifier("workspace_id", primary_key=True),
        identifier("id", primary_key=True),
        moment("at"),
        words("actor"),
        words("verb"),
        words("entity"),
        identifier("entity_id"),
        words("reason"),
        document("before"),
        document("after"),
        Index(None, "workspace_id", "entity", "entity_id"),
    )
