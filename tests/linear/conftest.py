"""Studios: workspaces of the host beside a stand-in of Linear, on both databases."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from testbed.linear import Studio, open_studio


@pytest.fixture
def studio(database_url: str) -> Iterator[Studio]:
    """A studio that has connected nothing yet."""
    with open_studio(database_url) as opened:
        yield opened
