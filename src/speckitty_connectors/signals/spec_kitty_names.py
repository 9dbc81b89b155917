"""How Spec Kitty names missions, branches and the tickets they began with; pure text, read in linear time.

A mission's slug is either ``039-words``, a number and words, or ``words-01KQ3XYZ``, words and the first eight
characters of the mission's ULID (Spec Kitty, "batch API contract" and "mission identity").
"""

from __future__ import annotations

import re
from typing import Final

BRANCH_PREFIX: Final = "kitty/mission-"
"""What the branch of a mission begins with."""

_LANE = re.compile(r"-lane-[a-z0-9]+\Z")
_WORK_PACKAGE = re.compile(r"-WP[0-9]+\Z")
_NUMBERED = re.compile(r"[0-9]{3}-[a-z0-9][a-z0-9-]*")
# Crockford's base 32; the first character of a ULID stays 0 for another thousand years (ULID specification).
_UNIQUE = re.compile(r"[a-z0-9][a-z0-9-]*-0[0-9A-HJKMNP-TV-Z]{7}")
_TICKET = re.compile(r"(?:[0-9]{3}-)?([A-Za-z][A-Za-z0-9_]*)-[0-9]+(?:-|\Z)")


def mission_of(branch: str) -> str:
    """Return the slug of the mission that a branch belongs to, or nothing where its name has none.

    >>> mission_of("kitty/mission-fast-search-01KQ3XYZ-lane-a"), mission_of("039-cli-readiness-WP07")
    ('fast-search-01KQ3XYZ', '039-cli-readiness')
    >>> mission_of("main")
    ''
    """
    slug = _WORK_PACKAGE.sub("", _LANE.sub("", branch.removeprefix(BRANCH_PREFIX)))
    return slug if _UNIQUE.fullmatch(slug) or _NUMBERED.fullmatch(slug) else ""


def is_unique(slug: str) -> bool:
    """Return whether a slug has part of a ULID in it, so that no two projects have the same by chance.

    >>> is_unique("fast-search-01KQ3XYZ"), is_unique("001-initial-setup")
    (True, False)
    """
    return _UNIQUE.fullmatch(slug) is not None


def ticket_key(slug: str) -> str:
    """Return the key of the tracker's project or team that a slug or branch begins with, in lower case; or nothing.

    >>> ticket_key("web-123-fix-login"), ticket_key("kitty/mission-004-ENG-7"), ticket_key("fast-search-01KQ3XYZ")
    ('web', 'eng', '')
    """
    found = _TICKET.match(slug.removeprefix(BRANCH_PREFIX))
    return found[1].lower() if found else ""
