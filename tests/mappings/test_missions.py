"""The names of missions, branches and tickets."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from speckitty_connectors.signals.spec_kitty_names import is_unique, mission_of, ticket_key


@pytest.mark.parametrize(
    ("branch", "mission"),
    [
        ("kitty/mission-039-cli-readiness", "039-cli-readiness"),
        ("kitty/mission-039-cli-readiness-lane-a", "039-cli-readiness"),
        ("kitty/mission-fast-search-01KQ3XYZ", "fast-search-01KQ3XYZ"),
        ("kitty/mission-fast-search-01KQ3XYZ-lane-b", "fast-search-01KQ3XYZ"),
        ("039-cli-2x-readiness-WP07", "039-cli-2x-readiness"),
        ("main", ""),
        ("HEAD", ""),
        ("", ""),
        ("release/039", ""),
        ("kitty/mission-", ""),
        ("kitty/mission-search", ""),
        ("kitty/mission-search-91KQ3XYZ", ""),
        ("kitty/mission-search-01KQ3XYU", ""),
    ],
)
def test_a_branch_tells_its_mission(branch: str, mission: str) -> None:
    """Prefix, lane and work package are left aside; other branches tell of none."""
    assert mission_of(branch) == mission


@pytest.mark.parametrize(
    ("slug", "unique"),
    [("search-01KQ3XYZ", True), ("search-01kq3xyz", False), ("001-setup", False), ("release-20260102", False)],
)
def test_only_part_of_a_ulid_makes_a_slug_unique(slug: str, unique: bool) -> None:
    """A number, a date or a word may be anybody's."""
    assert is_unique(slug) is unique


@pytest.mark.parametrize(
    ("slug", "key"),
    [
        ("web-123", "web"),
        ("web-123-fix-login-01KQ3XYZ", "web"),
        ("004-ENG-7-cache", "eng"),
        ("my_team-9", "my_team"),
        ("039-cli-2x-readiness", ""),
        ("fast-search-01KQ3XYZ", ""),
        ("web-12a", ""),
        ("kitty/mission-web-123-fix", "web"),
        ("feature/web-123", ""),
        ("", ""),
    ],
)
def test_a_slug_that_began_with_a_ticket_tells_its_key(slug: str, key: str) -> None:
    """The key of the tracker's project stands before the first number."""
    assert ticket_key(slug) == key


@given(st.text(max_size=200))
def test_any_text_is_read(text: str) -> None:
    """What is found in a branch is part of it, and found again in itself."""
    mission = mission_of(text)
    assert mission in text
    assert mission_of(mission) in {mission, ""} or mission_of(mission) in mission
    assert ticket_key(text) in text.lower()
