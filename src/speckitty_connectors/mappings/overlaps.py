"""Which other mappings a mapping meets, and which of them wins; told to people, never decided on."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import chain, islice

from sqlalchemy import Connection

from ..installations.hierarchy import find_contained, find_parents, lineage
from ..providers.manifest import Manifest
from . import repository
from .types import Direction, Overlap, ResourceMapping, Selector

MOST_OVERLAPS = 10
"""How many overlaps of one sort are told; a person sees the pattern by then."""


def find_overlaps(
    connection: Connection, mapping: ResourceMapping, manifest: Manifest | None
) -> tuple[Overlap, ...]:
    """Return the mappings of the same resource, of what contains it, and of what it contains.

    Where the manifest isn't known, nothing contains anything.
    """
    if mapping.direction is Direction.OUT:
        return ()
    parent_kinds = manifest.parent_kinds() if manifest else {}
    scope = {"workspace": mapping.workspace, "installation_id": mapping.installation_id}
    parents = find_parents(connection, **scope, places=[mapping.place], parent_kinds=parent_kinds)
    above = repository.find_for_resources(connection, **scope, places=lineage(mapping.place, parents))
    levels = find_contained(connection, **scope, place=mapping.place, parent_kinds=parent_kinds)
    below = chain.from_iterable(
        repository.find_for_resources(connection, **scope, places=level) for level in levels
    )
    return (
        *islice(_beside(mapping, above), MOST_OVERLAPS),
        *(_above(mapping, other) for other in _inward(above) if other.place != mapping.place),
        *(_below(other) for other in islice(_inward(below), MOST_OVERLAPS)),
    )


def may_both_want(one: Selector, other: Selector) -> bool:
    """Return whether some event could be wanted by both; in doubt it could.

    >>> may_both_want(Selector(branches=("main",)), Selector(branches=("next",)))
    False
    >>> may_both_want(Selector(branches=("main",)), Selector(branches=("m*",), kinds=("push",)))
    True
    """
    kinds = not one.kinds or not other.kinds or any(_same_kind(a, b) for a in one.kinds for b in other.kinds)
    branches = {*one.branches, *other.branches}
    literal = not any(sign in branch for branch in branches for sign in "*?[")
    apart = one.branches and other.branches and literal and not set(one.branches) & set(other.branches)
    return kinds and not apart


def _same_kind(one: str, other: str) -> bool:
    return one == other or one.startswith(f"{other}.") or other.startswith(f"{one}.")


def _inward(mappings: Iterable[ResourceMapping]) -> Iterator[ResourceMapping]:
    return (mapping for mapping in mappings if mapping.direction is not Direction.OUT)


def _beside(mapping: ResourceMapping, others: Iterable[ResourceMapping]) -> Iterator[Overlap]:
    for other in _inward(others):
        same = other.place == mapping.place and other.id != mapping.id
        if same and may_both_want(mapping.selector, other.selector):
            text = f"events that both want go to {other.target} and to {mapping.target}"
            yield Overlap(mapping_id=other.id, rule="fans_out", text=text)


def _above(mapping: ResourceMapping, other: ResourceMapping) -> Overlap:
    text = (
        f"{other.target} gets no events of {mapping.resource_kind} {mapping.resource_key} from the mapping of "
        f"{other.resource_kind} {other.resource_key} any more: the most specific mapped resource wins"
    )
    return Overlap(mapping_id=other.id, rule="most_specific", text=text)


def _below(other: ResourceMapping) -> Overlap:
    text = (
        f"events of {other.resource_kind} {other.resource_key} still go to {other.target} only: "
        f"the most specific mapped resource wins"
    )
    return Overlap(mapping_id=other.id, rule="most_specific", text=text)
