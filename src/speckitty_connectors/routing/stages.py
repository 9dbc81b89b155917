"""The stages that place events, in the order in which they are asked; what none places goes to the review queue."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence

from sqlalchemy import Connection

from ..installations.hierarchy import find_parents
from ..installations.types import Installation
from ..mappings import repository as mappings
from ..mappings.types import ResourceMapping
from .cases import Case, PlacingStage, PreparedStage
from .explicit import RouteTable
from .inference_stage import inference

Propose = Callable[[Installation, Sequence[ResourceMapping]], Sequence[ResourceMapping]]
"""Returns the mappings of an installation as somebody proposes that they be."""


def as_they_are(_: Installation, found: Sequence[ResourceMapping]) -> Sequence[ResourceMapping]:
    """Propose nothing."""
    return found


def explicit_mappings(
    connection: Connection, cases: Sequence[Case], *, propose: Propose = as_they_are
) -> PreparedStage:
    """Prepare the stage of explicit mappings."""
    grouped: dict[str, list[Case]] = defaultdict(list)
    for case in cases:
        grouped[case.installation.id].append(case)
    tables = {installation_id: _load(connection, group, propose) for installation_id, group in grouped.items()}
    return lambda case: tables[case.installation.id].decide(case.event)


STAGES: tuple[PlacingStage, ...] = (explicit_mappings, inference)
"""What a router asks unless it is given others."""


def _load(connection: Connection, cases: Sequence[Case], propose: Propose) -> RouteTable:
    installation, manifest = cases[0].installation, cases[0].manifest
    scope = {"workspace": installation.workspace, "installation_id": installation.id}
    named = {reference.place for case in cases for reference in case.event.resources}
    parents = find_parents(connection, **scope, places=named, parent_kinds=manifest.parent_kinds())
    found = mappings.find_for_resources(connection, **scope, places=named | set(parents.values()))
    return RouteTable(propose(installation, found), rank=manifest.rank, parents=parents)
