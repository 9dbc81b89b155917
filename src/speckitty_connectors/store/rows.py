"""Entities and their rows: which rows are theirs, and the way from one to the other."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from typing import Any, TypeVar

from attrs import AttrsInstance, asdict, fields_dict
from sqlalchemy import Column, ColumnElement, Connection, Row, Select, Table, and_, tuple_

from ..identifiers import InstallationKey

Entity = TypeVar("Entity", bound=AttrsInstance)


def is_row(table: Table, workspace: str, row_id: str) -> ColumnElement[bool]:
    """Return the condition of one row: an id finds nothing in another workspace than its own."""
    return and_(table.c.workspace_id == workspace, table.c.id == row_id)


def is_under(table: Table, installation: InstallationKey) -> ColumnElement[bool]:
    """Return the condition of the rows that belong to an installation."""
    return and_(table.c.workspace_id == installation.workspace, table.c.installation_id == installation.id)


KEYS_PER_QUERY = 1_000
"""Databases take a bounded number of parameters: SQLite 32,766, PostgreSQL 65,535."""


def rows_among(
    connection: Connection,
    query: Select[*tuple[Any, ...]],
    columns: Sequence[Column[Any]],
    keys: Collection[tuple[str, ...]],
) -> Iterator[Any]:
    """Yield the rows of a query of which these columns have one of some values; nothing is asked for no values."""
    wanted = sorted(keys)
    for start in range(0, len(wanted), KEYS_PER_QUERY):
        among = tuple_(*columns).in_(wanted[start : start + KEYS_PER_QUERY])
        yield from connection.execute(query.where(among))


def from_row(kind: type[Entity], row: Row[tuple[object, ...]], **converted: object) -> Entity:
    """Return the entity of a row whose columns are named as its attributes, save those that are given."""
    columns = row._mapping  # noqa: SLF001 - SQLAlchemy's public name
    values = {name: columns[name] for name in fields_dict(kind) if name in columns}
    return kind(**{**values, "workspace": row.workspace_id, **converted})


def to_row(entity: AttrsInstance, **converted: object) -> dict[str, object]:
    """Return the columns of an entity whose attributes are named as they are, save those that are given."""
    values = asdict(entity, recurse=False)
    workspace = values.pop("workspace")
    return {"workspace_id": workspace, **values, **converted}
