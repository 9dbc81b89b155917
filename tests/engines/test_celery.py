"""Celery carries ids; what it loses, doubles, delays or forges changes nothing."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from celery import Celery  # type: ignore[import-untyped]  # it has no types

from engines.conftest import Host
from engines.host import BROKER_URL
from engines.workers import Workers
from speckitty_connectors.celery import QUEUE, use_celery
from testbed.redis import Redis

DELIVERIES = 300
FORGED: tuple[object, ...] = (
    "", "nothing", "0190a/w1", "x" * 10_000, "\x00/", 7, None, {"id": "1"}, [],
)  # fmt: skip
"""What anybody who reaches the broker may send."""


@contextmanager
def celery_workers(host: Host, redis: Redis, log: Path) -> Iterator[Workers]:
    """Give workers of the host's app."""
    command = ["celery", "--app", "engines.celery_worker", "worker", "--queues", QUEUE, "--concurrency", "2"]
    environment = {**host.environment, BROKER_URL: redis.url}
    with Workers([*command, "--loglevel", "INFO"], environment, log) as workers:
        yield workers


def until(holds: Callable[[], bool], *, seconds: float = 120.0) -> None:
    """Wait until something holds."""
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end, "it took too long"
        time.sleep(0.1)


@pytest.fixture
def task(host: Host, redis: Redis) -> Any:
    """The task of the receiving process."""
    return use_celery(host.connectors, Celery("engines", broker=redis.url))


@pytest.mark.soak
class TestCelery:
    """Each delivery has its effect once."""

    def test_whatever_the_broker_does(self, host: Host, redis: Redis, task: Any, tmp_path: Path) -> None:
        """Doubled, delayed and forged messages, killed workers and a killed broker lose and double nothing."""
        chance = random.Random(7)

        @host.connectors.on_accepted
        def send_more(name: str) -> None:
            for _ in range(4):
                task.apply_async((name,), queue=QUEUE, retry=False, countdown=chance.random() * 3)
            task.apply_async((chance.choice(FORGED),), queue=QUEUE, retry=False)

        with celery_workers(host, redis, tmp_path / "log") as workers, host.connectors.working(after_seconds=2):
            for number in range(DELIVERIES):
                host.posts.post()
                if number % 60 == 30:
                    workers.kill(chance.randrange(len(workers)))
                if number == DELIVERIES // 2:
                    redis.restart()
            until(lambda: len(host.posts.handled()) == DELIVERIES)
            time.sleep(4)  # what was delayed comes now
        assert set(host.posts.handled().values()) == {1}
        assert host.posts.handled().keys() == host.posts.accepted

    def test_no_message_arrives(self, host: Host, redis: Redis, task: Any, tmp_path: Path) -> None:
        """With a broker that is gone, the sweeper handles everything."""
        redis.kill()
        with host.connectors.working(after_seconds=1):
            for _ in range(30):
                host.posts.post()
            until(lambda: len(host.posts.handled()) == 30)
        assert set(host.posts.handled().values()) == {1}

    def test_all_is_well(self, host: Host, redis: Redis, task: Any, tmp_path: Path) -> None:
        """While nothing goes wrong, no sweeper is needed."""
        with celery_workers(host, redis, tmp_path / "log"):
            for _ in range(30):
                host.posts.post()
            until(lambda: len(host.posts.handled()) == 30)
        assert set(host.posts.handled().values()) == {1}
