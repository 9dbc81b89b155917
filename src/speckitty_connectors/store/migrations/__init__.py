"""Making and upgrading the tables, in the store's own database and without any configuration file."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Final

from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, inspect, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.schema import CreateSchema

from ...errors import ConfigurationError
from ..engine import Store
from ..metadata import metadata

SCRIPTS: Final = str(Path(__file__).parent)

UNRELEASED: Final = frozenset(f"{number:04}" for number in range(1, 11))
"""The revisions before the first release, which made these tables step by step."""

REVISION_TABLE: Final = "connectors_revision"
"""Where the revision is kept; not Alembic's usual name, which the host's own migrations may use."""

UPGRADE_SECONDS: Final = 60
"""How long an upgrade may take, waiting for another one included."""

TAKEN: Final = {"42P07", "42710", "42723"}
"""A table or index, another object, or a function of that name is there (PostgreSQL, "Error Codes")."""

TAKEN_IN_SQLITE: Final = "already exists"

UPGRADE_LOCK: Final = int.from_bytes(b"conectrs")
"""The key of PostgreSQL's advisory lock that lets one upgrade run at a time."""


def upgrade(store: Store) -> None:
    """Bring the tables to the latest revision; all of it or nothing, and safe beside another upgrade.

    Raises:
        ConfigurationError: the tables are of a newer version of this library, or of one before the first release;
            or the host has a table of its own under a name of ours.
        StoreUnavailableError: it took longer than `UPGRADE_SECONDS`.
    """
    with store.transaction(within_seconds=UPGRADE_SECONDS) as connection, _names_are_free(store):
        if not store.is_sqlite:  # SQLite's transaction has the lock already
            connection.execute(text(f"SET LOCAL lock_timeout = '{UPGRADE_SECONDS}s'"))
            connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": UPGRADE_LOCK})
        if store.schema and not inspect(connection).has_schema(store.schema):
            connection.execute(CreateSchema(store.schema))
        _refuse_unknown(_context(connection, store, schema=store.schema or None).get_current_revision())
        configuration = Config(attributes={"connection": connection, "schema": store.schema or None})
        configuration.set_main_option("script_location", SCRIPTS)
        configuration.set_main_option("path_separator", "os")
        command.upgrade(configuration, "head")


def check(store: Store) -> None:
    """Refuse tables that this version can't work with.

    Raises:
        ConfigurationError: an upgrade is pending, or the tables are of another version that none leads from.
    """
    found = current(store)
    _refuse_unknown(found)
    if found != latest():
        raise ConfigurationError(
            "the tables are missing or out of date",
            subject=f"database at revision {found or 'none'}, {latest()} is needed",
            remedy="run 'speckitty-connectors db upgrade'",
        )


def current(store: Store) -> str:
    """Return the revision of the tables; empty when there are none."""
    with store.reading() as connection:
        return _context(connection, store, schema=store.schema or None).get_current_revision() or ""


def differences(store: Store) -> Sequence[object]:
    """Return what is other in the database than in the code, as Alembic tells it; nothing after an upgrade."""
    with store.reading() as connection:
        connection.execution_options(schema_translate_map=None)  # neither side names the schema
        found: Sequence[object] = compare_metadata(_context(connection, store, schema=None), metadata)
        return found


def latest() -> str:
    """Return the revision that this version needs."""
    return _revisions()[0]


def _context(connection: Connection, store: Store, *, schema: str | None) -> MigrationContext:
    """Look for tables where the setting `schema` says, until the end of the transaction.

    Args:
        connection: the transaction.
        store: whose tables.
        schema: what the table of the revision is qualified with, so that no other is taken for it.
    """
    if store.schema:
        connection.execute(text("SELECT set_config('search_path', :schema, true)"), {"schema": store.schema})
    options = {"version_table": REVISION_TABLE, "version_table_schema": schema, "compare_type": True}
    return MigrationContext.configure(connection, opts=options)


@contextmanager
def _names_are_free(store: Store) -> Iterator[None]:
    try:
        yield
    except DBAPIError as error:
        says = str(error.orig).partition("\n")[0]
        if getattr(error.orig, "sqlstate", None) not in TAKEN and not (store.is_sqlite and TAKEN_IN_SQLITE in says):
            raise
        raise ConfigurationError(
            f"the database has something of its own under a name of ours: {says}",
            subject="setting database_url" if store.is_sqlite else "setting schema",
            remedy="give the connectors a file of their own"
            if store.is_sqlite
            else "name a schema for the connectors' tables alone, such as 'connectors'",
        ) from error


@cache
def _revisions() -> tuple[str, ...]:
    """Return all revisions, the latest first."""
    scripts = ScriptDirectory(SCRIPTS)
    return tuple(script.revision for script in scripts.walk_revisions())


def _refuse_unknown(found: str | None) -> None:
    if not found or found in _revisions():
        return
    unreleased = found in UNRELEASED
    raise ConfigurationError(
        f"the tables are of {'an unreleased' if unreleased else 'a newer'} version of this library",
        subject=f"database at revision {found}, {latest()} is the latest known",
        remedy="make a new database, and run 'speckitty-connectors db upgrade' for it"
        if unreleased
        else "install that version of speckitty-connectors again",
    )
