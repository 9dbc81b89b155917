"""Engines that serve one store after the other: what an engine has compiled outlives its connections.

A third of the time of a test is spent on statements that the test before has compiled, too.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from sqlalchemy import Engine

from speckitty_connectors.store import engine as stores
from speckitty_connectors.store.engine import Store


@contextmanager
def reused_engines() -> Iterator[None]:
    """Let a store that is opened have an engine that a closed one has left, if it was opened in the same way.

    No two stores share one, unless a store is used after it was closed.
    """
    left: dict[Hashable, list[Engine]] = defaultdict(list)
    opened: dict[Engine, Hashable] = {}
    open_engine, close_store = stores._open_engine, Store.close  # noqa: SLF001 - where each store gets its engine

    def reopen(*arguments: Any, **named: Any) -> Engine:
        way = arguments, *named.items()
        engine = left[way].pop() if left[way] else open_engine(*arguments, **named)
        opened[engine] = way
        return engine

    def close(store: Store) -> None:
        close_store(store)
        way = opened.pop(store.engine, None)
        if way is not None:
            left[way].append(store.engine)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(stores, "_open_engine", reopen)
        patch.setattr(Store, "close", close)
        yield
