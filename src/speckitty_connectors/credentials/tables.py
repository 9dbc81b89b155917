"""Apps, sealed credentials, webhook endpoints, and conversations in progress."""

from __future__ import annotations

from sqlalchemy import (
    JSON,
    BigInteger,
    Column,
    ForeignKeyConstraint,
    Index,
    Integer,
    LargeBinary,
    String,
    Table,
    UniqueConstraint,
)

from ..store.metadata import SHARED_BY_THE_OPERATOR, UtcDateTime, belongs_to, identifier, metadata, workspace_column

credentials = Table(
    "credentials",
    metadata,
    workspace_column(),
    identifier("id", primary_key=True),
    Column("provider", String, nullable=False),
    Column("host", String, nullable=False),
    Column("kind", String, nullable=False),
    Column("version", Integer, nullable=False),
    Column("key_id", String, nullable=False),
    Column("sealed", LargeBinary, nullable=False),
    Column("expires_at", UtcDateTime),
    Column("created_at", UtcDateTime, nullable=False),
    Column("updated_at", UtcDateTime, nullable=False),
    Index(None, "key_id"),
    info={SHARED_BY_THE_OPERATOR: "id IN (SELECT unnest(ARRAY[client_secret_id, private_key_id]) FROM apps)"},
)
"""Everything secret, one sealed row each; no other column of any table holds a secret."""

grants = Table(
    "grants",
    metadata,
    workspace_column(),
    identifier("credential_id", primary_key=True),
    identifier("app_id"),
    Column("redirect_uri", String, nullable=False),
    Column("condition", String(16), nullable=False),
    Column("failures", Integer, nullable=False),
    Column("intent_started_at", BigInteger),
    Column("not_before", BigInteger, nullable=False),
    ForeignKeyConstraint(
        ["workspace_id", "credential_id"], ["credentials.workspace_id", "credentials.id"], ondelete="CASCADE"
    ),
)
"""How to renew a credential that somebody granted, and the state of its renewal; deleted with its credential.

`intent_started_at` is set while a process asks the provider, and stays set if that process dies. `not_before` is
when the next process may ask. Both are milliseconds of the database's own clock, so that a process with a wrong
clock can't take another's turn.
"""

key_checks = Table(
    "key_checks",
    metadata,
    Column("key_id", String, primary_key=True),
    Column("sealed", LargeBinary, nullable=False),
)
"""A known text sealed with each key, so that a wrong key is noticed at the start."""

apps = Table(
    "apps",
    metadata,
    workspace_column(),
    identifier("id", primary_key=True),
    Column("provider", String, nullable=False),
    Column("host", String, nullable=False),
    Column("base_url", String, nullable=False),
    Column("client_id", String, nullable=False),
    Column("settings", JSON, nullable=False),
    identifier("client_secret_id"),
    identifier("private_key_id"),
    Column("created_at", UtcDateTime, nullable=False),
    UniqueConstraint("workspace_id", "provider", "host", "client_id"),
    info={SHARED_BY_THE_OPERATOR: "true"},
)
"""The developer credentials registered with one provider host; the secrets are rows of `credentials`."""

endpoints = Table(
    "endpoints",
    metadata,
    workspace_column(),
    identifier("id", primary_key=True),
    Column("provider", String, nullable=False),
    Column("host", String, nullable=False),
    identifier("app_id"),
    identifier("installation_id"),
    Column("created_at", UtcDateTime, nullable=False),
    Column("disabled_at", UtcDateTime),
    UniqueConstraint("id"),
    info={SHARED_BY_THE_OPERATOR: "true"},
)
"""Where a provider posts to: the last part of the URL, and the principal of what arrives there.

`installation_id` is empty for an app's endpoint, which serves every customer of the app.
"""

endpoint_secrets = Table(
    "endpoint_secrets",
    metadata,
    workspace_column(),
    identifier("endpoint_id", primary_key=True),
    identifier("credential_id", primary_key=True),
    Column("scheme", String, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("retires_at", UtcDateTime),
    belongs_to("endpoints", "endpoint_id"),
    belongs_to("credentials", "credential_id"),
)
"""The webhook secrets of an endpoint; several at once during a rotation."""

conversations = Table(
    "conversations",
    metadata,
    workspace_column(),
    identifier("state_digest", primary_key=True),
    Column("purpose", String, nullable=False),
    identifier("member_id"),
    identifier("session_digest"),
    Column("provider", String, nullable=False),
    Column("host", String, nullable=False),
    identifier("app_id"),
    identifier("installation_id"),
    Column("redirect_uri", String, nullable=False),
    identifier("credential_id"),
    Column("step", String, nullable=False),
    Column("remembered", JSON, nullable=False),
    identifier("code_digest"),
    Column("created_at", UtcDateTime, nullable=False),
    Column("expires_at", UtcDateTime, nullable=False),
    Column("used_at", UtcDateTime),
    UniqueConstraint("state_digest"),
    Index(None, "provider", "host", "code_digest"),
)
"""Conversations in progress. The state is stored hashed; the PKCE verifier, and a grant that waits for a
choice, are sealed in `credential_id` (empty for none). A used row is kept for a while without its
secrets, with the digest of the code that came with it, so that a second use of either can be told from a guess."""
