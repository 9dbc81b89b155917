"""The script that sets up PostgreSQL's row-level security, generated from the tables."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from sqlalchemy import Table

from ..errors import ConfigurationError
from .confinement import WORKSPACE_SETTING
from .engine import PLAIN_NAME
from .metadata import ADDED_FOR_THE_OPERATOR, OPERATOR, SHARED_BY_THE_OPERATOR, metadata

OWN: Final = f"workspace_id = NULLIF(current_setting('{WORKSPACE_SETTING}', true), '')"
"""Which rows are seen. Without a workspace none are: the setting is empty after a transaction that had one."""

SCHEMA: Final = """\
SET LOCAL search_path TO "{schema}";
"""

ROLE: Final = """\
DO $$ BEGIN
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = '{role}') THEN CREATE ROLE {role} NOLOGIN; END IF;
    EXECUTE format('GRANT USAGE ON SCHEMA %I TO {role}', current_schema());
END $$;
GRANT {role} TO {operators};
"""

TABLE: Final = """\
ALTER TABLE {table} ENABLE ROW LEVEL SECURITY;
ALTER TABLE {table} FORCE ROW LEVEL SECURITY;
GRANT SELECT, INSERT, UPDATE, DELETE ON {table} TO {role};
DROP POLICY IF EXISTS every_workspace ON {table};
CREATE POLICY every_workspace ON {table} TO {operators} USING (true) WITH CHECK (true);
DROP POLICY IF EXISTS own_workspace ON {table};
CREATE POLICY own_workspace ON {table} TO {role} USING ({own}) WITH CHECK ({own});
DROP POLICY IF EXISTS shared_by_the_operator ON {table};
DROP POLICY IF EXISTS added_for_the_operator ON {table};
"""

SHARED: Final = """\
CREATE POLICY shared_by_the_operator ON {table} FOR SELECT TO {role}
    USING (workspace_id = '{operator}' AND ({rows}));
"""

ADDED: Final = """\
CREATE POLICY added_for_the_operator ON {table} FOR INSERT TO {role} WITH CHECK (workspace_id = '{operator}');
"""


def confined_tables() -> list[Table]:
    """Return the tables whose rows belong to workspaces: all but those of the library's own set-up."""
    return [table for table in metadata.sorted_tables if "workspace_id" in table.columns]


def row_level_security(*, role: str, sign_in_role: str = "", schema: str = "") -> str:
    """Return the script; it can be run again at any time, and must be after an upgrade that adds tables.

    >>> script = row_level_security(role="connectors_workspace")
    >>> "CREATE ROLE connectors_workspace NOLOGIN" in script
    True

    Args:
        role: the role that confined transactions run as; created if it is missing.
        sign_in_role: the role that the application signs in with, if another one owns the tables.
        schema: where the tables are: the setting of that name.

    Raises:
        ConfigurationError: the name of a role or of the schema has other characters than `PLAIN_NAME` allows.
    """
    for name in (role, sign_in_role or role, schema or role):
        if not PLAIN_NAME.fullmatch(name):
            raise ConfigurationError(
                f"{name!r} isn't a plain name of a role or a schema",
                subject="row-level security",
                remedy="use lower-case letters, digits and underscores",
            )
    operators = f"CURRENT_USER, {sign_in_role}" if sign_in_role else "CURRENT_USER"
    place = [SCHEMA.format(schema=schema)] if schema else []
    return "\n".join(["BEGIN;", *place, *_statements(role, operators), "COMMIT;", ""])


def _statements(role: str, operators: str) -> Iterator[str]:
    yield ROLE.format(role=role, operators=operators)
    for table in confined_tables():
        statement = TABLE.format(table=table.name, role=role, operators=operators, own=OWN)
        if rows := table.info.get(SHARED_BY_THE_OPERATOR):
            statement += SHARED.format(table=table.name, role=role, operator=OPERATOR, rows=rows)
        if table.info.get(ADDED_FOR_THE_OPERATOR):
            statement += ADDED.format(table=table.name, role=role, operator=OPERATOR)
        yield statement
