"""Which repository belongs to which project, judged by the git remotes that were seen in the projects."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from urllib.parse import urlsplit

from .remotes import parse_remote
from .resources import Resource
from .standing_out import Sightings, note_sighting, suggest_standing_out
from .suggestions import Confidence, Evidence, Signal, Suggestion, SuggestionRequest

NO_ALIASES: Mapping[str, str] = MappingProxyType({})


def suggest_by_remotes(
    request: SuggestionRequest, *, kind: str, host_aliases: Mapping[str, str] = NO_ALIASES
) -> list[Suggestion]:
    """Return a suggestion for each repository that exactly one project stands out for, strongest first.

    A remote names the host too and counts fully. A slug names none (the same ``owner/name`` may live on several
    hosts) and counts little. Where two repositories bear one key, a label is out of date and neither is suggested.
    Keys compare without regard to case.

    Args:
        request: of the hook `suggest_mappings`.
        kind: the resource kind that is a git repository, its key the path of its remote.
        host_aliases: host names of remotes that stand for another one, as of `parse_remote`.

    >>> resources = (Resource(kind="repository", id="7", key="octo-org/hello"),)
    >>> signals = (Signal(project_id="apollo", remote_url="git@github.com:octo-org/hello.git"),)
    >>> request = SuggestionRequest(host="github.com", web="https://github.com",
    ...                             resources=resources, signals=signals)
    >>> [(str(found.target), found.confidence.value) for found in suggest_by_remotes(request, kind="repository")]
    [('project:apollo', 'high')]
    """
    seen: Sightings = {}
    for signal in request.signals:
        key, confidence = _sighting(signal, request.web, host_aliases)
        note_sighting(seen, key, signal.project_id, confidence)
    repositories = [resource for resource in request.resources if resource.kind == kind]
    return suggest_standing_out(repositories, seen, _describe)


def _sighting(signal: Signal, web: str, host_aliases: Mapping[str, str]) -> tuple[str, Confidence]:
    """Return the repository that a signal names, as a key in lower case, and how much that counts."""
    site = urlsplit(web)
    remote = parse_remote(signal.remote_url, root=site.path, case_sensitive=False, host_aliases=host_aliases)
    if remote is None:
        return signal.repo_slug.strip("/").removesuffix(".git").lower(), Confidence.LOW
    here = remote.host == site.hostname and remote.port in {None, site.port}
    return remote.path if here else "", Confidence.HIGH


def _describe(resource: Resource, project: str, confidence: Confidence) -> Evidence:
    """Return the wording; it shows the repository's own key, never the remote that was typed."""
    if confidence is Confidence.HIGH:
        return Evidence(rule="remote", text=f"a git remote of {project} is {resource.key}")
    return Evidence(rule="slug", text=f"{project} names {resource.key}, on no particular host")
