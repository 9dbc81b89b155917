"""SQL itself keeps workspaces apart, whatever the code above it asks for."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from sqlalchemy import Connection, MetaData, inspect
from sqlalchemy.exc import IntegrityError
from sqlalchemy.types import JSON, Boolean, DateTime, Integer, TypeEngine

from speckitty_connectors.store.engine import Store

SHARED_TABLES = {"key_checks", "connectors_revision"}
"""What belongs to the installation of the library, not to a workspace."""


def insert(connection: Connection, table: str, **values: str) -> None:
    """Insert a row by what the database itself says of the table; columns not given get any value."""
    reflected = MetaData()
    reflected.reflect(connection, only=[table])
    columns = reflected.tables[table].columns
    row = {column.name: values.get(column.name, some(column.type)) for column in columns}
    connection.execute(reflected.tables[table].insert(), row)


def some(kind: TypeEngine[object]) -> object:
    """Return a value of a type."""
    if isinstance(kind, JSON):
        return {}
    if isinstance(kind, Boolean):
        return False
    if isinstance(kind, Integer):
        return 0
    return datetime(2026, 1, 1, tzinfo=UTC) if isinstance(kind, DateTime) else "any"


@pytest.fixture
def installed(store: Store) -> Store:
    """Workspace ``ours`` with two installations and a resource under each, and workspace ``theirs`` with one."""
    with store.transaction() as connection:
        for workspace, number in (("ours", "1"), ("ours", "2"), ("theirs", "3")):
            installation, resource = f"installation-{number}", f"resource-{number}"
            insert(connection, "installations", workspace_id=workspace, id=installation, account_id=number)
            insert(
                connection, "resources", workspace_id=workspace, id=resource, installation_id=installation,
                external_id=number,
            )  # fmt: skip
    return store


def map_resource(store: Store, workspace: str, installation: str, resource: str) -> None:
    """Insert a mapping as a program of anyone's could."""
    with store.transaction() as connection:
        insert(
            connection, "resource_mappings", workspace_id=workspace, id="mapping",
            installation_id=installation, resource_id=resource,
        )  # fmt: skip


def test_a_mapping_in_its_own_workspace_is_kept(installed: Store) -> None:
    """A mapping of a resource under an installation of the same workspace is a valid row."""
    map_resource(installed, "ours", "installation-1", "resource-1")


@pytest.mark.parametrize(
    ("workspace", "installation", "resource"),
    [
        ("theirs", "installation-1", "resource-1"),
        ("theirs", "installation-3", "resource-1"),
        ("theirs", "installation-1", "resource-3"),
        ("ours", "installation-2", "resource-1"),
        ("nobody", "installation-1", "resource-1"),
    ],
)
def test_a_mapping_across_a_boundary_is_refused_by_sql(
    installed: Store, workspace: str, installation: str, resource: str
) -> None:
    """No row maps another workspace's installation or resource, nor a resource of another installation."""
    with pytest.raises(IntegrityError):
        map_resource(installed, workspace, installation, resource)


def test_a_row_can_not_move_to_another_workspace(installed: Store) -> None:
    """An installation with resources can't be given to another workspace by changing its workspace."""
    with pytest.raises(IntegrityError), installed.transaction() as connection:
        connection.exec_driver_sql("UPDATE installations SET workspace_id = 'theirs' WHERE id = 'installation-1'")


def test_every_table_and_reference_carries_the_workspace(store: Store) -> None:
    """The workspace is part of each primary key and of both sides of each foreign key."""
    with store.reading() as connection:
        inspector = inspect(connection)
        for table in set(inspector.get_table_names()) - SHARED_TABLES:
            assert "workspace_id" in inspector.get_pk_constraint(table)["constrained_columns"], table
            for key in inspector.get_foreign_keys(table):
                assert key["constrained_columns"][0] == key["referred_columns"][0] == "workspace_id", key
