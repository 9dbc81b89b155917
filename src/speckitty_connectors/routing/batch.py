"""A batch of cases with everything that any of them may be decided by; pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence, Set

from attrs import field, frozen

from ..mappings.types import Direction, ResourceMapping
from ..policy.resolution import PolicyBook
from ..providers.deliveries import Event
from ..providers.resources import ResourceReference
from ..providers.suggestions import Target
from ..resources.hierarchy import Place, lineage
from ..suggestions.findings import PROJECT
from .cases import Case, InstallationId
from .inference import Knowledge
from .review.ignore_rules import IgnoreRule


@frozen(kw_only=True)
class SeenResource:
    """What the inventory knows of a resource that events name, or that contains one.

    Attributes:
        id: our id.
        key: its key as of the latest listing or delivery.
        archived: whether the provider says that it takes no more changes.
    """

    id: str
    key: str
    archived: bool


@frozen(kw_only=True)
class Surroundings:
    """What is known of the resources that the events of one installation name.

    Attributes:
        resources: those that are known, with those that contain them.
        parents: resource → what contains it.
        mappings: resource → its mappings, in whatever state and direction.
    """

    resources: Mapping[Place, SeenResource] = field(factory=dict)
    parents: Mapping[Place, Place] = field(factory=dict)
    mappings: Mapping[Place, Sequence[ResourceMapping]] = field(factory=dict)

    def places_of(self, event: Event) -> Iterator[tuple[ResourceReference, int, Place]]:
        """Yield each resource of an event with itself and all that contains it, and how far away that is."""
        for reference in {each.place: each for each in event.resources}.values():
            for distance, place in enumerate(lineage(reference.place, self.parents)):
                yield reference, distance, place

    def incoming(self, place: Place) -> list[ResourceMapping]:
        """Return the mappings of a resource by which events could go, the oldest first; others lead outwards only."""
        found = [each for each in self.mappings.get(place, ()) if each.direction is not Direction.OUT]
        return sorted(found, key=lambda mapping: mapping.id)

    def mappings_for(self, event: Event) -> list[ResourceMapping]:
        """Return all mappings by which an event could go."""
        return [mapping for _, _, place in self.places_of(event) for mapping in self.incoming(place)]


@frozen(kw_only=True)
class Batch:
    """Cases that are decided together, in their order, and what decides them.

    Attributes:
        cases: the cases.
        surroundings: installation → what is known of the resources that its events name.
        knowledge: installation → what is known of the git repositories that nothing is mapped for.
        policies: what people set and locked of policies.
        ignore_rules: workspace → its rules, the oldest first.
        dismissed: installation and resource → each reason for which its item was dismissed, and in what words.
        handed_over: the effect keys of changes that targets were handed before.
    """

    cases: Sequence[Case]
    surroundings: Mapping[InstallationId, Surroundings] = field(factory=dict)
    knowledge: Mapping[InstallationId, Knowledge] = field(factory=dict)
    policies: PolicyBook = field(factory=PolicyBook)
    ignore_rules: Mapping[str, Sequence[IgnoreRule]] = field(factory=dict)
    dismissed: Mapping[tuple[InstallationId, Place], Mapping[str, str]] = field(factory=dict)
    handed_over: Set[str] = frozenset()

    def mappings_for(self, case: Case) -> list[ResourceMapping]:
        """Return all mappings by which the event of a case could go."""
        surroundings = self.surroundings.get(case.key, Surroundings())
        return surroundings.mappings_for(case.event) if case.event else []

    def reachable(self, case: Case) -> set[Target]:
        """Return every target that a case could be decided to go to."""
        mapped = {mapping.target for mapping in self.mappings_for(case)}
        known, resource = self.knowledge.get(case.key), case.repository
        if known is None or resource is None or case.event is None:
            return mapped
        return mapped | {
            Target(kind=PROJECT, id=each.project_id) for each in known.contenders(resource, case.event)
        }
