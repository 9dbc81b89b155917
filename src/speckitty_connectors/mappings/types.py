"""Layer 3's types: a resource mapped to a target, and what narrows the mapping."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from enum import StrEnum
from fnmatch import fnmatchcase
from typing import Any, ClassVar, Final

from attrs import field, frozen
from attrs.validators import and_, deep_iterable, instance_of, min_len

from ..identifiers import new_id
from ..providers.codec import to_document
from ..providers.deliveries import Event
from ..providers.suggestions import Target
from ..resources.types import KnownResource

RESOURCE: Final = (
    "workspace", "installation_id", "resource_id", "resource_kind", "resource_external_id", "resource_key",
)  # fmt: skip
"""How mappings, and suggestions of them, name their resource."""

TARGET_KINDS = ("project", "feed", "incident_stream")
"""The kinds of targets that every host has."""


class Direction(StrEnum):
    """Which way a mapping lets things flow; events are routed over `IN` and `BOTH`."""

    IN = "in"
    OUT = "out"
    BOTH = "both"


class MappingOrigin(StrEnum):
    """Where a mapping comes from."""

    MANUAL = "manual"
    SUGGESTED = "suggested"
    AUTOMATIC = "automatic"
    MIGRATED = "migrated"


class MappingState(StrEnum):
    """Whether a mapping routes.

    `PAUSED` is set by people; the rest is derived: `ORPHANED` where nothing can come over the resource,
    `DEGRADED` where the resource is archived, which still routes what comes.
    """

    ACTIVE = "active"
    PAUSED = "paused"
    DEGRADED = "degraded"
    ORPHANED = "orphaned"


_words = deep_iterable(and_(instance_of(str), min_len(1)), instance_of(tuple))


@frozen(kw_only=True)
class Selector:
    """Which of a resource's events a mapping wants; what is empty narrows nothing.

    An event that says nothing of a branch, or of paths, isn't matched by a selector that names some; one that
    lists only some of its paths is, because nothing may be lost. A branch of a fork is never one of the
    resource's own.

    Attributes:
        kinds: event kinds, each alone or as ``kind.action``.
        branches: globs over branch names, case-sensitive: ``main``, ``release/*``.
        paths: folders or files; one changed path under any of them is enough. In a glob, ``*`` stays within a
            name and ``**`` is any number of folders: ``services/*/api``, ``**/*.sql``.

    >>> from speckitty_connectors import GitFacts
    >>> selector = Selector(kinds=("push",), branches=("release/*",), paths=("services/billing",))
    >>> selector.matches(Event(kind="push", git=GitFacts(branch="release/2", paths=("services/billing/a.py",))))
    True
    >>> selector.matches(Event(kind="push", git=GitFacts(branch="release/2", paths=("services/billings.md",))))
    False
    """

    kinds: tuple[str, ...] = field(default=(), validator=_words)
    branches: tuple[str, ...] = field(default=(), validator=_words)
    paths: tuple[str, ...] = field(default=(), validator=_words)

    def __str__(self) -> str:
        """Return it in words."""
        named = {"kinds": self.kinds, "branches": self.branches, "paths": self.paths}
        told = [f"{name} {', '.join(words)}" for name, words in named.items() if words]
        return "; ".join(told) or "everything"

    def matches(self, event: Event) -> bool:
        """Return whether the mapping wants this event."""
        return self._matches_kind(event) and self._matches_branch(event) and self._matches_paths(event)

    def _matches_kind(self, event: Event) -> bool:
        return not self.kinds or event.kind in self.kinds or f"{event.kind}.{event.action}" in self.kinds

    def _matches_branch(self, event: Event) -> bool:
        if not self.branches:
            return True
        if event.git is None or not event.git.branch or event.git.from_fork:
            return False
        return any(fnmatchcase(event.git.branch, pattern) for pattern in self.branches)

    def _matches_paths(self, event: Event) -> bool:
        if not self.paths:
            return True
        if event.git and event.git.truncated:
            return True
        changed = event.git.paths if event.git else ()
        wanted = [pattern.strip("/").split("/") for pattern in self.paths]
        return any(_is_under(path.split("/"), pattern) for path in changed for pattern in wanted)


def _is_under(names: Sequence[str], pattern: Sequence[str]) -> bool:
    """Return whether a path, or a folder that it is in, matches; a name meets each part at most once."""
    reached = {0}
    for part in pattern:
        if part == "**":
            reached = set(range(min(reached), len(names) + 1))
        else:
            reached = {
                place + 1
                for place in reached
                if place < len(names) and (names[place] == part or fnmatchcase(names[place], part))
            }
        if not reached:
            return False
    return True


@frozen(kw_only=True)
class Overlap:
    """Another mapping that could want the same events.

    Attributes:
        mapping_id: the other mapping.
        rule: ``fans_out`` where both get the events they want, ``most_specific`` where one of them wins.
        text: who gets what, for a person.
    """

    mapping_id: str
    rule: str
    text: str

    def __str__(self) -> str:
        return self.text


@frozen(kw_only=True)
class ResourceMapping:
    """A resource mapped to a target of the host: explicit, with an author and an origin.

    Attributes:
        workspace: the host's workspace.
        id: our id.
        installation_id: the installation that the resource is seen through.
        resource_id: our id of the resource.
        resource_kind: its kind.
        resource_external_id: the provider's immutable id of it.
        resource_key: its display key of today.
        target: where its events go.
        selector: which of them.
        direction: which way things flow.
        origin: where the mapping comes from.
        state: whether it routes.
        state_reason: why, for a person; empty where there is nothing to say.
        created_by: who made it, as the audit names them.
        created_at: when, in UTC.
        updated_at: when it last changed, in UTC.
        overlaps: right after a change, other mappings that could want the same events; no part of what is stored.

    >>> from datetime import UTC, datetime
    >>> moment = datetime(2026, 1, 2, tzinfo=UTC)
    >>> mapping = ResourceMapping(
    ...     workspace="w1", id="m1", installation_id="i1", resource_id="r1", resource_kind="board",
    ...     resource_external_id="9", resource_key="plans", target=Target(kind="project", id="apollo"),
    ...     created_by="member:mona", created_at=moment, updated_at=moment)
    >>> mapping.routes, str(mapping.target)
    (True, 'project:apollo')
    """

    entity: ClassVar[str] = "mapping"

    workspace: str
    id: str
    installation_id: str
    resource_id: str
    resource_kind: str
    resource_external_id: str
    resource_key: str
    target: Target
    created_by: str
    created_at: datetime
    updated_at: datetime
    selector: Selector = Selector()
    direction: Direction = Direction.BOTH
    origin: MappingOrigin = MappingOrigin.MANUAL
    state: MappingState = MappingState.ACTIVE
    state_reason: str = ""
    overlaps: tuple[Overlap, ...] = field(default=(), eq=False)

    @property
    def place(self) -> tuple[str, str]:
        """Kind and immutable id of the resource."""
        return self.resource_kind, self.resource_external_id

    @property
    def routes(self) -> bool:
        """Whether events come in over it; what its selector wants is asked apart."""
        return self.direction is not Direction.OUT and self.state in {MappingState.ACTIVE, MappingState.DEGRADED}

    @classmethod
    def of_resource(cls, resource: object, *, actor: str, at: datetime, **values: Any) -> ResourceMapping:
        """Return a new mapping of the resource that another mapping or a suggestion names."""
        named = {name: getattr(resource, name) for name in RESOURCE}
        return cls(**{**named, "id": new_id(), "created_by": actor, "created_at": at, "updated_at": at, **values})

    @classmethod
    def of_known(cls, known: KnownResource, *, actor: str, at: datetime, **values: Any) -> ResourceMapping:
        """Return a new mapping of a resource, or a former one where the values give its id."""
        return cls(
            workspace=known.workspace,
            installation_id=known.installation_id,
            resource_id=known.id,
            resource_kind=known.kind,
            resource_external_id=known.external_id,
            resource_key=known.key,
            **{"id": new_id(), "created_by": actor, "created_at": at, "updated_at": at, **values},
        )

    def audited(self) -> Mapping[str, object]:
        """Return what an entry of the audit shows of it: all that it takes to bring it back."""
        return {
            "resource_id": self.resource_id,
            "resource": f"{self.resource_kind} {self.resource_external_id}",
            "target": to_document(self.target),
            "selector": to_document(self.selector),
            "direction": self.direction,
            "origin": self.origin,
            "state": self.state,
            "state_reason": self.state_reason,
            "created_by": self.created_by,
            "created_at": self.created_at.isoformat(),
        }
