"""Which repository belongs to which project, judged by the remotes that were seen in the projects."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from urllib.parse import urlsplit

from speckitty_connectors import (
    Confidence,
    Evidence,
    Resource,
    Signal,
    Suggestion,
    SuggestionRequest,
    Target,
    parse_remote,
)

from .manifest import HOSTS

HOST_ALIASES: Mapping[str, str] = dict.fromkeys(HOSTS.aliases, HOSTS.default)

_STRONGEST_FIRST = tuple(Confidence)


def suggest_mappings(request: SuggestionRequest) -> list[Suggestion]:
    """Return a suggestion for each repository that exactly one project stands out for, strongest first.

    A remote names the host too and counts fully. A slug names none (the same ``owner/name`` may live on several
    hosts) and counts little. Where two repositories bear one key, a label is out of date and neither is suggested.
    """
    seen: dict[str, dict[str, Confidence]] = {}
    for signal in request.signals:
        key, confidence = _sighting(signal, request.web)
        projects = seen.setdefault(key, {})
        known = projects.get(signal.project_id, confidence)
        projects[signal.project_id] = min(known, confidence, key=_STRONGEST_FIRST.index)
    holders = Counter(resource.key.lower() for resource in request.resources)
    ordered = sorted(request.resources, key=lambda resource: (resource.key.lower(), resource.id))
    suggestions = (
        _suggestion(resource, seen[resource.key.lower()])
        for resource in ordered
        if resource.key.lower() in seen and holders[resource.key.lower()] == 1
    )
    return sorted(filter(None, suggestions), key=lambda found: _STRONGEST_FIRST.index(found.confidence))


def _sighting(signal: Signal, web: str) -> tuple[str, Confidence]:
    """Return the repository that a signal names, as a key in lower case, and how much that counts."""
    site = urlsplit(web)
    remote = parse_remote(signal.remote_url, root=site.path, case_sensitive=False, host_aliases=HOST_ALIASES)
    if remote is None:
        return signal.repo_slug.strip("/").removesuffix(".git").lower(), Confidence.LOW
    here = remote.host == site.hostname and remote.port in {None, site.port}
    return remote.path if here else "", Confidence.HIGH


def _suggestion(resource: Resource, projects: Mapping[str, Confidence]) -> Suggestion | None:
    strongest = min(projects.values(), key=_STRONGEST_FIRST.index)
    fitting = [project for project, confidence in projects.items() if confidence is strongest]
    if len(fitting) != 1:
        return None
    others = sorted(project for project in projects if project != fitting[0])
    return Suggestion(
        resource_kind=resource.kind,
        resource_id=resource.id,
        target=Target(kind="project", id=fitting[0]),
        confidence=strongest,
        evidence=(
            _evidence(resource, fitting[0], strongest),
            *(_evidence(resource, other, projects[other], against=True) for other in others),
        ),
    )


def _evidence(resource: Resource, project: str, confidence: Confidence, *, against: bool = False) -> Evidence:
    """Return the wording; it shows the repository's own key, never the remote that was typed."""
    if confidence is Confidence.HIGH:
        return Evidence(rule="remote", text=f"a git remote of {project} is {resource.key}", against=against)
    return Evidence(rule="slug", text=f"{project} names {resource.key}, on no particular host", against=against)
