"""Which resource belongs to which project, judged by the issue keys in the project's branches and feature slugs."""

from __future__ import annotations

import re
from collections.abc import Iterator

from .resources import Resource
from .standing_out import Sightings, note_sighting, suggest_standing_out
from .suggestions import Confidence, Evidence, Signal, Suggestion, SuggestionRequest

_ISSUE_KEY = re.compile(r"(?<![A-Za-z0-9])([A-Za-z][A-Za-z0-9_]{0,19})-[1-9][0-9]{0,9}(?![A-Za-z0-9])", re.ASCII)
"""A key as trackers write it: the key of a project or team, a dash, and a number that doesn't begin with zero."""


def suggest_by_issue_keys(request: SuggestionRequest, *, kind: str) -> list[Suggestion]:
    """Return a suggestion for each resource whose issues exactly one project works on, strongest first.

    Work that begins with a ticket carries its key in the names of branches and features: ``web-123`` is about the
    resource with the key ``WEB``. It says less than a git remote, so the confidence is medium.

    Args:
        request: of the hook `suggest_mappings`.
        kind: the resource kind whose key begins the keys of its issues.

    >>> resources = (Resource(kind="project", id="10001", key="WEB"),)
    >>> signals = (Signal(project_id="apollo", branches=("kitty/mission-web-123-01KABCDE",)),)
    >>> request = SuggestionRequest(host="atlassian.net", web="", resources=resources, signals=signals)
    >>> [str(found.target) for found in suggest_by_issue_keys(request, kind="project")]
    ['project:apollo']
    """
    seen: Sightings = {}
    for signal in request.signals:
        for key in _keys_of(signal):
            note_sighting(seen, key, signal.project_id, Confidence.MEDIUM)
    resources = [resource for resource in request.resources if resource.kind == kind]
    return suggest_standing_out(resources, seen, _describe)


def _keys_of(signal: Signal) -> Iterator[str]:
    for name in (*signal.branches, *signal.feature_slugs):
        yield from (found.group(1).lower() for found in _ISSUE_KEY.finditer(name))


def _describe(resource: Resource, project: str, _: Confidence) -> Evidence:
    return Evidence(rule="issue_key", text=f"branches or features of {project} name issues of {resource.key}")
