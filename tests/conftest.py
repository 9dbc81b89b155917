"""Fixtures shared by the core's tests: both databases, migrated and empty, and a clock that a test moves."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack
from inspect import unwrap
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import MetaData

from speckitty_connectors.store import deadline, migrations
from speckitty_connectors.store.engine import Store
from testbed.clock import FrozenClock
from testbed.engines import reused_engines
from testbed.postgresql import CUT_OTHERS, PostgresqlUnavailableError, fresh_database, running_postgresql

PATIENCE_SECONDS = 60.0

SOAKED_ON_POSTGRESQL = (
    "cases/",
    "gitlab/",
    "healing/",
    "host/test_canary",
    "host/test_retrying",
    "host/test_serving",
    "installations/test_convergence",
    "jira/",
    "links/test_offboarding",
    "linear/",
    "slack/",
)
"""Tests of what is above the database, which a person's run tries on SQLite alone; the long run tries the rest."""


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: Iterable[pytest.Item]) -> None:
    """Leave to the long run what says nothing of a database that the tests of its own room don't say."""
    here = Path(__file__).parent
    for item in items:
        called = getattr(item, "callspec", None)
        on_postgresql = called is not None and "postgresql" in called.params.values()
        if on_postgresql or "postgresql_url" in getattr(item, "fixturenames", ()):
            named = item.path.relative_to(here).as_posix() if item.path.is_relative_to(here) else ""
            if named.startswith(SOAKED_ON_POSTGRESQL):
                item.add_marker(pytest.mark.soak)


@pytest.fixture(autouse=True)
def patience(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Wait for the database as long as a busy machine needs, but where a test is about waiting no longer."""
    if request.node.get_closest_marker("impatient"):
        return
    defaults = unwrap(Store.__init__).__kwdefaults__
    assert defaults is not None
    monkeypatch.setattr(deadline, "ANSWER_SECONDS", PATIENCE_SECONDS)
    monkeypatch.setitem(defaults, "wait_seconds", PATIENCE_SECONDS)


@pytest.fixture(autouse=True, scope="session")
def engines() -> Iterator[None]:
    """Let the engine of a closed store serve the next one on the same database."""
    with reused_engines():
        yield


@pytest.fixture
def clock() -> FrozenClock:
    """A clock that stands still until the test advances it."""
    return FrozenClock()


@pytest.fixture(scope="session")
def corpus(request: pytest.FixtureRequest) -> Path:
    """The folder of recorded deliveries beside the project, ``shared/corpus``."""
    folder = request.config.rootpath.parent / "shared" / "corpus"
    if not folder.is_dir():
        pytest.skip("the corpus of recorded deliveries isn't beside this project")
    return folder


@pytest.fixture(scope="session")
def delivery_cases(request: pytest.FixtureRequest) -> Mapping[str, Any]:
    """What providers were seen to send, by name; beside the project in ``shared/cases``."""
    return _cases(request, "deliveries")


@pytest.fixture(scope="session")
def conversation_cases(request: pytest.FixtureRequest) -> Mapping[str, Any]:
    """What providers were seen to answer, by name; beside the project in ``shared/cases``."""
    return _cases(request, "conversations")


def _cases(request: pytest.FixtureRequest, kind: str) -> Mapping[str, Any]:
    file = request.config.rootpath.parent / "shared" / "cases" / f"{kind}.json"
    if not file.is_file():
        pytest.skip(f"the cases of {kind} aren't beside this project")
    return {case["name"]: case for case in json.loads(file.read_bytes())}


@pytest.fixture(scope="session")
def postgresql_server() -> Iterator[str]:
    """The URL of a database in a real PostgreSQL, which lives as long as the test session."""
    with ExitStack() as stack:
        try:
            url = stack.enter_context(running_postgresql())
        except PostgresqlUnavailableError as error:
            if os.environ.get("CI") == "true":
                pytest.fail(str(error))
            pytest.skip(str(error))
        yield url


@pytest.fixture
def empty_postgresql_url(postgresql_server: str) -> Iterator[str]:
    """The URL of a database of this test alone, without any table."""
    with fresh_database(postgresql_server) as url:
        yield url


@pytest.fixture(scope="session")
def migrated_postgresql(postgresql_server: str) -> Iterator[Store]:
    """A migrated database that all tests of the session share, one after the other."""
    with fresh_database(postgresql_server) as url:
        shared = Store(url, wait_seconds=PATIENCE_SECONDS)
        migrations.upgrade(shared)
        yield shared
        shared.close()


@pytest.fixture(scope="session")
def emptying(migrated_postgresql: Store) -> bytes:
    """What empties that database in one round trip: each table before those that it refers to."""
    reflected = MetaData()
    with migrated_postgresql.reading() as connection:
        reflected.reflect(connection)
    tables = [table.name for table in reversed(reflected.sorted_tables) if table.name != migrations.REVISION_TABLE]
    return "; ".join([CUT_OTHERS, *(f"DELETE FROM {table}" for table in tables)]).encode()


@pytest.fixture
def postgresql_url(migrated_postgresql: Store, emptying: bytes) -> str:
    """The URL of a migrated, empty database in PostgreSQL, to which nothing of an earlier test is connected."""
    cursor: Any
    with migrated_postgresql.driver_transaction() as cursor:
        cursor.execute(emptying, prepare=False)
    return migrated_postgresql.url.render_as_string(hide_password=False)


@pytest.fixture(scope="session")
def migrated_sqlite(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated, empty SQLite file, to be copied."""
    path = tmp_path_factory.mktemp("sqlite") / "template.db"
    template = Store(f"sqlite:///{path}")
    migrations.upgrade(template)
    template.close()
    return path


@pytest.fixture
def sqlite_url(migrated_sqlite: Path) -> str:
    """The URL of a migrated, empty SQLite file, which is another one in each test although its path is the same."""
    path = migrated_sqlite.with_name("connectors.db")
    for former in path.parent.glob(f"{path.name}*"):
        former.unlink()
    return f"sqlite:///{shutil.copy(migrated_sqlite, path)}"


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest) -> str:
    """The URL of a migrated, empty database: once SQLite, once PostgreSQL."""
    url: str = request.getfixturevalue(f"{request.param}_url")
    return url


@pytest.fixture
def store(database_url: str) -> Iterator[Store]:
    """A store on a migrated, empty database: once SQLite, once PostgreSQL."""
    opened = Store(database_url)
    yield opened
    opened.close()


@pytest.fixture
def sqlite_store(sqlite_url: str) -> Iterator[Store]:
    """A store on a migrated, empty SQLite file."""
    opened = Store(sqlite_url)
    yield opened
    opened.close()
