"""Hosts with one provider each, whose answers a test decides, on both databases."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from testbed.played import Played, open_played


@pytest.fixture
def play(database_url: str) -> Iterator[Callable[..., Played]]:
    """Open a host with the stand-in of a provider."""
    with ExitStack() as stack:

        def opened(provider: str, **stand_in: Any) -> Played:
            return stack.enter_context(open_played(provider, database_url, **stand_in))

        yield opened
