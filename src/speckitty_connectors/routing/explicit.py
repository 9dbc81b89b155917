"""The first stage: what people mapped. The most specific level that has a mapping decides; pure."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from ..mappings.types import MappingState, ResourceMapping
from ..providers.deliveries import Event
from ..providers.suggestions import Evidence, Target
from ..resources.hierarchy import Place
from .batch import Surroundings
from .types import ORPHANED, Conclusion, RoutedTarget, Stage

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


_Level = tuple[int, int]
"""How specific a kind is, and how far the resource is from the one that the event names."""

_Candidate = tuple[ResourceMapping, str]
"""A mapping, and what its resource is called in the explanation."""


def explicit(event: Event, surroundings: Surroundings, rank: Callable[[str], int]) -> Conclusion | None:
    """Return where people mapped an event to, and why, or None where nothing is mapped that it could go by.

    Resources are found by kind and immutable id, keys decide nothing. The resources that an event names, and
    those that contain them, are looked at level by level: the manifest's most specific kind first, and of one
    kind the inner before the outer. The first level with any mapping decides, and no broader one is asked:

    - each mapping there that routes and whose selector wants the event gives its target, each target once;
    - if none wants it, the event is ignored by the rule ``selector``;
    - if none routes and people paused one of them, it is ignored by the rule ``mapping_paused``: pausing a
      mapping stops its events, it doesn't send them elsewhere;
    - if none routes because their resources are gone, the event itself shows that this isn't so: a person looks
      at it, by the rule ``orphaned``.

    Mappings that only lead outwards are as good as none.

    >>> explicit(Event(kind="push"), Surroundings(), rank=lambda kind: 0) is None
    True
    """
    levels = _levels(event, surroundings, rank)
    return _by_level(event, levels) if levels else None


def _by_level(event: Event, levels: dict[_Level, list[_Candidate]]) -> Conclusion:
    """Return what the most specific of the levels decides."""
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


def _levels(event: Event, surroundings: Surroundings, rank: Callable[[str], int]) -> dict[_Level, list[_Candidate]]:
    """Return the mappings that an event could go by, the most specific level having the lowest number."""
    distances: dict[Place, int] = {}
    called: dict[Place, str] = {}
    for reference, distance, place in surroundings.places_of(event):
        distances[place] = max(distance, distances.get(place, 0))
        # the event's own label, not the stored one: the same event is explained in the same words for ever
        label = f"{reference.kind} {reference.key or reference.id}"
        inside = f"{' '.join(place)}, which contains {label}," if distance else label
        called[place] = inside if place not in called or not distance else called[place]
    levels: dict[_Level, list[_Candidate]] = {}
    for place, label in called.items():
        for mapping in surroundings.incoming(place):
            levels.setdefault((rank(place[0]), distances[place]), []).append((mapping, label))
    return levels


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
