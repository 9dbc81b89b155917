"""Inserts at the driver's speed, for the one path on which a provider waits."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from sqlalchemy import BindParameter, Column, Engine, Insert, bindparam
from sqlalchemy.engine.interfaces import DBAPICursor

GIVEN = "given_"
"""Before the names of parameters, because SQLAlchemy keeps the names of columns for itself."""

Processor = Callable[[Any], Any]


def given(*columns: Column[Any]) -> dict[str, BindParameter[Any]]:
    """Return the values of an insert that `CompiledInsert.execute` gets by column name."""
    return {column.name: bindparam(f"{GIVEN}{column.name}", type_=column.type) for column in columns}


class CompiledInsert:
    """An insert that is compiled once and then runs on the driver's own cursor: see `Store.driver_transaction`.

    Args:
        statement: the insert, every value of it a named parameter, those of columns made by `given`.
        engine: that it will run on.
    """

    def __init__(self, statement: Insert, engine: Engine) -> None:
        dialect, schemas = engine.dialect, engine.get_execution_options().get("schema_translate_map")
        compiled = statement.compile(
            engine, schema_translate_map=schemas, render_schema_translate=schemas is not None
        )
        self._sql = compiled.string
        self._by_position = compiled.positiontup is not None
        self._parameters: list[tuple[str, str, Processor | None]] = [
            (
                name,
                name.removeprefix(GIVEN),
                compiled.binds[name].type.dialect_impl(dialect).bind_processor(dialect),
            )
            for name in compiled.positiontup or compiled.binds
        ]

    def execute(self, cursor: DBAPICursor, values: Mapping[str, object]) -> bool:
        """Run it; return whether a row was added."""
        processed = {
            name: values[key] if process is None else process(values[key])
            for name, key, process in self._parameters
        }
        cursor.execute(self._sql, list(processed.values()) if self._by_position else processed)
        return bool(cursor.rowcount)
