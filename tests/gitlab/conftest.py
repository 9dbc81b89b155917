"""Workshops: one workspace of a host beside a stand-in of GitLab, on both databases."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from functools import partial

import pytest

from testbed import gitlab
from testbed.gitlab import Workshop


@pytest.fixture
def open_workshop(database_url: str) -> Callable[..., AbstractContextManager[Workshop]]:
    """Open a workshop beside a GitLab of some plan and version."""
    return partial(gitlab.open_workshop, database_url)


@pytest.fixture
def workshop(open_workshop: Callable[..., AbstractContextManager[Workshop]]) -> Iterator[Workshop]:
    """A workshop with nothing connected yet, beside a GitLab that can do everything."""
    with open_workshop() as found:
        yield found
