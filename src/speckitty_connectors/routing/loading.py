"""Loads all that a batch is decided by: a fixed number of statements, however many deliveries there are."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence, Set
from datetime import datetime
from typing import Any

from attrs import evolve
from sqlalchemy import Connection, select

from ..installations.types import Installation
from ..mappings.repository import read_mapping
from ..mappings.tables import resource_mappings
from ..mappings.types import MappingState, ResourceMapping
from ..policy.repository import find_scopes
from ..policy.types import PolicyScope
from ..providers.resources import ResourceReference
from ..providers.suggestions import Target
from ..resources.hierarchy import DEEPEST, Place
from ..resources.tables import resources
from ..store.rows import rows_among
from ..suggestions.findings import PROJECT
from .batch import RECEIVING, Case, CaseBatch, SeenResource, Surroundings
from .evidence import load_knowledge
from .review.ignore_rules import list_rules
from .review.items import find_dismissed
from .tables import dispatches
from .types import InstallationId, effect_key

Spot = tuple[str, str, str, str]
"""A resource of any workspace: workspace, installation, kind, and the provider's immutable id."""


def load(connection: Connection, cases: Sequence[Case], *, proposed: Collection[Target] | None = None) -> CaseBatch:
    """Return a batch with all that decides it.

    Args:
        connection: the transaction.
        cases: the cases.
        proposed: for a simulation, the targets of mappings that could be added; some could be gone as well.
    """
    batch = CaseBatch(cases=cases, surroundings=_load_surroundings(connection, cases))
    asked = [case for case in cases if case.installation and case.event and case.installation.status in RECEIVING]
    found = [(case, batch.mappings_for(case)) for case in asked]
    if unmapped := [case for case, mappings in found if proposed is not None or not mappings]:
        batch = evolve(batch, knowledge=load_knowledge(connection, unmapped))
    if doubtful := [*unmapped, *(case for case, mappings in found if _has_orphan(mappings))]:
        batch = evolve(
            batch,
            ignore_rules=list_rules(connection, {case.key[0] for case in doubtful}),
            dismissed=find_dismissed(connection, {(case.key, case.subject.place) for case in doubtful}),
        )
    others = {key: known.targets.union(proposed or ()) for key, known in batch.knowledge.items()}
    targets = [
        (case, {mapping.target for mapping in mappings}.union(others.get(case.key, proposed or ())))
        for case, mappings in found
    ]
    return evolve(
        batch,
        policies=find_scopes(connection, {scope for each in targets for scope in _scopes(*each)}),
        handed_over=_find_effects(connection, {key for each in targets for key in _effects(*each)}),
    )


def _has_orphan(found: Iterable[ResourceMapping]) -> bool:
    return any(mapping.state is MappingState.ORPHANED for mapping in found)


def _scopes(case: Case, targets: Set[Target]) -> Iterator[PolicyScope]:
    """Yield where the policies of a case's targets are set."""
    if targets:
        whole = PolicyScope(workspace=case.key[0], provider=case.provider)
        yield from (whole, evolve(whole, installation_id=case.key[1]))
        yield from (evolve(whole, project_id=target.id) for target in targets if target.kind == PROJECT)


def _effects(case: Case, targets: Set[Target]) -> Iterator[str]:
    """Yield the effect keys of a case that another delivery of the same change may have had before."""
    if case.event is not None and case.event.fingerprint:
        yield from (effect_key(case.key[1], target, change=case.event.fingerprint) for target in targets)


def _find_effects(connection: Connection, keys: Collection[str]) -> set[str]:
    """Return those of some effect keys that are known: what they name was handed over, or will be."""
    key = dispatches.c.effect_key
    return {row.effect_key for row in rows_among(connection, select(key), [key], {(each,) for each in keys})}


def _load_surroundings(connection: Connection, cases: Sequence[Case]) -> dict[InstallationId, Surroundings]:
    """Return what is known of the resources of events, and of those that contain them, level by level."""
    parent_kinds = {case.key: case.manifest.parent_kinds() for case in cases if case.event}
    found: dict[InstallationId, dict[Place, SeenResource]] = defaultdict(dict)
    parents: dict[InstallationId, dict[Place, Place]] = defaultdict(dict)
    wanted: set[Spot] = {
        (*case.key, each.kind, each.id) for case in cases if case.event for each in case.event.resources
    }
    asked: set[Spot] = set()
    for _ in range(DEEPEST + 1):  # without a resource to look for, nothing is asked
        asked |= wanted
        level, wanted = _find_resources(connection, wanted), set()
        for row in level:
            key, place = (row.workspace_id, row.installation_id), (row.kind, row.external_id)
            found[key][place] = SeenResource(id=row.id, key=row.key, archived=row.archived)
            outer = parent_kinds[key].get(row.kind)
            if outer and row.parent_id:
                parents[key][place] = (outer, row.parent_id)
                wanted.add((*key, outer, row.parent_id))
        wanted -= asked
    mappings = _load_mappings(connection, found)
    return {
        key: Surroundings(resources=found[key], parents=parents[key], mappings=mappings[key])
        for key in parent_kinds
    }


def _find_resources(connection: Connection, spots: Collection[Spot]) -> Iterator[Any]:
    columns = resources.c
    identity = (columns.workspace_id, columns.installation_id, columns.kind, columns.external_id)
    query = select(*identity, columns.id, columns.key, columns.archived, columns.parent_id)
    return rows_among(connection, query, identity, spots)


def _load_mappings(
    connection: Connection, found: Mapping[InstallationId, Mapping[Place, SeenResource]]
) -> Mapping[InstallationId, Mapping[Place, Sequence[ResourceMapping]]]:
    """Return the mappings of resources."""
    known = {
        (workspace, seen.id): (installation_id, place, seen.key)
        for (workspace, installation_id), places in found.items()
        for place, seen in places.items()
    }
    mappings: dict[InstallationId, dict[Place, list[ResourceMapping]]] = defaultdict(lambda: defaultdict(list))
    identity = (resource_mappings.c.workspace_id, resource_mappings.c.resource_id)
    for row in rows_among(connection, select(resource_mappings), identity, known):
        installation_id, (kind, external_id), key = known[row.workspace_id, row.resource_id]
        mapping = read_mapping(row, resource_kind=kind, resource_external_id=external_id, resource_key=key)
        mappings[row.workspace_id, installation_id][kind, external_id].append(mapping)
    return mappings


def renamed(batch: CaseBatch) -> list[tuple[Installation, ResourceReference, datetime]]:
    """Return the known resources that the events of a batch call by another key, and when each was called so."""
    return [
        (case.installation, reference, reference.named_at or case.event.occurred_at or case.delivery.received_at)
        for case in batch.cases
        if case.installation and case.event and case.delivery
        for reference in case.event.resources
        if (seen := batch.surroundings[case.key].resources.get((reference.kind, reference.id)))
        and reference.key not in {"", seen.key}
    ]
