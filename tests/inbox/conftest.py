"""A host that every provider can deliver to, on both databases."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from testbed.providers import Host, open_host


@pytest.fixture
def host(database_url: str) -> Iterator[Host]:
    """A host with all plugins, behind a real server."""
    with open_host(database_url) as opened:
        yield opened
