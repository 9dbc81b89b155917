"""What the host observed of its projects, and which resource that suggests for them."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

from attrs import frozen

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
    """How sure a suggestion is, in the words people are shown."""

    HIGH = "high"
    MEDIUM = "medium"
    LOW = "low"


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
