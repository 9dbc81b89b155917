"""The first stage: what people mapped. The most specific level that has a mapping decides."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from ..mappings.types import Direction, ResourceMapping
from ..providers.deliveries import Event
from ..providers.resources import ResourceReference
from ..providers.suggestions import Evidence, Target
from .types import Conclusion, RoutedTarget, Stage

MAPPING = "mapping"
"""The rule of an event that goes where its resource is mapped to."""

SELECTOR = "selector"
"""The rule of an event whose resource is mapped, but not for events like this one."""

MAPPING_PAUSED = "mapping_paused"
"""The rule of an event whose resource is mapped by nothing but paused or orphaned mappings."""

LESS_SPECIFIC = "less_specific"
"""The evidence that lost because a more specific resource is mapped."""


REASONS = {
    SELECTOR: ", but its selector doesn't want this",
    MAPPING_PAUSED: ", which doesn't route: ",
    LESS_SPECIFIC: ", but a more specific resource is mapped",
}
"""What the evidence adds of a mapping that lost."""


class RouteTable:
    """Mappings of one installation, ready to decide any event of it; pure, the same answer for the same event.

    Resources are found by kind and immutable id, keys decide nothing. The event's resources are looked at
    level by level, the manifest's most specific kind first. The first level with any mapping decides, and no
    broader one is asked:

    - each mapping there that routes and whose selector wants the event gives its target, each target once;
    - if none wants it, the event is ignored by the rule ``selector``;
    - if none routes, because people paused them or their resources are gone, it is ignored by the rule
      ``mapping_paused``: pausing a mapping stops its events, it doesn't send them elsewhere.

    Mappings that only lead outwards are as good as none.

    Args:
        mappings: of one installation, for the resources of the events that will be asked about.
        rank: how specific a kind is, 0 for the most specific: `Manifest.rank`.

    >>> RouteTable((), rank=lambda kind: 0).decide(Event(kind="push")) is None
    True
    """

    def __init__(self, mappings: Iterable[ResourceMapping], *, rank: Callable[[str], int]) -> None:
        self._mappings: dict[tuple[str, str], list[ResourceMapping]] = {}
        for mapping in sorted(mappings, key=lambda mapping: mapping.id):
            if mapping.direction is not Direction.OUT:
                resource = (mapping.resource_kind, mapping.resource_external_id)
                self._mappings.setdefault(resource, []).append(mapping)
        self._ranks = {kind: rank(kind) for kind, _ in self._mappings}

    def decide(self, event: Event) -> Conclusion | None:
        """Return where an event goes and why, or None where nothing says anything of its resources."""
        levels: dict[int, list[_Candidate]] = {}
        for resource, reference in {(each.kind, each.id): each for each in event.resources}.items():
            if resource in self._mappings:
                mapped = levels.setdefault(self._ranks[resource[0]], [])
                mapped.extend((mapping, reference) for mapping in self._mappings[resource])
        if not levels:
            return None
        deciding = levels.pop(min(levels))
        rules = [_rule(mapping, event) for mapping, _ in deciding]
        won = [mapping for (mapping, _), rule in zip(deciding, rules, strict=True) if rule == MAPPING]
        lost = [(candidate, LESS_SPECIFIC) for rank in sorted(levels) for candidate in levels[rank]]
        return Conclusion(
            stage=Stage.EXPLICIT if won else Stage.IGNORED,
            rule=MAPPING if won else SELECTOR if SELECTOR in rules else MAPPING_PAUSED,
            targets=_targets(won),
            evidence=tuple(
                _evidence(mapping, reference, rule)
                for (mapping, reference), rule in (*zip(deciding, rules, strict=True), *lost)
            ),
        )

    def renamed(self, event: Event) -> list[ResourceReference]:
        """Return those of an event's resources that are mapped under another key than the event gives."""
        return [
            reference
            for reference in event.resources
            if reference.key
            and any(
                mapping.resource_key != reference.key
                for mapping in self._mappings.get((reference.kind, reference.id), ())
            )
        ]


_Candidate = tuple[ResourceMapping, ResourceReference]


def _rule(mapping: ResourceMapping, event: Event) -> str:
    if not mapping.routes:
        return MAPPING_PAUSED
    return MAPPING if mapping.selector.matches(event) else SELECTOR


def _targets(won: Sequence[ResourceMapping]) -> tuple[RoutedTarget, ...]:
    """Return each target once, with the oldest mapping that names it."""
    oldest: dict[Target, RoutedTarget] = {}
    for mapping in sorted(won, key=lambda mapping: mapping.id):
        oldest.setdefault(mapping.target, RoutedTarget(target=mapping.target, mapping_id=mapping.id))
    return tuple(oldest.values())


def _evidence(mapping: ResourceMapping, reference: ResourceReference, rule: str) -> Evidence:
    # the event's own label, not the stored one: the same event is explained in the same words for ever
    text = f"{reference.kind} {reference.key or reference.id} is mapped to {mapping.target}"
    if rule == MAPPING:
        return Evidence(rule=rule, text=text)
    reason = REASONS[rule]
    if rule == MAPPING_PAUSED:
        reason += mapping.state_reason or mapping.state.value
    return Evidence(rule=rule, text=text + reason, against=True)
