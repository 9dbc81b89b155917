"""Procrastinate carries ids; what it loses, doubles, delays or forges changes nothing."""

from __future__ import annotations

import random
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from procrastinate import App, SyncPsycopgConnector

from engines.conftest import Host
from engines.host import BROKER_URL
from engines.test_celery import FORGED, until
from engines.workers import Workers
from speckitty_connectors.procrastinate import use_procrastinate
from testbed.postgresql import execute

DELIVERIES = 300


@pytest.fixture
def jobs_url(empty_postgresql_url: str) -> str:
    """The database of Procrastinate's jobs, with its tables."""
    url = empty_postgresql_url.replace("+psycopg", "")
    with App(connector=SyncPsycopgConnector(conninfo=url)).open() as app:
        app.schema_manager.apply_schema()
    return url


@pytest.fixture
def task(host: Host, jobs_url: str) -> Iterator[Any]:
    """The task of the receiving process."""
    app = App(connector=SyncPsycopgConnector(conninfo=jobs_url))
    with app.open():
        yield use_procrastinate(host.connectors, app)


@contextmanager
def procrastinate_workers(host: Host, jobs_url: str, log: Path) -> Iterator[Workers]:
    """Give workers of the host's app."""
    environment = {**host.environment, BROKER_URL: jobs_url}
    with Workers(["engines.procrastinate_worker"], environment, log) as workers:
        yield workers


@pytest.mark.soak
class TestProcrastinate:
    """Each delivery has its effect once."""

    def test_whatever_happens_to_jobs(self, host: Host, jobs_url: str, task: Any, tmp_path: Path) -> None:
        """Doubled, delayed, forged and lost jobs and killed workers lose and double nothing."""
        chance = random.Random(7)

        @host.connectors.on_accepted
        def send_more(name: str) -> None:
            for _ in range(4):
                task.configure(schedule_in={"seconds": chance.randrange(3)}).defer(name=name)
            task.defer(name=chance.choice([each for each in FORGED if each != "\x00"]))

        with (
            procrastinate_workers(host, jobs_url, tmp_path / "log") as workers,
            host.connectors.working(after_seconds=2),
        ):
            for number in range(DELIVERIES):
                host.posts.post()
                if number % 60 == 30:
                    workers.kill(chance.randrange(len(workers)))
                if number == DELIVERIES // 2:
                    execute(jobs_url, "DELETE FROM procrastinate_jobs WHERE status = 'todo'")
            until(lambda: len(host.posts.handled()) == DELIVERIES)
            time.sleep(4)  # what was delayed comes now
        assert set(host.posts.handled().values()) == {1}
        assert host.posts.handled().keys() == host.posts.accepted

    def test_all_is_well(self, host: Host, jobs_url: str, task: Any, tmp_path: Path) -> None:
        """While nothing goes wrong, no sweeper is needed."""
        with procrastinate_workers(host, jobs_url, tmp_path / "log"):
            for _ in range(30):
                host.posts.post()
            until(lambda: len(host.posts.handled()) == 30)
        assert set(host.posts.handled().values()) == {1}
