"""Which project stands out for a resource, whatever kind of observation speaks for it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence

from attrs import evolve

from .resources import Resource
from .suggestions import Confidence, Evidence, Suggestion, Target

STRONGEST_FIRST = tuple(Confidence)

Sightings = dict[str, dict[str, Confidence]]
"""Key of a resource in lower case → the projects that it was seen in, each with the strongest observation."""

Describe = Callable[[Resource, str, Confidence], Evidence]
"""Words an observation: the resource, the project, and how much it counts."""


def note_sighting(seen: Sightings, key: str, project: str, confidence: Confidence) -> None:
    """Add an observation; a weaker one of the same project changes nothing."""
    projects = seen.setdefault(key, {})
    projects[project] = min(projects.get(project, confidence), confidence, key=STRONGEST_FIRST.index)


def suggest_standing_out(
    resources: Sequence[Resource], seen: Mapping[str, Mapping[str, Confidence]], describe: Describe
) -> list[Suggestion]:
    """Return a suggestion for each resource that exactly one project stands out for, strongest first.

    Where two resources bear one key, a label is out of date and neither is suggested.
    """
    holders = Counter(resource.key.lower() for resource in resources)
    ordered = sorted(resources, key=lambda resource: (resource.key.lower(), resource.id))
    suggestions = (
        _suggestion(resource, seen[resource.key.lower()], describe)
        for resource in ordered
        if resource.key.lower() in seen and holders[resource.key.lower()] == 1
    )
    return sorted(filter(None, suggestions), key=lambda found: STRONGEST_FIRST.index(found.confidence))


def _suggestion(resource: Resource, projects: Mapping[str, Confidence], describe: Describe) -> Suggestion | None:
    strongest = min(projects.values(), key=STRONGEST_FIRST.index)
    fitting = [project for project, confidence in projects.items() if confidence is strongest]
    if len(fitting) != 1:
        return None
    others = sorted(project for project in projects if project != fitting[0])
    rivals = (evolve(describe(resource, other, projects[other]), against=True) for other in others)
    return Suggestion(
        resource_kind=resource.kind,
        resource_id=resource.id,
        target=Target(kind="project", id=fitting[0]),
        confidence=strongest,
        evidence=(describe(resource, fitting[0], strongest), *rivals),
    )
