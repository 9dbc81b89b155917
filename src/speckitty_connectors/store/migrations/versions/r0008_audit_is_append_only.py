"""SQL itself refuses to change an entry of the audit; whole entries may be deleted once nobody has to keep them."""

from __future__ import annotations

from alembic import op

revision = "0008"
down_revision = "0007"

ON_SQLITE = """
CREATE TRIGGER audit_is_append_only BEFORE UPDATE ON audit
BEGIN SELECT RAISE(ABORT, 'the audit is append-only'); END
"""

ON_POSTGRESQL = (
    """
    CREATE FUNCTION refuse_to_change_the_audit() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN RAISE EXCEPTION 'the audit is append-only'; END $$
    """,
    """
    CREATE TRIGGER audit_is_append_only BEFORE UPDATE ON audit
    FOR EACH ROW EXECUTE FUNCTION refuse_to_change_the_audit()
    """,
)


def upgrade() -> None:
    """Make the trigger."""
    on_postgresql = op.get_bind().dialect.name == "postgresql"
    for statement in ON_POSTGRESQL if on_postgresql else (ON_SQLITE,):
        op.execute(statement)
