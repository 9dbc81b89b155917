"""What the host observed of its projects, and which resource that suggests for them."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from enum import StrEnum
from types import MappingProxyType
from urllib.parse import urlsplit

from attrs import evolve, frozen

from .remotes import parse_remote
from .resources import Resource


@frozen(kw_only=True)
class Target:
    """Where events go: a thing of the host, known here by kind and opaque id only.

    Attributes:
        kind: ``project``, ``feed``, ``incident_stream``, or a kind that the host registered.
        id: the host's id.

    >>> str(Target(kind="project", id="apollo"))
    'project:apollo'
    """

    kind: str
    id: str

    def __str__(self) -> str:
        return f"{self.kind}:{self.id}"


@frozen(kw_only=True)
class Signal:
    """What the host observed of one of its projects.

    Attributes:
        project_id: the host's project.
        remote_url: a git remote as it was configured; may carry credentials, which never leave this value.
        repo_slug: ``owner/name`` where the host of the remote is unknown: weak evidence.
        commits: head commit SHAs that were seen.
        branches: branches that were seen.
        feature_slugs: feature slugs of the project.
        observed_at: when, in UTC, or None.

    >>> Signal(project_id="apollo", remote_url="git@github.com:octo-org/hello.git").repo_slug
    ''
    """

    project_id: str
    remote_url: str = ""
    repo_slug: str = ""
    commits: tuple[str, ...] = ()
    branches: tuple[str, ...] = ()
    feature_slugs: tuple[str, ...] = ()
    observed_at: datetime | None = None


class Confidence(StrEnum):
    """How sure a suggestion is, in the words people are shown; the surer one is greater.

    >>> Confidence.LOW < Confidence.MEDIUM < Confidence.HIGH
    True
    """

    HIGH = "high"
    MEDIUM = "medium"
    LOW = "low"

    @property
    def _rank(self) -> int:
        return -[*Confidence].index(self)

    def __lt__(self, other: str, /) -> bool:
        return self._rank < Confidence(other)._rank

    def __le__(self, other: str, /) -> bool:
        return self._rank <= Confidence(other)._rank

    def __gt__(self, other: str, /) -> bool:
        return self._rank > Confidence(other)._rank

    def __ge__(self, other: str, /) -> bool:
        return self._rank >= Confidence(other)._rank


@frozen(kw_only=True)
class Evidence:
    """One observation that speaks for or against a suggestion, worded for a person.

    Attributes:
        rule: stable name of the rule that found it.
        text: one line; never holds a credential.
        against: whether it speaks against.

    >>> Evidence(rule="remote", text="origin of apollo is github.com/octo-org/hello").against
    False
    """

    rule: str
    text: str
    against: bool = False


@frozen(kw_only=True)
class Suggestion:
    """A resource that probably belongs to a target; a person or a workspace's setting decides.

    >>> Suggestion(resource_kind="repository", resource_id="1", target=Target(kind="project", id="apollo"),
    ...            confidence=Confidence.HIGH).evidence
    ()
    """

    resource_kind: str
    resource_id: str
    target: Target
    confidence: Confidence
    evidence: tuple[Evidence, ...] = ()


@frozen(kw_only=True)
class SuggestionRequest:
    """Everything that `suggest_mappings` may look at: one page of an inventory, and the signals that could match.

    Attributes:
        host: host of the installation.
        web: base URL of the host's pages, for relative roots.
        resources: resources of one installation that nothing is mapped for.
        signals: what the host observed of the projects of one workspace, one thing a signal: the remotes and slugs
            that name one of the git repositories, and for each other resource the feature slugs and branches that
            begin with a ticket of its key.

    >>> SuggestionRequest(host="github.com", web="https://github.com", resources=(), signals=()).host
    'github.com'
    """

    host: str
    web: str
    resources: tuple[Resource, ...]
    signals: tuple[Signal, ...]


Sightings = dict[str, dict[str, Confidence]]
"""Key of a resource in lower case → the projects that it was seen in, each with the strongest observation."""

Describe = Callable[[Resource, str, Confidence], Evidence]
"""Words an observation: the resource, the project, and how much it counts."""


def note_sighting(seen: Sightings, key: str, project: str, confidence: Confidence) -> None:
    """Add an observation; a weaker one of the same project changes nothing."""
    projects = seen.setdefault(key, {})
    projects[project] = max(projects.get(project, confidence), confidence)


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
    return sorted(filter(None, suggestions), key=lambda found: found.confidence, reverse=True)


def _suggestion(resource: Resource, projects: Mapping[str, Confidence], describe: Describe) -> Suggestion | None:
    strongest = max(projects.values())
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
    return suggest_standing_out(resources, seen, _describe_keys)


def _keys_of(signal: Signal) -> Iterator[str]:
    for name in (*signal.branches, *signal.feature_slugs):
        yield from (found.group(1).lower() for found in _ISSUE_KEY.finditer(name))


def _describe_keys(resource: Resource, project: str, _: Confidence) -> Evidence:
    return Evidence(rule="issue_key", text=f"branches or features of {project} name issues of {resource.key}")


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
