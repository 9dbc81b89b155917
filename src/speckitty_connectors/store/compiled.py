"""Statements at the driver's speed, for the one path on which a provider waits."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import Any

from sqlalchemy import BindParameter, Column, Engine, Executable, bindparam
from sqlalchemy.engine.interfaces import DBAPICursor
from sqlalchemy.sql.elements import ClauseElement

GIVEN = "given_"
"""Before the names of parameters, because SQLAlchemy keeps the names of columns for itself."""

Processor = Callable[[Any], Any]


def given(*columns: Column[Any]) -> dict[str, BindParameter[Any]]:
    """Return the values of an insert that `Compiled.execute` gets by column name."""
    return {column.name: bindparam(f"{GIVEN}{column.name}", type_=column.type) for column in columns}


class Compiled:
    """A statement that is compiled once and then runs on the driver's own cursor: see `Store.driver_transaction`.

    Args:
        statement: the statement, every value of it a named parameter, those of an insert's columns made by `given`.
        engine: that it will run on.
    """

    def __init__(self, statement: ClauseElement, engine: Engine) -> None:
        dialect, schemas = engine.dialect, engine.get_execution_options().get("schema_translate_map")
        compiled: Any = statement.compile(
            engine, schema_translate_map=schemas, render_schema_translate=schemas is not None
        )
        self._sql: str = compiled.string
        self._by_position = compiled.positiontup is not None
        self._names = list(compiled.positiontup or compiled.binds)
        self._keys = [name.removeprefix(GIVEN) for name in self._names]
        types = (compiled.binds[name].type.dialect_impl(dialect) for name in self._names)
        processors: list[Processor | None] = [each.bind_processor(dialect) for each in types]
        self._processors = [(index, process) for index, process in enumerate(processors) if process]

    def execute(self, cursor: DBAPICursor, values: Mapping[str, object]) -> bool:
        """Run it; return whether a row was added or changed."""
        row = list(map(values.__getitem__, self._keys))
        for index, process in self._processors:
            row[index] = process(row[index])
        cursor.execute(self._sql, row if self._by_position else dict(zip(self._names, row, strict=True)))
        return bool(cursor.rowcount)

    def rows(self, cursor: DBAPICursor, values: Mapping[str, object]) -> Sequence[Any]:
        """Run it; return what it found, as the driver gives it."""
        self.execute(cursor, values)
        return cursor.fetchall()


@cache
def compiled(statement: Executable, engine: Engine) -> Compiled:
    """Return a statement compiled for an engine, the same object each time."""
    return Compiled(statement, engine)  # type: ignore[arg-type]  # each statement is both
