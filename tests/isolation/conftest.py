"""Databases of their own for worlds that are made once and asked many times."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from speckitty_connectors.store import migrations
from speckitty_connectors.store.engine import Store
from testbed.postgresql import fresh_database


@pytest.fixture(scope="module")
def own_sqlite_url(migrated_sqlite: Path, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The URL of a migrated, empty SQLite file of this module alone."""
    return f"sqlite:///{shutil.copy(migrated_sqlite, tmp_path_factory.mktemp('own') / 'connectors.db')}"


@pytest.fixture(scope="module")
def own_postgresql_url(postgresql_server: str) -> Iterator[str]:
    """The URL of a migrated, empty database in PostgreSQL of this module alone."""
    with _migrated(postgresql_server) as url:
        yield url


@pytest.fixture(scope="module")
def held_postgresql_url(postgresql_server: str) -> Iterator[str]:
    """The same, for row-level security to be set up in."""
    with _migrated(postgresql_server) as url:
        yield url


@contextmanager
def _migrated(server: str) -> Iterator[str]:
    with fresh_database(server) as url:
        store = Store(url)
        migrations.upgrade(store)
        store.close()
        yield url
