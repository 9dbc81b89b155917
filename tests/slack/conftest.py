"""Offices: one workspace of a host beside a stand-in of Slack, on both databases."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from functools import partial

import pytest

from testbed import slack
from testbed.slack import Office


@pytest.fixture
def open_office(database_url: str) -> Callable[..., AbstractContextManager[Office]]:
    """Open an office, of a workspace or of an organization."""
    return partial(slack.open_office, database_url)


@pytest.fixture
def office(open_office: Callable[..., AbstractContextManager[Office]]) -> Iterator[Office]:
    """An office of a workspace, with nothing connected yet."""
    with open_office() as found:
        yield found
