"""Behind a real PgBouncer in transaction mode, where each transaction may be another connection's."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import ExitStack, closing

import psycopg
import pytest
from sqlalchemy import text

from speckitty_connectors.contract import StoreContract
from speckitty_connectors.errors import ConfigurationError, StoreUnavailableError
from speckitty_connectors.store import migrations
from speckitty_connectors.store.confinement import confined
from speckitty_connectors.store.engine import Store
from testbed.pgbouncer import PgbouncerMissingError, pooled
from testbed.roles import workspace_role

PREPARED_AFTER = 5
"""How often the driver sends a statement before it prepares it."""

SETTINGS = ("lock_timeout", "search_path", "role", "default_transaction_read_only")


@pytest.fixture
def pooled_url(empty_postgresql_url: str) -> Iterator[str]:
    """The URL of an empty database behind a pooler with two connections for all."""
    with ExitStack() as stack:
        try:
            url = stack.enter_context(pooled(empty_postgresql_url, server_connections=2))
        except PgbouncerMissingError as error:
            if os.environ.get("CI") == "true":
                pytest.fail(str(error))
            pytest.skip(str(error))
        yield url


class TestPgbouncer(StoreContract):
    """Every promise of the database holds behind the pooler."""

    @pytest.fixture
    def empty_store(self, pooled_url: str) -> Iterator[Store]:
        """A store with a schema of its own, whose statements aren't kept between transactions."""
        store = Store(pooled_url, schema="integrations", prepared_statements=False)
        yield store
        store.close()


def settings_of(url: str) -> list[tuple[str, ...]]:
    """Return what two clients at once find set."""
    conninfo = url.replace("+psycopg", "")
    query = "SELECT " + ", ".join(f"current_setting('{name}')" for name in SETTINGS)
    with psycopg.connect(conninfo) as one, psycopg.connect(conninfo) as other:
        return [tuple(client.execute(query).fetchone() or ()) for client in (one, other)]


def test_nothing_is_left_set_for_the_next_client(pooled_url: str, empty_postgresql_url: str) -> None:
    """After upgrades, writing, reading, confined requests and failures other clients find the server's defaults."""
    before = settings_of(pooled_url)
    with closing(Store(pooled_url, schema="integrations", prepared_statements=False)) as store:
        migrations.upgrade(store)
    with workspace_role(empty_postgresql_url, schema="integrations") as role:
        store = Store(pooled_url, schema="integrations", prepared_statements=False, workspace_role=role)
        with closing(store):
            with store.transaction(within_seconds=5) as connection:
                connection.execute(text("SELECT 1"))
            with confined("w1"), store.reading() as connection:
                connection.execute(text("SELECT 1"))
            with pytest.raises(KeyError), store.transaction():
                raise KeyError
            assert settings_of(pooled_url) == before


def test_a_refused_connection_is_told_in_the_words_of_who_refuses(pooled_url: str) -> None:
    """A start-up option that the pooler doesn't take is named, instead of a database that is said to be busy."""
    with closing(Store(f"{pooled_url}?options=-csearch_path%3Dconnectors")) as store:
        with pytest.raises(StoreUnavailableError, match="unsupported startup parameter: options") as refused:
            migrations.current(store)
        assert "busy" not in str(refused.value)


def test_a_statement_that_the_pooler_lost_names_the_setting(pooled_url: str) -> None:
    """A statement that was prepared on a connection of the server that another client has now is told as that."""
    statement = text("SELECT 1")
    with (
        closing(Store(pooled_url, connections=1)) as store,
        psycopg.connect(pooled_url.replace("+psycopg", "")) as other,
    ):
        with store.reading() as connection:
            for _ in range(PREPARED_AFTER + 1):
                connection.execute(statement)
        other.execute("SELECT 1")  # has the connection that was given back last
        with pytest.raises(ConfigurationError, match="setting prepared_statements"), store.reading() as connection:
            connection.execute(statement)
