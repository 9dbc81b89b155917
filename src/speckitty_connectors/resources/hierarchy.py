"""What contains what: the resources above a resource, as listings show them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice

from sqlalchemy import ColumnElement, Connection, and_, or_, select

from ..identifiers import InstallationKey
from ..store.rows import is_under
from .tables import resources

DEEPEST = 24
"""Steps from a resource to the outermost one that are followed; GitLab nests groups to 20 ("Subgroups")."""

IDS_PER_QUERY = 400
"""SQLite takes expressions of at most 1,000 nested terms, and a bounded number of parameters."""

Place = tuple[str, str]
"""A resource of an installation: its kind and the provider's immutable id."""


def find_parents(
    connection: Connection,
    installation: InstallationKey,
    places: Iterable[Place],
    *,
    parent_kinds: Mapping[str, str],
) -> dict[Place, Place]:
    """Return what contains each of these resources, and what contains that, as far as it is known.

    Args:
        connection: the transaction.
        installation: what they are seen through.
        places: the resources to begin with.
        parent_kinds: kind → the kind of what contains it: `Manifest.parent_kinds`.
    """
    found: dict[Place, Place] = {}
    wanted = {place for place in places if place[0] in parent_kinds}
    asked: set[Place] = set()
    for _ in range(DEEPEST):
        if not wanted:
            break
        asked |= wanted
        level = dict(_parents(connection, installation, wanted, parent_kinds))
        found |= level
        wanted = {place for place in level.values() if place[0] in parent_kinds} - asked
    return found


def lineage(place: Place, parents: Mapping[Place, Place]) -> Iterator[Place]:
    """Yield a resource, what contains it, what contains that; each once, also where they contain each other.

    >>> parents = {("board", "b1"): ("space", "s1"), ("space", "s1"): ("space", "s0")}
    >>> [identifier for _, identifier in lineage(("board", "b1"), parents)]
    ['b1', 's1', 's0']
    """
    seen: set[Place] = set()
    current: Place | None = place
    while current is not None and current not in seen and len(seen) <= DEEPEST:
        yield current
        seen.add(current)
        current = parents.get(current)


def find_contained(
    connection: Connection, installation: InstallationKey, place: Place, *, parent_kinds: Mapping[str, str]
) -> Iterator[list[Place]]:
    """Yield the resources that a resource contains, then those that they contain, level by level."""
    seen, level = {place}, [place]
    for _ in range(DEEPEST):
        inside = {
            child
            for outer in {kind for kind, _ in level}
            for child in _children(
                connection,
                installation,
                kinds=[kind for kind, parent in parent_kinds.items() if parent == outer],
                parent_ids=[external_id for kind, external_id in level if kind == outer],
            )
        }
        level = sorted(inside - seen)
        if not level:
            return
        yield level
        seen |= inside


def among(places: Iterable[Place]) -> Iterator[ColumnElement[bool]]:
    """Yield conditions that together find these resources, each small enough for one query."""
    remaining = iter(places)
    while batch := list(islice(remaining, IDS_PER_QUERY)):
        by_kind: dict[str, list[str]] = defaultdict(list)
        for kind, external_id in batch:
            by_kind[kind].append(external_id)
        yield or_(
            *(
                and_(resources.c.kind == kind, resources.c.external_id.in_(sorted(ids)))
                for kind, ids in sorted(by_kind.items())
            )
        )


def _parents(
    connection: Connection,
    installation: InstallationKey,
    places: Iterable[Place],
    parent_kinds: Mapping[str, str],
) -> Iterator[tuple[Place, Place]]:
    for wanted in among(places):
        rows = connection.execute(
            select(resources.c.kind, resources.c.external_id, resources.c.parent_id).where(
                is_under(resources, installation), resources.c.parent_id != "", wanted
            )
        )
        for row in rows:
            yield (row.kind, row.external_id), (parent_kinds[row.kind], row.parent_id)


def _children(
    connection: Connection, installation: InstallationKey, *, kinds: Sequence[str], parent_ids: Sequence[str]
) -> Iterator[Place]:
    for start in range(0, len(parent_ids) if kinds else 0, IDS_PER_QUERY):
        rows = connection.execute(
            select(resources.c.kind, resources.c.external_id).where(
                is_under(resources, installation),
                resources.c.parent_id.in_(parent_ids[start : start + IDS_PER_QUERY]),
                resources.c.kind.in_(kinds),
            )
        )
        yield from ((row.kind, row.external_id) for row in rows)
