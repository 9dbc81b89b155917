"""Inserts at the driver's speed, for the one path on which a provider waits."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Any

from sqlalchemy import Connection, Dialect, Insert

from ..errors import StoreUnavailableError

Processor = Callable[[Any], Any]


class CompiledInsert:
    """An insert that is compiled once and then runs on the driver's own cursor.

    Executing a statement through SQLAlchemy costs more than SQLite needs for the insert itself. Everywhere else
    that is a good price; between a provider and its answer it would be half of the time.

    Args:
        statement: the insert; its own bound parameters need names.
        columns: the columns that are given at each execution.
        dialect: of the engine that it will run on.
    """

    def __init__(self, statement: Insert, columns: Collection[str], dialect: Dialect) -> None:
        compiled = statement.compile(dialect=dialect, column_keys=list(columns))
        self._sql = compiled.string
        names: Collection[str] = compiled.positiontup or compiled.binds
        self._parameters: list[tuple[str, Processor | None]] = [
            (name, compiled.binds[name].type.dialect_impl(dialect).bind_processor(dialect)) for name in names
        ]
        self._by_position = compiled.positiontup is not None
        self._driver_error: type[Exception] = dialect.loaded_dbapi.Error

    def execute(self, connection: Connection, values: Mapping[str, object]) -> bool:
        """Insert one row; return whether there is one more.

        Raises:
            StoreUnavailableError: the database didn't take it.
        """
        processed = [
            (name, values[name] if process is None else process(values[name])) for name, process in self._parameters
        ]
        cursor = connection.connection.cursor()
        try:
            cursor.execute(self._sql, [value for _, value in processed] if self._by_position else dict(processed))
            return bool(cursor.rowcount)
        except self._driver_error as error:
            raise StoreUnavailableError(
                "the database didn't take the delivery", subject=type(error).__name__, remedy="look at the database"
            ) from error
        finally:
            cursor.close()
