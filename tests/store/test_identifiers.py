"""Ids: unique, and in the order in which they were made."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from uuid import UUID

import pytest

from speckitty_connectors.identifiers import new_id


def test_ids_sort_as_they_were_made() -> None:
    """Many a millisecond keep their order, and each is a UUID of version 7 in the variant of RFC 9562."""
    made = [new_id() for _ in range(10_000)]
    assert made == sorted(made)
    assert len(set(made)) == len(made)
    assert {(UUID(text).version, UUID(text).variant) for text in made} == {(7, "specified in RFC 4122")}


def test_a_clock_that_goes_back_breaks_no_order(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is made after the clock was set back still sorts behind."""
    before = new_id()
    monkeypatch.setattr(time, "time_ns", lambda: 0)
    assert before < new_id() < new_id()


def test_threads_never_share_an_id() -> None:
    """Threads that make ids at the same time make different ones."""
    with ThreadPoolExecutor(8) as pool:
        made = list(pool.map(lambda _: new_id(), range(5_000)))
    assert len(set(made)) == len(made)
