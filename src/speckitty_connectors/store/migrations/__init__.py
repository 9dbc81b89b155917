"""Making and upgrading the tables, in the store's own database and without any configuration file."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Final

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, text

from ...errors import ConfigurationError
from ..engine import Store

SCRIPTS: Final = str(Path(__file__).parent)

UNRELEASED: Final = frozenset(f"{number:04}" for number in range(1, 11))
"""The revisions before the first release, which made these tables step by step."""

REVISION_TABLE: Final = "connectors_revision"
"""Where the revision is kept; not Alembic's usual name, which the host's own migrations may use."""

UPGRADE_SECONDS: Final = 60
"""How long an upgrade may take, waiting for another one included."""

UPGRADE_LOCK: Final = int.from_bytes(b"conectrs")
"""The key of PostgreSQL's advisory lock that lets one upgrade run at a time."""


def upgrade(store: Store) -> None:
    """Bring the tables to the latest revision; all of it or nothing, and safe beside another upgrade.

    Raises:
        ConfigurationError: the tables are of a newer version of this library, or of one before the first release.
        StoreUnavailableError: it took longer than `UPGRADE_SECONDS`.
    """
    with store.transaction(within_seconds=UPGRADE_SECONDS) as connection:
        if not store.is_sqlite:  # SQLite's transaction has the lock already
            connection.execute(text(f"SET LOCAL lock_timeout = '{UPGRADE_SECONDS}s'"))
            connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": UPGRADE_LOCK})
        _refuse_unknown(_revision(connection))
        configuration = Config(attributes={"connection": connection})
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
        return _revision(connection)


def latest() -> str:
    """Return the revision that this version needs."""
    return _revisions()[0]


def _revision(connection: Connection) -> str:
    context = MigrationContext.configure(connection, opts={"version_table": REVISION_TABLE})
    return context.get_current_revision() or ""


@cache
def _revisions() -> tuple[str, ...]:
    """Return all revisions, the latest first."""
    scripts = ScriptDirectory(SCRIPTS)
    return tuple(script.revision for script in scripts.walk_revisions())


def _refuse_unknown(found: str) -> None:
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
