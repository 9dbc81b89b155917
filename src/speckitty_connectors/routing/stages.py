"""The stages that place events, in the order in which they are asked; what none places goes to the review queue."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence

from attrs import frozen
from sqlalchemy import Connection

from ..installations.hierarchy import find_parents
from ..installations.types import Installation
from ..mappings import repository as mappings
from ..mappings.types import ResourceMapping
from ..providers.deliveries import Event
from ..providers.manifest import Manifest
from ..providers.resources import ResourceReference
from .admission import most_specific
from .explicit import RouteTable
from .types import Conclusion


@frozen(kw_only=True)
class Case:
    """An event of one installation that is to be placed.

    Attributes:
        installation: the installation.
        event: what happened.
        manifest: of the provider's plugin.
    """

    installation: Installation
    event: Event
    manifest: Manifest

    @property
    def subject(self) -> ResourceReference:
        """The most specific resource that the event names: what a review item of it is about."""
        return most_specific(self.manifest, self.event)


PreparedStage = Callable[[Case], Conclusion | None]
"""Decides a case, or answers None to leave it to the next stage."""

PlacingStage = Callable[[Connection, Sequence[Case]], PreparedStage]
"""Loads what a batch of cases needs, with one query per installation, and returns what decides each of them."""


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


STAGES: tuple[PlacingStage, ...] = (explicit_mappings,)
"""What a router asks unless it is given others."""


def _load(connection: Connection, cases: Sequence[Case], propose: Propose) -> RouteTable:
    installation, manifest = cases[0].installation, cases[0].manifest
    scope = {"workspace": installation.workspace, "installation_id": installation.id}
    named = {reference.place for case in cases for reference in case.event.resources}
    parents = find_parents(connection, **scope, places=named, parent_kinds=manifest.parent_kinds())
    found = mappings.find_for_resources(connection, **scope, places=named | set(parents.values()))
    return RouteTable(propose(installation, found), rank=manifest.rank, parents=parents)
