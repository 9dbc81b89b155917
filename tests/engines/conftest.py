"""What the engines' tests share: a host on an empty database, and a Redis."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import ExitStack

import pytest
from attrs import frozen

from engines.host import DATABASE_URL, KEY, Posts, effects, open_connectors
from speckitty_connectors import Connectors, KeyRing
from testbed.redis import Redis, RedisMissingError, running_redis


@frozen(kw_only=True)
class Host:
    """The receiving side of a host, whose workers are other processes.

    Attributes:
        connectors: the host's.
        posts: what is posted to it.
        environment: what its worker processes have to know.
    """

    connectors: Connectors
    posts: Posts
    environment: dict[str, str]


@pytest.fixture
def host(database_url: str) -> Iterator[Host]:
    """A host with one mapped board."""
    key = KeyRing.new_key()
    with open_connectors(database_url, key.reveal()) as connectors:
        posts = Posts(connectors, key.reveal())
        yield Host(connectors=connectors, posts=posts, environment={DATABASE_URL: database_url, KEY: key.reveal()})
        with connectors.store.transaction() as connection:
            effects.drop(connection)


@pytest.fixture
def redis() -> Iterator[Redis]:
    """A Redis of this test alone."""
    with ExitStack() as stack:
        try:
            server = stack.enter_context(running_redis())
        except RedisMissingError as error:
            if os.environ.get("CI") == "true":
                pytest.fail(str(error))
            pytest.skip(str(error))
        yield server
