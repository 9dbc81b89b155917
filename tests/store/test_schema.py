"""The library's tables beside the host's in one database: in a schema of their own, or refused with what to set."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing

import pytest
from click.testing import CliRunner
from sqlalchemy import Column, Connection, MetaData, String, Table, insert, select, text

from speckitty_connectors import Dispatch
from speckitty_connectors.cli import commands
from speckitty_connectors.errors import ConfigurationError
from speckitty_connectors.routing.tables import dispatches
from speckitty_connectors.store import migrations
from speckitty_connectors.store.claims import DONE
from speckitty_connectors.store.engine import Store
from testbed.desk import ACCOUNT
from testbed.office import KEY, Office, open_office
from testbed.postgresql import execute
from testbed.roles import workspace_role

SCHEMA = "integrations"

CARD = {"event": "card", "account": ACCOUNT, "installation": "42", "board": {"id": "b1", "key": "kitchen/menu"}}

OBJECTS = (
    "SELECT DISTINCT nspname FROM (SELECT relnamespace AS place FROM pg_class"
    " UNION SELECT pronamespace FROM pg_proc UNION SELECT typnamespace FROM pg_type) AS made"
    " JOIN pg_namespace ON pg_namespace.oid = place"
    " WHERE nspname NOT IN ('pg_catalog', 'information_schema', 'pg_toast')"
)
"""The schemas but the server's own that have tables, indexes, functions or types."""

hosts_audit = Table("audit", MetaData(), Column("note", String))
"""The host's own, under a name that the library uses too."""


@pytest.fixture
def beside_the_host(empty_postgresql_url: str) -> str:
    """The URL of a database in which the host has a table of its own named as one of ours."""
    execute(empty_postgresql_url, "CREATE TABLE audit (note text)")
    return empty_postgresql_url


@pytest.fixture
def office(beside_the_host: str) -> Iterator[Office]:
    """A host that shares its database with the library, whose tables have a schema and row-level security."""
    with closing(Store(beside_the_host, schema=SCHEMA)) as store:
        migrations.upgrade(store)
    with (
        workspace_role(beside_the_host, schema=SCHEMA) as role,
        open_office(beside_the_host, schema=SCHEMA, workspace_role=role) as opened,
    ):
        opened.connectors.start()
        yield opened


def test_all_is_made_in_the_schema_and_nothing_beside_it(empty_postgresql_url: str) -> None:
    """Tables, indexes, types, the function and the revision are in the schema, as the code declares them."""
    with closing(Store(empty_postgresql_url, schema=SCHEMA)) as store:
        for _ in range(2):
            migrations.upgrade(store)
        migrations.check(store)
        assert migrations.differences(store) == []
        with store.reading() as connection:
            assert connection.execute(text(OBJECTS)).scalars().all() == [SCHEMA]


def test_two_schemas_in_one_database_are_apart(empty_postgresql_url: str) -> None:
    """Tables elsewhere in the database aren't taken for those of the schema."""
    with (
        closing(Store(empty_postgresql_url)) as first,
        closing(Store(empty_postgresql_url, schema=SCHEMA)) as other,
    ):
        migrations.upgrade(first)
        assert migrations.current(other) == ""
        migrations.upgrade(other)
        assert migrations.current(other) == migrations.current(first)


@pytest.mark.parametrize(
    ("database", "setting"), [("sqlite", "setting database_url"), ("postgresql", "setting schema")]
)
def test_a_table_of_the_hosts_under_our_name_is_told_with_the_setting(
    request: pytest.FixtureRequest, database: str, setting: str
) -> None:
    """An upgrade that meets the host's own `audit` names it and what to set, and leaves nothing behind."""
    url = "sqlite://" if database == "sqlite" else request.getfixturevalue("empty_postgresql_url")
    with closing(Store(url)) as store:
        with store.transaction() as connection:
            connection.execute(text("CREATE TABLE audit (note text)"))
        with pytest.raises(ConfigurationError, match=rf"audit.*already exists.*{setting}"):
            migrations.upgrade(store)
        assert migrations.current(store) == ""


def test_a_handler_finds_the_hosts_own_tables(office: Office) -> None:
    """What a handler writes to `audit` by any means is in the host's table, and the library keeps its own."""

    @office.connectors.on("project")
    def note(dispatch: Dispatch, connection: Connection) -> None:
        connection.execute(insert(hosts_audit).values(note=dispatch.target.id))
        connection.execute(text("INSERT INTO audit (note) SELECT note || ', again' FROM public.audit"))

    installation = office.connect(installation="42")
    office.connectors.inventory.sync("w1", installation.id)
    office.map(installation, "b1", "menu")
    office.post(CARD)
    with office.connectors.store.reading() as connection:
        noted = connection.execute(text("SELECT note FROM public.audit ORDER BY note")).scalars().all()
        assert connection.execute(select(dispatches.c.state)).scalars().all() == [DONE]
    assert noted == ["menu", "menu, again"]
    assert "mapping.created" in office.verbs()


def test_row_level_security_holds_the_tables_of_the_schema(office: Office) -> None:
    """The script finds them there, and a confined request sees its own workspace alone."""
    office.connect("mona", "w1")
    office.connect("eve", "w2")
    with office.connectors.confined("w1"):
        assert len(office.connectors.installations("w1")) == 1
        assert office.connectors.installations("w2") == []


@pytest.mark.parametrize("name", ["Connectors", "a.b", 'a"b', "x" * 64])
def test_only_plain_names_of_schemas_are_taken(name: str) -> None:
    """A name that would need quotation marks is refused at the start."""
    with pytest.raises(ConfigurationError, match="setting schema"):
        Store("postgresql://host/database", schema=name)


def test_sqlite_has_no_schemas() -> None:
    """Two in one SQLite database can't be kept apart, so each gets a file."""
    with pytest.raises(ConfigurationError, match="SQLite has no schemas"):
        Store("sqlite://", schema=SCHEMA)


def test_the_commands_work_in_the_schema(empty_postgresql_url: str) -> None:
    """The environment names it for every command, as the settings file does."""
    environment = {
        "SPECKITTY_CONNECTORS_DATABASE_URL": empty_postgresql_url,
        "SPECKITTY_CONNECTORS_SCHEMA": SCHEMA,
        "SPECKITTY_CONNECTORS_KEYS": f"2026:{KEY.reveal()}",
    }
    upgraded = CliRunner(env=environment).invoke(commands, ["db", "upgrade"])
    assert upgraded.output == f"the database is at {migrations.latest()}\n"
    with closing(Store(empty_postgresql_url)) as store:
        assert migrations.current(store) == ""
