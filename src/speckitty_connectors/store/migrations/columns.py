"""The columns that revisions are written with; frozen, because a revision is history."""

from __future__ import annotations

from sqlalchemy import JSON, Column, DateTime, ForeignKeyConstraint, LargeBinary, String


def identifier(name: str, *, primary_key: bool = False) -> Column[str]:
    """Return a column of an id, compared byte for byte."""
    kind = String().with_variant(String(collation="C"), "postgresql")
    return Column(name, kind, nullable=False, primary_key=primary_key)


def words(
    name: str, length: int | None = None, *, primary_key: bool = False, default: str | None = None
) -> Column[str]:
    """Return a column of text."""
    return Column(name, String(length), nullable=False, primary_key=primary_key, server_default=default)


def moment(name: str, *, optional: bool = False) -> Column[object]:
    """Return a column of a moment in UTC."""
    return Column(name, DateTime(timezone=True), nullable=optional)


def document(name: str) -> Column[object]:
    """Return a column of JSON."""
    return Column(name, JSON, nullable=False)


def raw(name: str, length: int | None = None) -> Column[bytes]:
    """Return a column of bytes."""
    return Column(name, LargeBinary(length), nullable=False)


def belongs_to(table: str, column: str) -> ForeignKeyConstraint:
    """Return the composite key by which SQL itself refuses another workspace's row."""
    return ForeignKeyConstraint(["workspace_id", column], [f"{table}.workspace_id", f"{table}.id"])
