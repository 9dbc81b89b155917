"""The ways of docs/architecture.md are the ways that the code takes."""

from __future__ import annotations

from typing import Final

import pytest

from testbed import ways

MOST_FILES_OF_A_PUSH: Final = 45
"""How many files somebody opens who follows a mapped push; lower it when the way gets shorter."""

MOST_RETURNS_OF_A_PUSH: Final = 60
"""How often they turn back to a file that they had left; lower it likewise."""


@pytest.mark.parametrize("heading", ways.WAYS)
def test_a_way_opens_the_files_that_the_page_lists(heading: str, sqlite_url: str, texts: dict[str, str]) -> None:
    """A reader who follows one of the four ways by the page opens the files in the order in which they run."""
    opened = ways.walked(ways.WAYS[heading], sqlite_url).opened
    listed = ways.drawn(texts["docs/architecture.md"], heading)
    assert listed == opened, "to update the page: PYTHONPATH=tests python -m testbed.ways; it runs:\n" + "\n".join(
        opened
    )


def test_a_mapped_push_is_a_short_walk(sqlite_url: str) -> None:
    """A mapped push leads through no more files than before, and no more often back to one."""
    walk = ways.walked(ways.webhook, sqlite_url)
    assert len(walk.opened) <= MOST_FILES_OF_A_PUSH
    assert walk.returns <= MOST_RETURNS_OF_A_PUSH
