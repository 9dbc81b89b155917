"""The inbox: the hot row that workers claim, and the body apart from it so that the hot table stays small."""

from __future__ import annotations

from sqlalchemy import JSON, Column, Index, LargeBinary, String, Table, UniqueConstraint

from ..store.metadata import (
    SHARED_BY_THE_OPERATOR,
    UtcDateTime,
    belongs_to,
    claim_columns,
    identifier,
    metadata,
    workspace_column,
)

inbox = Table(
    "inbox",
    metadata,
    workspace_column(),
    identifier("id", primary_key=True),
    identifier("endpoint_id"),
    identifier("installation_id"),
    Column("provider", String, nullable=False),
    Column("host", String, nullable=False),
    identifier("delivery_id"),
    Column("kind", String, nullable=False),
    Column("body_digest", LargeBinary(32), nullable=False),
    Column("secret_id", String, nullable=False),
    Column("received_at", UtcDateTime, nullable=False),
    Column("outcome", String(16), nullable=False, server_default=""),
    Column("outcome_reason", String, nullable=False, server_default=""),
    *claim_columns(),
    UniqueConstraint("endpoint_id", "delivery_id"),
    Index("ix_inbox_digest", "endpoint_id", "body_digest"),
    info={SHARED_BY_THE_OPERATOR: "EXISTS (SELECT FROM decisions WHERE decisions.inbox_id = inbox.id)"},
)
"""An accepted delivery. `endpoint_id` is its principal; `workspace_id` is the endpoint's, which is the
operator's for an app that serves every customer. `outcome` is empty until routed, then one of ``event``,
``lifecycle``, ``handshake``, ``ignored``; `outcome_reason` says why it is ignored, or why a person must look."""

inbox_bodies = Table(
    "inbox_bodies",
    metadata,
    workspace_column(),
    identifier("inbox_id", primary_key=True),
    Column("headers", JSON, nullable=False),
    Column("content_type", String, nullable=False),
    Column("body", LargeBinary, nullable=False),
    belongs_to("inbox", "inbox_id"),
)
"""The raw bytes of a delivery, and the headers that the manifest asked to keep."""
