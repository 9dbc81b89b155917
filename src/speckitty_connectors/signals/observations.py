"""A signal taken apart into single observations, each fit to be stored and looked up; pure."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime
from enum import StrEnum
from typing import Final

from attrs import frozen

from ..providers.remotes import parse_remote, parse_slug
from ..providers.suggestions import Signal
from .spec_kitty_names import mission_of, ticket_key

RETENTION_DAYS: Final = 180
"""How long an observation is kept after it was last made, unless the settings say otherwise."""

LONGEST_VALUE: Final = 512
"""Characters of a value that is kept; index entries of PostgreSQL end at 2,704 bytes."""

DETACHED: Final = "HEAD"
"""What `git rev-parse --abbrev-ref HEAD` prints where no branch is checked out ("git-rev-parse")."""

_COMMIT = re.compile(r"(?!0+\Z)(?:[0-9a-f]{40}|[0-9a-f]{64})")
"""A full SHA-1 or SHA-256 commit id; all zeros stand for "no commit"."""


class SignalKind(StrEnum):
    """What an observation is of."""

    REMOTE = "remote"
    SLUG = "slug"
    COMMIT = "commit"
    BRANCH = "branch"
    FEATURE = "feature"
    TICKET = "ticket"


class Unusable(StrEnum):
    """Why a part of a signal isn't kept."""

    PROJECT = "project"
    REMOTE = "remote"
    SLUG = "slug"
    COMMIT = "commit"
    BRANCH = "branch"
    FEATURE = "feature_slug"
    MOMENT = "observed_at"


REASONS: Final = {
    Unusable.PROJECT: "it names no project, or one with an unreadable id",
    Unusable.REMOTE: "the remote points to no hosted repository",
    Unusable.SLUG: "the slug isn't owner/name",
    Unusable.COMMIT: "the commit isn't a full SHA-1 or SHA-256",
    Unusable.BRANCH: "the branch is empty, too long or unprintable",
    Unusable.FEATURE: "the feature slug is empty, too long or unprintable",
    Unusable.MOMENT: "the moment has no time zone",
}
"""Each reason in words."""


@frozen(kw_only=True)
class Observation:
    """One thing that was seen of a project.

    Attributes:
        project_id: the host's project.
        kind: what it is.
        value: what it is found by: a remote or slug in lower case, anything else as it is.
        label: how it was spelled; never holds a credential.
        observed_at: when, in UTC, or None.
    """

    project_id: str
    kind: SignalKind
    value: str
    label: str
    observed_at: datetime | None = None


def observe(signal: Signal) -> Iterator[Observation | Unusable]:
    """Yield what a signal tells, and a reason for each part of it that can't be used.

    A remote says more than a slug, so the slug of a signal whose remote can be read is left aside. Letters' case
    tells no repositories apart on the hosts there are, so remotes and slugs are found in lower case.

    >>> signal = Signal(project_id="apollo", remote_url="https://mona:token@github.com/Octo-Org/Hello.git",
    ...                 branches=("HEAD",), commits=("abc",))
    >>> [getattr(each, "value", each) for each in observe(signal)]
    ['https://github.com/octo-org/hello', 'commit']
    """
    if not _is_plain(signal.project_id):
        yield Unusable.PROJECT
    elif signal.observed_at is not None and signal.observed_at.tzinfo is None:
        yield Unusable.MOMENT
    else:
        for part in _parts(signal):
            if isinstance(part, Unusable):
                yield part
                continue
            kind, value, label = part
            yield Observation(
                project_id=signal.project_id, kind=kind, value=value, label=label, observed_at=signal.observed_at
            )


_Part = tuple[SignalKind, str, str] | Unusable


def _parts(signal: Signal) -> Iterator[_Part]:
    yield from _repository(signal)
    for commit in signal.commits:
        sha = commit.strip().lower()
        yield (SignalKind.COMMIT, sha, sha) if _COMMIT.fullmatch(sha) else Unusable.COMMIT
    for branch in signal.branches:
        name = branch.removeprefix("refs/heads/")
        if name != DETACHED:
            yield from _branch(name)
    for slug in signal.feature_slugs:
        yield from _feature(slug)


def _repository(signal: Signal) -> Iterator[_Part]:
    spelled = parse_remote(signal.remote_url) if signal.remote_url else None
    folded = parse_remote(signal.remote_url, case_sensitive=False) if spelled else None
    if spelled is not None and folded is not None and len(spelled.url) <= LONGEST_VALUE:
        yield SignalKind.REMOTE, folded.url, spelled.url
        return
    if signal.remote_url:
        yield Unusable.REMOTE
    if signal.repo_slug:
        slug = parse_slug(signal.repo_slug)
        usable = slug is not None and len(slug) <= LONGEST_VALUE
        yield (SignalKind.SLUG, slug.lower(), slug) if slug is not None and usable else Unusable.SLUG


def _branch(name: str) -> Iterator[_Part]:
    if not _is_plain(name):
        yield Unusable.BRANCH
        return
    yield SignalKind.BRANCH, name, name
    if mission := mission_of(name):
        yield from _feature(mission)
    elif ticket := ticket_key(name):
        yield SignalKind.TICKET, ticket, name


def _feature(slug: str) -> Iterator[_Part]:
    if not _is_plain(slug):
        yield Unusable.FEATURE
        return
    yield SignalKind.FEATURE, slug, slug
    if ticket := ticket_key(slug):
        yield SignalKind.TICKET, ticket, slug


def _is_plain(text: str) -> bool:
    """Return whether a text can be stored and shown: not empty, not too long, nothing that controls."""
    return 0 < len(text) <= LONGEST_VALUE and text.isprintable()
