"""The first stage: what people mapped. The most specific level that has a mapping decides."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from types import MappingProxyType

from sqlalchemy import Connection

from ..installations.types import Installation
from ..mappings import repository as mappings
from ..mappings.types import Direction, MappingState, ResourceMapping
from ..providers.deliveries import Event
from ..providers.suggestions import Evidence, Target
from ..resources.hierarchy import Place, find_parents, lineage
from .cases import Case, PlacingStage, PreparedStage
from .inference_facts import inference
from .types import ORPHANED, Conclusion, RoutedTarget, Stage

NO_PARENTS: Mapping[Place, Place] = MappingProxyType({})
"""What is known of containment where nothing is."""

MAPPING = "mapping"
"""The rule of an event that goes where its resource is mapped to."""

SELECTOR = "selector"
"""The rule of an event whose resource is mapped, but not for events like this one."""

MAPPING_PAUSED = "mapping_paused"
"""The rule of an event whose resource is mapped, but people paused that."""

LESS_SPECIFIC = "less_specific"
"""The evidence that lost because a more specific resource is mapped."""

REASONS = {
    SELECTOR: ", but its selector doesn't want this",
    MAPPING_PAUSED: ", which doesn't route: ",
    ORPHANED: ", which doesn't route: ",
    LESS_SPECIFIC: ", but a more specific resource is mapped",
}
"""What the evidence adds of a mapping that lost."""

VERDICTS = (
    (Stage.EXPLICIT, MAPPING),
    (Stage.IGNORED, SELECTOR),
    (Stage.IGNORED, MAPPING_PAUSED),
    (Stage.REVIEW, ORPHANED),
)
"""What becomes of an event by the mappings of the deciding level: the first rule that one of them meets."""


class RouteTable:
    """Mappings of one installation, ready to decide any event of it; pure, the same answer for the same event.

    Resources are found by kind and immutable id, keys decide nothing. The resources that an event names, and
    those that contain them, are looked at level by level: the manifest's most specific kind first, and of one
    kind the inner before the outer. The first level with any mapping decides, and no broader one is asked:

    - each mapping there that routes and whose selector wants the event gives its target, each target once;
    - if none wants it, the event is ignored by the rule ``selector``;
    - if none routes and people paused one of them, it is ignored by the rule ``mapping_paused``: pausing a
      mapping stops its events, it doesn't send them elsewhere;
    - if none routes because their resources are gone, the event itself says that this isn't so: a person looks
      at it, by the rule ``orphaned``.

    Mappings that only lead outwards are as good as none.

    Args:
        mappings: of one installation, for the resources of the events that will be asked about.
        rank: how specific a kind is, 0 for the most specific: `Manifest.rank`.
        parents: resource → what contains it, as the inventory knows it.

    >>> RouteTable((), rank=lambda kind: 0).decide(Event(kind="push")) is None
    True
    """

    def __init__(
        self,
        mappings: Iterable[ResourceMapping],
        *,
        rank: Callable[[str], int],
        parents: Mapping[Place, Place] = NO_PARENTS,
    ) -> None:
        self._mappings: dict[Place, list[ResourceMapping]] = {}
        for mapping in sorted(mappings, key=lambda mapping: mapping.id):
            if mapping.direction is not Direction.OUT:
                self._mappings.setdefault(mapping.place, []).append(mapping)
        self._ranks = {kind: rank(kind) for kind, _ in self._mappings}
        self._parents = parents

    def decide(self, event: Event) -> Conclusion | None:
        """Return where an event goes and why, or None where nothing says anything of its resources."""
        levels = self._levels(event)
        if not levels:
            return None
        deciding = levels.pop(min(levels))
        rules = [_rule(mapping, event) for mapping, _ in deciding]
        won = [mapping for (mapping, _), rule in zip(deciding, rules, strict=True) if rule == MAPPING]
        lost = [(candidate, LESS_SPECIFIC) for level in sorted(levels) for candidate in levels[level]]
        stage, rule = next(verdict for verdict in VERDICTS if verdict[1] in rules)
        return Conclusion(
            stage=stage,
            rule=rule,
            targets=_targets(won),
            evidence=tuple(
                _evidence(mapping, called, rule)
                for (mapping, called), rule in (*zip(deciding, rules, strict=True), *lost)
            ),
        )

    def _levels(self, event: Event) -> dict[_Level, list[_Candidate]]:
        """Return the mappings that an event could go by, the most specific level having the lowest number."""
        distances: dict[Place, int] = {}
        called: dict[Place, str] = {}
        for reference in {each.place: each for each in event.resources}.values():
            label = f"{reference.kind} {reference.key or reference.id}"
            for distance, place in enumerate(lineage(reference.place, self._parents)):
                distances[place] = max(distance, distances.get(place, 0))
                # the event's own label, not the stored one: the same event is explained in the same words for ever
                inside = f"{' '.join(place)}, which contains {label}," if distance else label
                called[place] = inside if place not in called or not distance else called[place]
        levels: dict[_Level, list[_Candidate]] = {}
        for place, label in called.items():
            if place in self._mappings:
                level = levels.setdefault((self._ranks[place[0]], distances[place]), [])
                level.extend((mapping, label) for mapping in self._mappings[place])
        return levels


_Level = tuple[int, int]
"""How specific a kind is, and how far the resource is from the one that the event names."""

_Candidate = tuple[ResourceMapping, str]
"""A mapping, and what its resource is called in the explanation."""


def _rule(mapping: ResourceMapping, event: Event) -> str:
    if mapping.state is MappingState.ORPHANED:
        return ORPHANED
    if not mapping.routes:
        return MAPPING_PAUSED
    return MAPPING if mapping.selector.matches(event) else SELECTOR


def _targets(won: Sequence[ResourceMapping]) -> tuple[RoutedTarget, ...]:
    """Return each target once, with the oldest mapping that names it."""
    oldest: dict[Target, RoutedTarget] = {}
    for mapping in sorted(won, key=lambda mapping: mapping.id):
        oldest.setdefault(mapping.target, RoutedTarget(target=mapping.target, mapping_id=mapping.id))
    return tuple(oldest.values())


def _evidence(mapping: ResourceMapping, called: str, rule: str) -> Evidence:
    text = f"{called} is mapped to {mapping.target}"
    if rule == MAPPING:
        return Evidence(rule=rule, text=text)
    reason = REASONS[rule]
    if rule in {MAPPING_PAUSED, ORPHANED}:
        reason += mapping.state_reason or mapping.state.value
    return Evidence(rule=rule, text=text + reason, against=True)


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
    named = {reference.place for case in cases for reference in case.event.resources}
    parents = find_parents(connection, installation, named, parent_kinds=manifest.parent_kinds())
    found = mappings.find_for_resources(connection, installation, named | set(parents.values()))
    return RouteTable(propose(installation, found), rank=manifest.rank, parents=parents)
