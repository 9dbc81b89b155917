"""Loads all that a batch is decided by: a fixed number of statements, however many deliveries there are."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence, Set
from typing import Any

from attrs import evolve
from sqlalchemy import Column, ColumnElement, Connection, Select, and_, or_, select, tuple_

from ..installations.repository import read_installation
from ..installations.statuses import LIVE
from ..installations.tables import installations
from ..installations.types import Installation
from ..mappings.repository import read_mapping
from ..mappings.tables import resource_mappings
from ..mappings.types import MappingState, ResourceMapping
from ..policy.repository import find_scopes
from ..policy.types import PolicyScope
from ..providers.deliveries import Event, Lifecycle
from ..providers.manifest import Manifest
from ..providers.suggestions import Target
from ..resources.hierarchy import DEEPEST, IDS_PER_QUERY, Place
from ..resources.tables import resource_keys, resources
from ..resources.types import ResourceStatus
from ..subscriptions.repository import webhooks
from .admission import Tenants, admit
from .batch import RECEIVING, Batch, Case, Interpretation, SeenResource, Surroundings
from .evidence import load_knowledge
from .review.ignore_rules import list_rules
from .review.items import find_dismissed
from .tables import dispatches
from .types import InstallationId, effect_key, project_of

Spot = tuple[str, str, str, str]
"""A resource of any workspace: workspace, installation, kind, and the provider's immutable id."""


def load(connection: Connection, cases: Sequence[Case], *, proposed: Collection[Target] | None = None) -> Batch:
    """Return a batch with all that decides it.

    Args:
        connection: the transaction.
        cases: the cases.
        proposed: for a simulation, the targets of mappings that could be added; some could be gone as well.
    """
    batch = Batch(cases=cases, surroundings=_load_surroundings(connection, cases))
    asked = [case for case in cases if case.installation and case.event and case.installation.status in RECEIVING]
    mapped = [[] if proposed is not None else batch.mappings_for(case) for case in asked]
    if unmapped := [case for case, found in zip(asked, mapped, strict=True) if not found]:
        batch = evolve(batch, knowledge=load_knowledge(connection, unmapped))
    if doubtful := [case for case, found in zip(asked, mapped, strict=True) if not found or _has_orphan(found)]:
        batch = evolve(
            batch,
            ignore_rules=list_rules(connection, {case.workspace for case in doubtful}),
            dismissed=find_dismissed(connection, {(case.key, case.subject.place) for case in doubtful}),
        )
    reachable = [(case, batch.reachable(case) | set(proposed or ())) for case in asked]
    return evolve(
        batch,
        policies=find_scopes(connection, {scope for each in reachable for scope in _scopes(*each)}),
        handed_over=_find_effects(connection, {key for each in reachable for key in _effects(*each)}),
    )


def _has_orphan(found: Iterable[ResourceMapping]) -> bool:
    return any(mapping.state is MappingState.ORPHANED for mapping in found)


def _scopes(case: Case, targets: Set[Target]) -> Iterator[PolicyScope]:
    """Yield where the policies of a case's targets are set."""
    if targets and case.installation is not None:
        whole = PolicyScope(workspace=case.workspace, provider=case.installation.provider)
        yield from (whole, evolve(whole, installation_id=case.installation.id))
        yield from (evolve(whole, project_id=project) for project in {*map(project_of, targets)} - {""})


def _effects(case: Case, targets: Set[Target]) -> Iterator[str]:
    """Yield the effect keys of a case that another delivery of the same change may have had before."""
    if case.event is not None and case.event.fingerprint:
        yield from (effect_key(case.key[1], target, change=case.event.fingerprint) for target in targets)


def _find_effects(connection: Connection, keys: Collection[str]) -> set[str]:
    """Return those of some effect keys that are known: what they name was handed over, or will be."""
    key = dispatches.c.effect_key
    return {row.effect_key for row in rows_among(connection, select(key), [key], {(each,) for each in keys})}


def rows_among(
    connection: Connection, query: Select[Any], columns: Sequence[Column[Any]], wanted: Collection[tuple[str, ...]]
) -> Iterator[Any]:
    """Yield the rows of a query whose columns have one of the wanted values; none are asked for by none."""
    values = sorted(wanted)
    for start in range(0, len(values), IDS_PER_QUERY):
        among = tuple_(*columns).in_(values[start : start + IDS_PER_QUERY])
        yield from connection.execute(query.where(among))


def _load_surroundings(connection: Connection, cases: Sequence[Case]) -> dict[InstallationId, Surroundings]:
    """Return what is known of the resources of events, and of those that contain them, level by level."""
    parent_kinds = {case.key: case.manifest.parent_kinds() for case in cases if case.event}
    found: dict[InstallationId, dict[Place, SeenResource]] = defaultdict(dict)
    parents: dict[InstallationId, dict[Place, Place]] = defaultdict(dict)
    wanted: set[Spot] = {(*case.key, *each.place) for case in cases if case.event for each in case.event.resources}
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


def load_cases(connection: Connection, interpretations: Sequence[Interpretation]) -> list[Case]:
    """Return the cases that events and lifecycles are, in their order."""
    outcomes = [each.outcome for each in interpretations if isinstance(each.outcome, Event | Lifecycle)]
    connected = {
        (each.workspace, each.id): each for each in _find_installations(connection, interpretations, outcomes)
    }
    tenants = Tenants(
        connected=connected,
        registrations=_load_registrations(connection, connected, outcomes),
        labelled=_load_labels(connection, connected, outcomes),
    )
    return [case for each in interpretations for case in admit(each, tenants)]


def _find_installations(
    connection: Connection, interpretations: Sequence[Interpretation], outcomes: Sequence[Event | Lifecycle]
) -> list[Installation]:
    """Return the installations that any of these could concern, **across workspaces**, by their ids."""
    columns, deliveries = installations.c, [each.delivery for each in interpretations]
    hooks = {(each.workspace, each.installation_id) for each in deliveries if each.installation_id}
    accounts = [each.account for each in outcomes if each.account]
    named = (
        (columns.account_id, {each.id for each in accounts}),
        (columns.account_url, {each.url for each in accounts if not each.id}),
        (columns.provider_installation_id, {each.installation for each in outcomes}),
    )
    at_providers = and_(
        columns.provider.in_({each.provider for each in deliveries}),
        columns.host.in_({each.host for each in deliveries}),
        columns.status.in_(LIVE),
    )
    conditions: list[ColumnElement[bool]] = [
        and_(at_providers, column.in_(wanted)) for column, ids in named if (wanted := ids - {""})
    ]
    if hooks:
        conditions.append(tuple_(columns.workspace_id, columns.id).in_(hooks))
    if not conditions:
        return []
    rows = connection.execute(select(installations).where(or_(*conditions)).order_by(columns.id))
    return [read_installation(row) for row in rows]


def _load_registrations(
    connection: Connection, connected: Collection[InstallationId], outcomes: Iterable[Event | Lifecycle]
) -> Mapping[InstallationId, Set[str]]:
    """Return the registered webhooks of installations, where any event says by which of them it was sent."""
    found: dict[InstallationId, set[str]] = defaultdict(set)
    if not any(isinstance(each, Event) and each.registrations for each in outcomes):
        return found
    identity = (webhooks.c.workspace_id, webhooks.c.installation_id)
    query = select(*identity, webhooks.c.registration).where(webhooks.c.due_at.is_not(None))
    for row in rows_among(connection, query, identity, connected):
        found[row.workspace_id, row.installation_id].add(row.registration)
    return found


def _load_labels(
    connection: Connection, connected: Collection[InstallationId], outcomes: Iterable[Event | Lifecycle]
) -> Mapping[tuple[InstallationId, str, str], Set[str]]:
    """Return the active resources that have a key today, for the keys of what events name without an id."""
    keys = {
        reference.key
        for each in outcomes
        if isinstance(each, Event)
        for reference in each.resources
        if reference.key and not reference.id
    }
    found: dict[tuple[InstallationId, str, str], set[str]] = defaultdict(set)
    columns, called = resources.c, resource_keys.c
    same = and_(
        called.workspace_id == columns.workspace_id, called.resource_id == columns.id, called.key == columns.key
    )
    query = (
        select(columns.workspace_id, columns.installation_id, columns.kind, columns.external_id, columns.key)
        .join(resource_keys, same)
        .where(columns.status == ResourceStatus.ACTIVE)
    )
    wanted = {(workspace, key) for workspace, _ in connected for key in keys}
    for row in rows_among(connection, query, (called.workspace_id, called.key), wanted):
        for kind in (row.kind, ""):
            found[(row.workspace_id, row.installation_id), kind, row.key].add(row.external_id)
    return found


def open_cases(
    connection: Connection, installation: Installation, events: Sequence[Event], manifest: Manifest
) -> list[Case]:
    """Return the cases of events that come through an installation, whoever sent them."""
    connected = {(installation.workspace, installation.id): installation}
    tenants = Tenants(connected=connected, labelled=_load_labels(connection, connected, events))
    return [Case.of_event(installation, tenants.identified(installation, event), manifest) for event in events]
