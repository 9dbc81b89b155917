"""What a task engine is given for each accepted delivery, and what becomes of the names that it brings back."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from engines.host import Posts, effects, open_connectors
from speckitty_connectors import Connectors, KeyRing
from speckitty_connectors.dispatch.announcements import Announcements, read_name

PATIENCE_SECONDS = 60.0


@pytest.fixture
def host(database_url: str) -> Iterator[tuple[Connectors, Posts]]:
    """A host with one mapped board, and what is posted to it."""
    key = KeyRing.new_key().reveal()
    with open_connectors(database_url, key) as connectors:
        yield connectors, Posts(connectors, key)
        with connectors.store.transaction() as connection:
            effects.drop(connection)


class Named:
    """A hook that keeps the names that it is given."""

    def __init__(self, count: int = 1) -> None:
        self.names: list[str] = []
        self._count = count
        self._enough = threading.Event()

    def __call__(self, name: str) -> None:
        self.names.append(name)
        if len(self.names) == self._count:
            self._enough.set()

    def wait(self) -> list[str]:
        """Return the names once there are enough."""
        assert self._enough.wait(PATIENCE_SECONDS)
        return self.names


def test_each_accepted_delivery_has_a_name_that_can_be_run(host: tuple[Connectors, Posts]) -> None:
    """What is accepted is named once, after its commit, and running the name handles it."""
    connectors, posts = host
    named = Named()
    connectors.on_accepted(named)
    subject = posts.post()
    (name,) = named.wait()
    assert connectors.run(name)
    assert posts.handled() == {subject: 1}


def test_a_name_that_is_run_again_does_nothing(host: tuple[Connectors, Posts]) -> None:
    """Names may come any number of times, in any order, from any thread."""
    connectors, posts = host
    named = Named(count=3)
    connectors.on_accepted(named)
    for _ in range(3):
        posts.post()
    names = named.wait()
    threads = [threading.Thread(target=connectors.run, args=(name,)) for name in reversed(names * 3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not any(connectors.run(name) for name in names)
    assert sorted(posts.handled().values()) == [1, 1, 1]


@pytest.mark.parametrize("name", ["", "x", "/", "0190a/w1", "\x00/", "é\ud800/", "a" * 10_000 + "/w1", 7, None, {}])
def test_a_forged_name_does_nothing(host: tuple[Connectors, Posts], name: object) -> None:
    """Whoever reaches the broker can make workers look, and nothing else."""
    assert not host[0].run(name)  # type: ignore[arg-type]  # what a message may hold


def test_what_no_name_brings_the_sweeper_finds(host: tuple[Connectors, Posts]) -> None:
    """A worker that only takes what has waited leaves the newest alone, and takes all of it in time."""
    connectors, posts = host
    subject = posts.post()
    assert connectors.worker(after_seconds=3600).run_once() == 0
    sweeper = connectors.worker(after_seconds=0.001)
    while not posts.handled():
        sweeper.run_once()
    assert posts.handled() == {subject: 1}


def test_a_hook_that_fails_costs_nothing(host: tuple[Connectors, Posts]) -> None:
    """A broker that is away delays no acknowledgement, and the hooks after it are called."""
    connectors, posts = host
    named = Named()

    @connectors.on_accepted
    def fail(name: str) -> None:
        raise ConnectionRefusedError

    connectors.on_accepted(named)
    posts.post()
    assert named.wait()


def test_slow_hooks_hold_nobody_up() -> None:
    """Of too many names some are dropped, and the sweeper finds what they name."""
    announcements, stuck = Announcements(), threading.Event()

    def wait(name: str) -> None:
        stuck.wait(PATIENCE_SECONDS)

    announcements.add(wait)
    for number in range(20_000):
        announcements.announce("w1", str(number))
    stuck.set()


def test_a_workspace_may_be_any_text() -> None:
    """The name of work in a workspace with a slash is read as it was made."""
    assert read_name("0190a/team/a") == ("team/a", "0190a")
