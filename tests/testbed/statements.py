"""Counts what the database is asked."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import event

from speckitty_connectors.store.engine import Store


@contextmanager
def counted(store: Store) -> Iterator[list[str]]:
    """Collect the statements that are executed in the block."""
    statements: list[str] = []

    def note(*given: object) -> None:
        statements.append(str(given[2]))

    event.listen(store.engine, "before_cursor_execute", note)
    try:
        yield statements
    finally:
        event.remove(store.engine, "before_cursor_execute", note)
