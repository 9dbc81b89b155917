"""The contract of databases: both of ours keep it, and it notices each way not to."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, ClassVar

import pytest
from sqlalchemy import Connection, event

from speckitty_connectors import ConfigurationError
from speckitty_connectors.contract.stores import StoreContract, store_rules
from speckitty_connectors.errors import StoreUnavailableError
from speckitty_connectors.store import migrations
from speckitty_connectors.store.engine import Store


class TestSqlite(StoreContract):
    """SQLite, in a file."""

    @pytest.fixture
    def empty_store(self, tmp_path: Path) -> Iterator[Store]:
        """A file that isn't there yet."""
        store = Store(f"sqlite:///{tmp_path / 'empty.db'}")
        yield store
        store.close()


class TestPostgresql(StoreContract):
    """A real PostgreSQL."""

    @pytest.fixture
    def empty_store(self, empty_postgresql_url: str) -> Iterator[Store]:
        """A database of this rule alone."""
        store = Store(empty_postgresql_url)
        yield store
        store.close()


class Hostile(Store):
    """SQLite, with statements that are changed on their way.

    Attributes:
        instead: what is found in a statement → what is put in its place.
    """

    instead: ClassVar[Mapping[str, str]] = {}

    def __init__(self, path: Path) -> None:
        super().__init__(f"sqlite:///{path}")
        event.listen(self.engine, "connect", lambda driver, _: driver.execute("PRAGMA synchronous = OFF"))
        event.listen(self.engine, "before_cursor_execute", self.rewrite, retval=True)

    def rewrite(
        self, connection: object, cursor: object, statement: str, parameters: Any, *_: object
    ) -> tuple[str, Any]:
        """Change a statement."""
        for found, put in self.instead.items():
            statement = re.sub(found, put, statement)
        return statement, parameters


class ForgetsAnIndex(Hostile):
    """Makes tables without one of their unique indexes."""

    instead: ClassVar = {"CREATE UNIQUE INDEX uq_installations_exclusive_account.*": "SELECT 1"}


class CommitsHalves(Hostile):
    """Commits what a block that raised has written."""

    @contextmanager
    def transaction(self, *, within_seconds: float | None = None) -> Iterator[Connection]:
        """Commit whatever happens."""
        raised: BaseException | None = None
        with super().transaction(within_seconds=within_seconds) as connection:
            try:
                yield connection
            except BaseException as error:  # noqa: BLE001 - raised again below
                raised = error
        if raised is not None:
            raise raised


class WritesWhileReading(Hostile):
    """Knows no transaction that only reads."""

    @contextmanager
    def reading(self, *, within_seconds: float | None = None) -> Iterator[Connection]:
        """Open one that writes."""
        with self.engine.connect() as connection:
            yield connection


class KnowsNoReferences(Hostile):
    """Keeps foreign keys as a comment."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        event.listen(self.engine, "connect", lambda driver, _: driver.execute("PRAGMA foreign_keys = OFF"))


class SortsLikePeople(Hostile):
    """Takes upper and lower case for different, but sorts them side by side."""

    instead: ClassVar = {r"ORDER BY inbox\.id": "ORDER BY inbox.id COLLATE NOCASE"}


class RoundsTimes(Hostile):
    """Keeps moments to the second."""

    def rewrite(
        self, connection: object, cursor: object, statement: str, parameters: Any, *_: object
    ) -> tuple[str, Any]:
        """Cut off what is behind the seconds."""
        return statement, _rounded(parameters)


def _rounded(parameters: Any) -> Any:
    if isinstance(parameters, list):
        return [_rounded(each) for each in parameters]
    cut = (re.sub(r"(:\d\d)\.\d{6}$", r"\1.000000", each) if isinstance(each, str) else each for each in parameters)
    return tuple(cut)


class ForgetsTriggers(Hostile):
    """Makes no triggers."""

    instead: ClassVar = {r"(?s)\s*CREATE TRIGGER.*": "SELECT 1"}


class TellsTheDriversErrors(Hostile):
    """Passes on what the driver says, which no caller understands."""

    @contextmanager
    def transaction(self, *, within_seconds: float | None = None) -> Iterator[Connection]:
        """Open a transaction without looking at its errors."""
        with self.engine.begin() as connection:
            yield connection


class UpgradesOnce(Hostile):
    """Fails where two write at once, instead of letting one wait."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.busy = threading.Lock()

    @contextmanager
    def transaction(self, *, within_seconds: float | None = None) -> Iterator[Connection]:
        """Refuse the second of two."""
        if within_seconds == migrations.UPGRADE_SECONDS and not self.busy.acquire(blocking=False):
            raise StoreUnavailableError("somebody else upgrades")
        try:
            with super().transaction(within_seconds=within_seconds) as connection:
                yield connection
        finally:
            if within_seconds == migrations.UPGRADE_SECONDS:
                self.busy.release()


class ReusesStates(Hostile):
    """Loses the condition of an update."""

    instead: ClassVar = {r"AND conversations\.used_at IS NULL": ""}


class RepeatsAreErrors(Hostile):
    """Knows no insert that leaves out what is there."""

    @contextmanager
    def driver_transaction(self, *, reads_only: bool = False) -> Iterator[Any]:
        """Hand out a cursor that changes statements, too."""
        with super().driver_transaction(reads_only=reads_only) as cursor:
            yield _Plain(cursor)


class _Plain:
    """A cursor for which what is there already is an error."""

    def __init__(self, cursor: Any) -> None:
        self._cursor = cursor

    def __getattr__(self, name: str) -> Any:
        return getattr(self._cursor, name)

    def execute(self, statement: str, parameters: Any) -> Any:
        """Insert, or fail."""
        return self._cursor.execute(re.sub(r"ON CONFLICT .* DO NOTHING", "", statement), parameters)


class HandsOutTwice(Hostile):
    """Looks at no lease when it hands out work."""

    instead: ClassVar = {r"AND inbox\.leased_until <= ": "AND 0 <= "}


class LetsTheLateFinish(Hostile):
    """Compares no generations."""

    instead: ClassVar = {r"inbox\.generation = \?": "inbox.generation >= 0 * ?"}


HOSTILE: Mapping[str, Callable[[Path], Store]] = {
    "B01": ForgetsAnIndex,
    "B02": CommitsHalves,
    "B03": WritesWhileReading,
    "B04": KnowsNoReferences,
    "B05": SortsLikePeople,
    "B06": RoundsTimes,
    "B07": ForgetsTriggers,
    "B08": TellsTheDriversErrors,
    "B20": UpgradesOnce,
    "B21": ReusesStates,
    "B22": RepeatsAreErrors,
    "B23": HandsOutTwice,
    "B24": LetsTheLateFinish,
}
"""Rule → the database that breaks it."""


def broken(make: Callable[[Path], Store], folder: Path) -> dict[str, str]:
    """Return the rules that a database breaks, with what is reported."""
    contract = type("Contract", (StoreContract,), {})()
    template, reports = folder / "template.db", {}
    with closing(make(template)) as store:
        migrations.upgrade(store)
    for rule in store_rules().values():
        file = folder / f"{rule.id}.db"
        if rule.argument == "store":
            shutil.copy(template, file)
        with closing(make(file)) as store:
            try:
                getattr(contract, rule.method)(store)
            except pytest.fail.Exception as failure:
                reports[rule.id] = str(failure)
    return reports


def test_every_rule_has_a_database_that_breaks_it() -> None:
    """A rule that no database breaks might judge nothing."""
    assert list(HOSTILE) == list(store_rules())


@pytest.mark.soak
@pytest.mark.parametrize("rule", HOSTILE)
def test_a_misbehaviour_breaks_its_rule(rule: str, tmp_path: Path) -> None:
    """The rule notices, and no other; the report names it and says what to do."""
    reports = broken(HOSTILE[rule], tmp_path)
    assert list(reports) == [rule], reports
    assert rule in reports[rule]
    assert store_rules()[rule].fix in reports[rule]


def test_a_rule_cannot_be_overridden() -> None:
    """A class that has its own version of a rule is refused when it is made."""
    with pytest.raises(ConfigurationError, match="can't be overridden"):
        type("Lenient", (StoreContract,), {"test_b01_tables_from_nothing": lambda self: None})


WITHOUT_A_DATABASE = """
from speckitty_connectors.contract import StoreContract

class TestOurs(StoreContract):
    pass
"""


def test_a_class_without_a_database_says_what_is_missing(tmp_path: Path) -> None:
    """Whoever forgets the fixture is told its name."""
    (tmp_path / "test_ours.py").write_text(WITHOUT_A_DATABASE)
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--rootdir", str(tmp_path)]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "write a fixture empty_store that yields a Store" in done.stdout
