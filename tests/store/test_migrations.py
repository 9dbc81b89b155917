"""Migrations on both databases: the tables they make, their order, and what they refuse."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator, Mapping
from importlib import import_module
from pathlib import Path

import pytest
from sqlalchemy import inspect, text
from sqlalchemy.engine.interfaces import ReflectedIndex

import speckitty_connectors
from speckitty_connectors.errors import ConfigurationError
from speckitty_connectors.store import migrations
from speckitty_connectors.store.engine import Store
from speckitty_connectors.store.metadata import metadata
from testbed.postgresql import execute

UPGRADE = """
import sys
from speckitty_connectors.store import engine, migrations
store = engine.Store(sys.argv[1])
print("ready", flush=True)
sys.stdin.readline()
migrations.upgrade(store)
print(migrations.current(store))
store.close()
"""


@pytest.fixture(params=["sqlite", "postgresql"])
def empty_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of a database without tables."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'empty.db'}"
    url: str = request.getfixturevalue("empty_postgresql_url")
    return url


@pytest.fixture
def empty_store(empty_url: str) -> Iterator[Store]:
    """A store without tables."""
    opened = Store(empty_url)
    yield opened
    opened.close()


@pytest.fixture(scope="module", autouse=True)
def _all_tables() -> None:
    """Know every table of the library, not only those that another test has imported."""
    import_module("speckitty_connectors.store.audit")
    for path in Path(speckitty_connectors.__file__).parent.glob("*/tables.py"):
        import_module(f"speckitty_connectors.{path.parent.name}.tables")


def describe_index(index: ReflectedIndex) -> str:
    """Return an index with the words of its condition."""
    conditions = [str(condition) for condition in index.get("dialect_options", {}).values()]
    return repr((index["name"], index["column_names"], index["unique"], conditions))


def describe(store: Store) -> Mapping[str, object]:
    """Return all that the database says of each table, in a form to compare."""
    with store.reading() as connection:
        inspector = inspect(connection)
        return {
            name: {
                "columns": {column["name"]: repr(column) for column in inspector.get_columns(name)},
                "primary key": inspector.get_pk_constraint(name),
                "foreign keys": sorted(map(repr, inspector.get_foreign_keys(name))),
                "unique": sorted(map(repr, inspector.get_unique_constraints(name))),
                "indexes": sorted(map(describe_index, inspector.get_indexes(name))),
                "checks": sorted(map(repr, inspector.get_check_constraints(name))),
            }
            for name in inspector.get_table_names()
            if name != migrations.REVISION_TABLE
        }


TRIGGERS = {
    "sqlite": "SELECT tbl_name, name, sql FROM sqlite_master WHERE type = 'trigger'",
    "postgresql": "SELECT tgrelid::regclass::text, tgname, pg_get_triggerdef(pg_trigger.oid) || prosrc"
    " FROM pg_trigger JOIN pg_proc ON pg_proc.oid = tgfoid WHERE NOT tgisinternal",
}
"""By database: each trigger with its table, its name, and all that it does."""


def test_the_audit_alone_has_a_trigger(empty_store: Store) -> None:
    """Both databases get one trigger, before each update of the audit, and nothing but the refusal is in it."""
    migrations.upgrade(empty_store)
    with empty_store.reading() as connection:
        found = connection.execute(text(TRIGGERS[empty_store.engine.dialect.name])).all()
    assert [tuple(row)[:2] for row in found] == [("audit", "audit_is_append_only")]
    assert "BEFORE UPDATE ON" in found[0][2]
    assert "the audit is append-only" in found[0][2]


def test_migrated_tables_have_no_difference_to_the_code(empty_store: Store) -> None:
    """Alembic finds nothing to add, remove or change between the migrated tables and the metadata."""
    migrations.upgrade(empty_store)
    assert migrations.differences(empty_store) == []


def test_migrated_tables_equal_tables_made_from_the_code(empty_store: Store) -> None:
    """Columns, collations, defaults, keys, names and conditions of indexes are what the code declares."""
    migrations.upgrade(empty_store)
    migrated = describe(empty_store)
    with empty_store.transaction() as connection:
        metadata.drop_all(connection)
        metadata.create_all(connection)
    assert migrated == describe(empty_store)


def test_an_upgrade_twice_changes_nothing(empty_store: Store) -> None:
    """A second upgrade finds nothing to do, and keeps what is there."""
    assert migrations.current(empty_store) == ""
    migrations.upgrade(empty_store)
    with empty_store.transaction() as connection:
        connection.execute(text("INSERT INTO key_checks (key_id, sealed) VALUES ('key', 'seal')"))
    migrations.upgrade(empty_store)
    assert migrations.current(empty_store) == migrations.latest()
    with empty_store.reading() as connection:
        assert connection.execute(text("SELECT key_id FROM key_checks")).scalar_one() == "key"


def test_processes_that_upgrade_at_once_all_succeed(empty_url: str) -> None:
    """Of several processes that start on an empty database one makes the tables and the others wait for it."""
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", UPGRADE, empty_url],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )
        for _ in range(3)
    ]  # fmt: skip
    for process in processes:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("\n")
        process.stdin.flush()
    answers = [process.communicate() for process in processes]
    assert answers == [(f"{migrations.latest()}\n", "")] * 3


def test_an_upgrade_that_fails_leaves_nothing_behind(empty_store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """A failure at one of the last tables rolls back those before it too."""
    with empty_store.transaction() as connection:
        connection.execute(text("CREATE TABLE review_events (id INTEGER)"))
    with pytest.raises(Exception, match="review_events"):
        migrations.upgrade(empty_store)
    assert list(describe(empty_store)) == ["review_events"]
    assert migrations.current(empty_store) == ""


def test_the_tables_can_live_in_a_schema_of_their_own(empty_postgresql_url: str) -> None:
    """A search path in the URL keeps the library's tables apart from the host's in one database."""
    execute(empty_postgresql_url, "CREATE SCHEMA connectors")
    store = Store(f"{empty_postgresql_url}?options=-csearch_path%3Dconnectors")
    migrations.upgrade(store)
    migrations.check(store)
    with store.reading() as connection:
        inspector = inspect(connection)
        assert migrations.REVISION_TABLE in inspector.get_table_names(schema="connectors")
        assert inspector.get_table_names(schema="public") == []
    store.close()


def test_a_database_without_tables_is_refused_with_the_command_to_run(empty_store: Store) -> None:
    """A check before the upgrade names what is missing and the command that makes it; after it, none."""
    with pytest.raises(ConfigurationError, match="speckitty-connectors db upgrade"):
        migrations.check(empty_store)
    migrations.upgrade(empty_store)
    migrations.check(empty_store)


@pytest.mark.parametrize("revision", ["0001", "0010"])
def test_a_database_from_before_the_first_release_is_refused(empty_store: Store, revision: str) -> None:
    """Tables of the revisions that no release had are refused, and the error says that a new database is needed."""
    migrations.upgrade(empty_store)
    with empty_store.transaction() as connection:
        connection.execute(text(f"UPDATE {migrations.REVISION_TABLE} SET version_num = '{revision}'"))
    for refuse in (migrations.check, migrations.upgrade):
        with pytest.raises(ConfigurationError, match=rf"unreleased version .*{revision}.*make a new database"):
            refuse(empty_store)


def test_a_database_of_a_newer_version_is_refused(empty_store: Store) -> None:
    """Neither a check nor an upgrade touches tables whose revision this version doesn't know."""
    migrations.upgrade(empty_store)
    with empty_store.transaction() as connection:
        connection.execute(text(f"UPDATE {migrations.REVISION_TABLE} SET version_num = '9999'"))
    with pytest.raises(ConfigurationError, match="newer version"):
        migrations.check(empty_store)
    with pytest.raises(ConfigurationError, match="newer version"):
        migrations.upgrade(empty_store)
