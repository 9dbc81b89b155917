"""Every table of the first release, each below those that it refers to."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, Final

import sqlalchemy
from alembic import op
from sqlalchemy import Column, ForeignKeyConstraint, Index, String, UniqueConstraint
from sqlalchemy.schema import SchemaItem
from sqlalchemy.types import TypeEngine

from speckitty_connectors.store.metadata import DatabaseMilliseconds

revision = "2026_12"
down_revision = None

IDENTIFIER: Final = String().with_variant(String(collation="C"), "postgresql")  # compared byte for byte
TEXT: Final = String()
BYTES: Final = sqlalchemy.LargeBinary()
NUMBER: Final = sqlalchemy.Integer()
MILLISECONDS: Final = sqlalchemy.BigInteger()
TRUTH: Final = sqlalchemy.Boolean()
MOMENT: Final = sqlalchemy.DateTime(timezone=True)
DOCUMENT: Final = sqlalchemy.JSON()

HOT: Final = {
    "fillfactor": 80,
    "autovacuum_vacuum_scale_factor": 0.01,
    "autovacuum_vacuum_threshold": 500,
    "autovacuum_analyze_scale_factor": 0.02,
    "autovacuum_vacuum_cost_delay": 0,
}
"""Rows of these tables change some times each and are then left alone: PostgreSQL is to find room for the next
version on the same page, and to clear up soon, without pauses ("Storage Parameters", "Automatic Vacuuming")."""

APPEND_ONLY: Final = {
    "sqlite": (
        "CREATE TRIGGER audit_is_append_only BEFORE UPDATE ON audit"
        " BEGIN SELECT RAISE(ABORT, 'the audit is append-only'); END",
    ),
    "postgresql": (
        "CREATE FUNCTION refuse_to_change_the_audit() RETURNS trigger LANGUAGE plpgsql AS"
        " $$ BEGIN RAISE EXCEPTION 'the audit is append-only'; END $$",
        "CREATE TRIGGER audit_is_append_only BEFORE UPDATE ON audit"
        " FOR EACH ROW EXECUTE FUNCTION refuse_to_change_the_audit()",
    ),
}
"""By database: what refuses a change of an entry; whole entries may be deleted once nobody has to keep them."""


def upgrade() -> None:
    """Make the tables of each room."""
    make_audit()
    make_credentials()
    make_apps()
    make_conversations()
    make_installations()
    make_resources()
    make_user_links()
    make_mappings()
    make_signals()
    make_suggestions()
    make_policies()
    make_subscriptions()
    make_inbox()
    make_decisions()
    make_dispatches()
    make_review_queue()


def make_audit() -> None:
    """Make the record of who changed what."""
    make_table("audit", "id")(
        *columns(MOMENT, "at"),
        *columns(TEXT, "actor", "verb", "entity"),
        *columns(IDENTIFIER, "entity_id"),
        *columns(TEXT, "reason"),
        *columns(DOCUMENT, "before", "after"),
        Index(None, "workspace_id", "entity", "entity_id"),
    )
    for statement in APPEND_ONLY[op.get_bind().dialect.name]:
        op.execute(statement)


def make_credentials() -> None:
    """Make the tables of sealed credentials, of how their renewal stands, and of key checks."""
    make_table("credentials", "id")(
        *columns(TEXT, "provider", "host", "kind"),
        *columns(NUMBER, "version"),
        *columns(TEXT, "key_id"),
        *columns(BYTES, "sealed"),
        *columns(MOMENT, "expires_at", nullable=True),
        *columns(MOMENT, "created_at", "updated_at"),
        Index(None, "key_id"),
    )
    make_table("grants", "credential_id")(
        *columns(IDENTIFIER, "app_id"),
        *columns(TEXT, "redirect_uri"),
        *columns(String(16), "condition"),
        *columns(NUMBER, "failures"),
        *columns(MILLISECONDS, "intent_started_at", nullable=True),
        *columns(MILLISECONDS, "not_before"),
        belongs_to("credentials", "credential_id", ondelete="CASCADE"),
    )
    op.create_table("key_checks", *columns(TEXT, "key_id", primary_key=True), *columns(BYTES, "sealed"))


def make_apps() -> None:
    """Make the tables of registered apps, and of the endpoints of webhooks with their secrets."""
    make_table("apps", "id")(
        *columns(TEXT, "provider", "host", "base_url", "client_id"),
        *columns(DOCUMENT, "settings"),
        *columns(IDENTIFIER, "client_secret_id", "private_key_id"),
        *columns(MOMENT, "created_at"),
        UniqueConstraint("workspace_id", "provider", "host", "client_id"),
    )
    make_table("endpoints", "id")(
        *columns(TEXT, "provider", "host"),
        *columns(IDENTIFIER, "app_id", "installation_id"),
        *columns(MOMENT, "created_at"),
        *columns(MOMENT, "disabled_at", nullable=True),
        UniqueConstraint("id"),
    )
    make_table("endpoint_secrets", "endpoint_id", "credential_id")(
        *columns(TEXT, "scheme"),
        *columns(MOMENT, "created_at"),
        *columns(MOMENT, "retires_at", nullable=True),
        belongs_to("endpoints", "endpoint_id"),
        belongs_to("credentials", "credential_id"),
    )


def make_conversations() -> None:
    """Make the table of connections and links under way."""
    make_table("conversations", "state_digest")(
        *columns(TEXT, "purpose"),
        *columns(IDENTIFIER, "member_id", "session_digest"),
        *columns(TEXT, "provider", "host"),
        *columns(IDENTIFIER, "app_id", "installation_id"),
        *columns(TEXT, "redirect_uri"),
        *columns(IDENTIFIER, "credential_id"),
        *columns(TEXT, "step"),
        *columns(DOCUMENT, "remembered"),
        *columns(IDENTIFIER, "code_digest"),
        *columns(MOMENT, "created_at", "expires_at"),
        *columns(MOMENT, "used_at", nullable=True),
        UniqueConstraint("state_digest"),
        Index(None, "provider", "host", "code_digest"),
    )


def make_installations() -> None:
    """Make layer 1's table."""
    account = ("provider", "host", "account_id")
    holds_its_account = "is_exclusive AND status NOT IN ('pending_approval', 'orphaned', 'removed')"
    make_table("installations", "id")(
        *columns(TEXT, "provider", "host"),
        *columns(IDENTIFIER, "app_id", "account_id"),
        *columns(TEXT, "account_name", "account_kind", "account_url"),
        *columns(IDENTIFIER, "provider_installation_id"),
        *columns(String(32), "status"),
        *columns(TEXT, "status_reason"),
        *columns(MOMENT, "status_at"),
        *columns(DOCUMENT, "scopes", "defaults"),
        *columns(IDENTIFIER, "credential_id", "connected_by", "granted_by", "requester_id"),
        *columns(TRUTH, "is_exclusive"),
        *columns(MOMENT, "inventory_synced_at", nullable=True),
        *columns(MOMENT, "account_name_at", "scopes_at"),
        *columns(TEXT, "inventory_cursor"),
        *columns(MOMENT, "created_at", "updated_at"),
        partial_index(
            "uq_installations_live_account", "workspace_id", *account, unique=True, where="account_id <> ''"
        ),
        partial_index("uq_installations_exclusive_account", *account, unique=True, where=holds_its_account),
        Index("ix_installations_account", *account),
        Index("ix_installations_account_url", "provider", "host", "account_url"),
        Index("ix_installations_provider_installation", "provider", "host", "provider_installation_id"),
    )


def make_resources() -> None:
    """Make the tables of resources and of the keys they have had."""
    make_table("resources", "id")(
        *columns(IDENTIFIER, "installation_id"),
        *columns(TEXT, "kind"),
        *columns(IDENTIFIER, "external_id", "key"),
        *columns(TEXT, "url"),
        *columns(IDENTIFIER, "parent_id"),
        *columns(String(16), "status"),
        *columns(TRUTH, "archived", "private"),
        *columns(DOCUMENT, "attributes"),
        *columns(MOMENT, "first_seen", "last_seen", "key_at", "status_at", "archived_at", "private_at"),
        *columns(MOMENT, "missed_at", nullable=True),
        *columns(IDENTIFIER, "successor_id"),
        UniqueConstraint("workspace_id", "installation_id", "kind", "external_id"),
        UniqueConstraint("workspace_id", "installation_id", "id"),
        belongs_to("installations", "installation_id"),
        Index("ix_resources_parent", "workspace_id", "installation_id", "parent_id"),
    )
    make_table("resource_keys", "resource_id", "key")(
        *columns(IDENTIFIER, "folded_key"),
        *columns(MOMENT, "first_seen", "last_seen"),
        belongs_to("resources", "resource_id"),
        Index(None, "workspace_id", "key"),
        Index(None, "workspace_id", "folded_key"),
    )


def make_user_links() -> None:
    """Make layer 2's table."""
    make_table("user_links", "id")(
        *columns(IDENTIFIER, "installation_id", "member_id"),
        *columns(TEXT, "provider", "host"),
        *columns(IDENTIFIER, "external_id"),
        *columns(TEXT, "external_name"),
        *columns(String(32), "status"),
        *columns(TEXT, "status_reason"),
        *columns(IDENTIFIER, "credential_id"),
        *columns(MOMENT, "created_at", "updated_at"),
        UniqueConstraint("workspace_id", "installation_id", "external_id"),
        UniqueConstraint("workspace_id", "installation_id", "member_id"),
        belongs_to("installations", "installation_id"),
        Index(None, "provider", "host", "external_id"),
    )


def make_mappings() -> None:
    """Make layer 3's table; its three-part key refuses a resource of another installation."""
    make_table("resource_mappings", "id")(
        *columns(IDENTIFIER, "installation_id", "resource_id"),
        *columns(TEXT, "target_kind"),
        *columns(IDENTIFIER, "target_id"),
        *columns(DOCUMENT, "selector"),
        *columns(String(8), "direction"),
        *columns(String(16), "origin", "state"),
        *columns(TEXT, "state_reason", "created_by"),
        *columns(MOMENT, "created_at", "updated_at"),
        UniqueConstraint("workspace_id", "resource_id", "target_kind", "target_id"),
        belongs_to("resources", "installation_id", "resource_id"),
        Index(None, "workspace_id", "target_kind", "target_id"),
        Index("ix_resource_mappings_installation", "workspace_id", "installation_id"),
    )


def make_signals() -> None:
    """Make the table of what was observed of projects."""
    make_table("signals", "project_id", "kind", "value")(
        *columns(TEXT, "label"),
        *columns(MOMENT, "first_seen", "last_seen"),
        Index("ix_signals_value", "workspace_id", "kind", "value", "project_id"),
        Index("ix_signals_last_seen", "workspace_id", "last_seen"),
    )


def make_suggestions() -> None:
    """Make the tables of suggestions, and of the workspaces that want the best of them to be followed at once."""
    make_table("suggestions", "id")(
        *columns(IDENTIFIER, "installation_id", "resource_id"),
        *columns(TEXT, "target_kind"),
        *columns(IDENTIFIER, "target_id"),
        *columns(String(8), "confidence"),
        *columns(String(16), "state", "source"),
        *columns(DOCUMENT, "evidence", "grounds"),
        *columns(IDENTIFIER, "mapping_id"),
        *columns(TEXT, "decided_by", "reason"),
        *columns(MOMENT, "created_at", "updated_at", "found_at"),
        UniqueConstraint("workspace_id", "resource_id", "target_kind", "target_id"),
        belongs_to("resources", "installation_id", "resource_id"),
        Index("ix_suggestions_state", "workspace_id", "installation_id", "state"),
    )
    make_table("suggestion_settings")(
        *columns(TRUTH, "automatic"),
        *columns(TEXT, "changed_by"),
        *columns(MOMENT, "changed_at"),
    )


def make_policies() -> None:
    """Make layer 4's tables: what a workspace, an installation or a project states of a provider's fields."""
    make_policy_table("workspace_policies", "provider")
    make_policy_table("installation_policies", "installation_id", belongs_to("installations", "installation_id"))
    make_policy_table("project_policies", "provider", *columns(IDENTIFIER, "project_id", primary_key=True))


def make_policy_table(name: str, owner: str, *others: SchemaItem) -> None:
    """Make the table of one level."""
    make_table(name, owner)(
        *others,
        *columns(IDENTIFIER, "field", primary_key=True),
        *columns(DOCUMENT, "value"),
        *columns(TEXT, "set_by"),
        *columns(MOMENT, "set_at", nullable=True),
        *columns(TEXT, "locked_by"),
        *columns(MOMENT, "locked_at", nullable=True),
    )


def make_subscriptions() -> None:
    """Make the table of the webhooks that installations have registered."""
    make_table("webhooks", "id")(
        *columns(IDENTIFIER, "installation_id", "endpoint_id"),
        *columns(String(16), "scope"),
        *columns(IDENTIFIER, "covers"),
        *columns(DOCUMENT, "resources"),
        *columns(IDENTIFIER, "registration"),
        *columns(TEXT, "scheme", "fault"),
        *columns(MOMENT, "expires_at", "due_at", nullable=True),
        *columns(MOMENT, "created_at"),
        *columns(MOMENT, "missed_at", nullable=True),
        UniqueConstraint("workspace_id", "installation_id", "covers"),
        belongs_to("installations", "installation_id"),
        Index(None, "workspace_id", "endpoint_id"),
        Index(None, "due_at"),
    )


def make_inbox() -> None:
    """Make the tables of deliveries: what workers claim, and apart from it the bodies."""
    make_table("inbox", "id", postgresql_with=HOT)(
        *columns(IDENTIFIER, "endpoint_id", "installation_id"),
        *columns(TEXT, "provider", "host"),
        *columns(IDENTIFIER, "delivery_id"),
        *columns(TEXT, "kind"),
        *columns(sqlalchemy.LargeBinary(32), "body_digest"),
        *columns(TEXT, "secret_id"),
        *columns(MOMENT, "received_at"),
        *columns(String(16), "outcome", server_default=""),
        *columns(TEXT, "outcome_reason", server_default=""),
        *claim_columns(),
        UniqueConstraint("endpoint_id", "delivery_id"),
        Index("ix_inbox_digest", "endpoint_id", "body_digest"),
    )
    make_table("inbox_bodies", "inbox_id")(
        *columns(DOCUMENT, "headers"),
        *columns(TEXT, "content_type"),
        *columns(BYTES, "body"),
        belongs_to("inbox", "inbox_id"),
    )


def make_decisions() -> None:
    """Make the table of what the router concluded."""
    make_table("decisions", "id")(
        *columns(IDENTIFIER, "inbox_id", "installation_id"),
        *columns(String(16), "stage"),
        *columns(TEXT, "rule"),
        *columns(DOCUMENT, "outcome", "targets", "evidence"),
        *columns(MOMENT, "decided_at"),
        UniqueConstraint("workspace_id", "inbox_id", "installation_id"),
        Index(None, "inbox_id"),
    )


def make_dispatches() -> None:
    """Make the table of what is to be handed to the host."""
    make_table("dispatches", "id", postgresql_with=HOT)(
        *columns(IDENTIFIER, "decision_id", "mapping_id"),
        *columns(TEXT, "target_kind"),
        *columns(IDENTIFIER, "target_id", "effect_key"),
        *columns(MOMENT, "created_at"),
        *columns(MOMENT, "finished_at", nullable=True),
        *claim_columns(),
        UniqueConstraint("workspace_id", "decision_id", "target_kind", "target_id"),
        UniqueConstraint("effect_key"),
        belongs_to("decisions", "decision_id"),
    )


def make_review_queue() -> None:
    """Make the tables of what waits for a person, why, and what nobody wants to be asked about."""
    make_table("review_items", "id")(
        *columns(IDENTIFIER, "installation_id"),
        *columns(TEXT, "provider", "host", "resource_kind"),
        *columns(IDENTIFIER, "resource_id"),
        *columns(TEXT, "resource_key"),
        *columns(String(16), "state"),
        *columns(TEXT, "state_reason"),
        *columns(MOMENT, "snoozed_until", nullable=True),
        *columns(NUMBER, "count", "held"),
        *columns(DOCUMENT, "candidates"),
        *columns(MOMENT, "first_seen", "last_seen"),
        UniqueConstraint("workspace_id", "installation_id", "provider", "host", "resource_kind", "resource_id"),
        Index("ix_review_items_waiting", "workspace_id", "state", "last_seen"),
    )
    make_table("review_events", "item_id", "decision_id")(
        belongs_to("review_items", "item_id"),
        belongs_to("decisions", "decision_id"),
    )
    make_table("review_reasons", "item_id")(
        *columns(String(32), "reason", primary_key=True),
        *columns(NUMBER, "count"),
        *columns(MOMENT, "first_seen", "last_seen"),
        belongs_to("review_items", "item_id"),
    )
    make_table("ignore_rules", "id")(
        *columns(DOCUMENT, "conditions"),
        *columns(TEXT, "note", "created_by"),
        *columns(MOMENT, "created_at"),
    )


def make_table(name: str, *key: str, **options: Any) -> Callable[..., object]:
    """Return what makes a table of rows that belong to workspaces, of its other columns and constraints."""
    return partial(op.create_table, name, *columns(IDENTIFIER, "workspace_id", *key, primary_key=True), **options)


def columns(kind: TypeEngine[Any], *names: str, nullable: bool = False, **options: Any) -> Iterator[Column[Any]]:
    """Return columns of one type."""
    return (Column(name, kind, nullable=nullable, **options) for name in names)


def claim_columns() -> Iterator[SchemaItem]:
    """Yield the columns of rows that workers claim, and the indexes by which they find them."""
    yield from columns(String(16), "state", server_default="pending")
    yield from columns(NUMBER, "attempts", "crashes", "generation", server_default="0")
    yield from columns(TEXT, "worker", server_default="")
    yield from columns(MILLISECONDS, "not_before", server_default=DatabaseMilliseconds())
    yield from columns(MILLISECONDS, "leased_until", "failing_since", server_default="0")
    yield from columns(TEXT, "last_error", server_default="")
    yield partial_index(None, "workspace_id", "not_before", "id", where="state = 'pending'")
    yield partial_index(None, "leased_until", where="state = 'running'")


def partial_index(name: str | None, *names: str, where: str, unique: bool = False) -> Index:
    """Return an index of the rows that a condition holds for."""
    condition = sqlalchemy.text(where)
    return Index(name, *names, unique=unique, sqlite_where=condition, postgresql_where=condition)


def belongs_to(table: str, *names: str, **options: Any) -> ForeignKeyConstraint:
    """Return the composite key by which SQL itself refuses another workspace's row; the last column is an id."""
    referred = ["workspace_id", *names[:-1], "id"]
    return ForeignKeyConstraint(["workspace_id", *names], [f"{table}.{name}" for name in referred], **options)
