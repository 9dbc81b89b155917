"""Layer 3: which resource goes where, said by people."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import nullcontext
from datetime import datetime
from itertools import chain, islice
from typing import Any

from attrs import evolve
from sqlalchemy import Connection

from ..errors import ConfigurationError, ConnectorsError, NotFoundError
from ..identifiers import InstallationKey
from ..installations import repository as installations
from ..loading.registry import Registry
from ..providers.manifest import Manifest
from ..providers.resources import ResourceReference
from ..providers.suggestions import Target
from ..resources.hierarchy import find_contained, find_parents, lineage
from ..resources.repository import get_resource
from ..store.engine import Store
from . import repository
from .changes import create, last_change, remove, restored, save, with_effective_state
from .lookup import find_everywhere, resolve
from .types import TARGET_KINDS, Direction, MappingOrigin, MappingState, Overlap, ResourceMapping, Selector

MOST_OVERLAPS = 10
"""How many overlaps of one sort are told; a person sees the pattern by then."""


def find_overlaps(
    connection: Connection, mapping: ResourceMapping, manifest: Manifest | None
) -> tuple[Overlap, ...]:
    """Return the mappings of the same resource, of what contains it, and of what it contains.

    Where the manifest isn't known, nothing contains anything.
    """
    if mapping.direction is Direction.OUT:
        return ()
    parent_kinds = manifest.parent_kinds() if manifest else {}
    key = InstallationKey.of(mapping)
    parents = find_parents(connection, key, [mapping.place], parent_kinds=parent_kinds)
    above = repository.find_for_resources(connection, key, lineage(mapping.place, parents))
    levels = find_contained(connection, key, mapping.place, parent_kinds=parent_kinds)
    below = chain.from_iterable(repository.find_for_resources(connection, key, level) for level in levels)
    return (
        *islice(_beside(mapping, above), MOST_OVERLAPS),
        *(_above(mapping, other) for other in _inward(above) if other.place != mapping.place),
        *(_below(other) for other in islice(_inward(below), MOST_OVERLAPS)),
    )


def may_both_want(one: Selector, other: Selector) -> bool:
    """Return whether some event could be wanted by both; in doubt it could.

    >>> may_both_want(Selector(branches=("main",)), Selector(branches=("next",)))
    False
    >>> may_both_want(Selector(branches=("main",)), Selector(branches=("m*",), kinds=("push",)))
    True
    """
    kinds = not one.kinds or not other.kinds or any(_same_kind(a, b) for a in one.kinds for b in other.kinds)
    branches = {*one.branches, *other.branches}
    literal = not any(sign in branch for branch in branches for sign in "*?[")
    apart = one.branches and other.branches and literal and not set(one.branches) & set(other.branches)
    return kinds and not apart


def _same_kind(one: str, other: str) -> bool:
    return one == other or one.startswith(f"{other}.") or other.startswith(f"{one}.")


def _inward(mappings: Iterable[ResourceMapping]) -> Iterator[ResourceMapping]:
    return (mapping for mapping in mappings if mapping.direction is not Direction.OUT)


def _beside(mapping: ResourceMapping, others: Iterable[ResourceMapping]) -> Iterator[Overlap]:
    for other in _inward(others):
        same = other.place == mapping.place and other.id != mapping.id
        if same and may_both_want(mapping.selector, other.selector):
            text = f"events that both want go to {other.target} and to {mapping.target}"
            yield Overlap(mapping_id=other.id, rule="fans_out", text=text)


def _above(mapping: ResourceMapping, other: ResourceMapping) -> Overlap:
    text = (
        f"{other.target} gets no events of {mapping.resource_kind} {mapping.resource_key} from the mapping of "
        f"{other.resource_kind} {other.resource_key} any more: the most specific mapped resource wins"
    )
    return Overlap(mapping_id=other.id, rule="most_specific", text=text)


def _below(other: ResourceMapping) -> Overlap:
    text = (
        f"events of {other.resource_kind} {other.resource_key} still go to {other.target} only: "
        f"the most specific mapped resource wins"
    )
    return Overlap(mapping_id=other.id, rule="most_specific", text=text)


WhenRemoved = Callable[[Connection, ResourceMapping, str, datetime], None]
"""Does what follows from a removal by a person, inside its transaction: the mapping, who removed it, and when."""


def nothing_follows(_: Connection, __: ResourceMapping, ___: str, ____: datetime) -> None:
    """Do nothing."""


class Mappings:
    """Creates, changes, pauses and removes the resource mappings of workspaces; each change is audited.

    Where a mapping is created or updated, the `overlaps` of the answer name other mappings, and the one that wins.
    A resource's key may be of today or of former days. What is done `within` a caller's transaction is part of it.
    Without a registry, whose manifests say which kinds contain which, nothing contains anything. What follows from
    the removal of a mapping by a person is done by `when_removed`.
    """

    def __init__(
        self,
        store: Store,
        registry: Registry | None = None,
        *,
        target_kinds: Collection[str] = TARGET_KINDS,
        when_removed: WhenRemoved = nothing_follows,
    ) -> None:
        self._store = store
        self._registry = registry
        self._target_kinds = frozenset(target_kinds)
        self._when_removed = when_removed

    def create(
        self,
        *,
        workspace: str,
        installation_id: str,
        resource: ResourceReference,
        target: Target,
        actor: str,
        selector: Selector | None = None,
        direction: Direction = Direction.BOTH,
        origin: MappingOrigin = MappingOrigin.MANUAL,
        within: Connection | None = None,
    ) -> ResourceMapping:
        """Map a resource, named by kind and id, or by an empty id and a key, to a target; warn of overlaps.

        Raises:
            NotFoundError: the workspace has no such installation, or it no such resource.
            ConflictError: it is mapped to this target already, or several resources have that key.
            ConfigurationError: the host has no targets of this kind.
        """
        self.check_target(target)
        key = InstallationKey(workspace=workspace, id=installation_id)
        with nullcontext(within) if within is not None else self._store.transaction() as connection:
            installation = installations.get(connection, key)
            known = resolve(connection, key, self.named(installation.provider, resource))
            chosen: dict[str, Any] = {"selector": selector or Selector(), "direction": direction, "origin": origin}
            now = self._store.now()
            mapping = ResourceMapping.of_known(known, actor=actor, at=now, target=target, **chosen)
            return self._with_overlaps(connection, create(connection, mapping, actor=actor, at=now))

    def update(
        self,
        *,
        workspace: str,
        mapping_id: str,
        actor: str,
        selector: Selector | None = None,
        direction: Direction | None = None,
        target: Target | None = None,
        reason: str = "",
    ) -> ResourceMapping:
        """Change what is given; resource, origin and author stay.

        Events that weren't handed over yet don't go to a target that the mapping left.

        Raises:
            NotFoundError: there is none of that id in this workspace.
            ConflictError: the resource is mapped to that target already.
            ConfigurationError: the host has no targets of this kind.
        """
        if target is not None:
            self.check_target(target)
        given: dict[str, Any] = {"selector": selector, "direction": direction, "target": target}
        with self._store.transaction() as connection:
            known = repository.get(connection, workspace=workspace, mapping_id=mapping_id)
            changed = evolve(known, **{name: value for name, value in given.items() if value is not None})
            changed = save(connection, known, changed, "updated", actor=actor, at=self._store.now(), reason=reason)
            return self._with_overlaps(connection, changed)

    def find(
        self, *, workspace: str, provider: str, resource: ResourceReference, host: str = ""
    ) -> tuple[ResourceMapping, ...]:
        """Return the mappings of a resource, wherever in the workspace it is seen, oldest first.

        Args:
            workspace: the workspace.
            provider: provider key.
            resource: its kind, or an alias of it, and its immutable id; or an empty id and a key of today or of
                former days.
            host: the provider's host; or the name of the account, or the host of the resource's page, where the
                key alone could mean several.

        Raises:
            ConflictError: different resources have or had that key.
        """
        wanted = self.named(provider, resource)
        with self._store.reading() as connection:
            found = find_everywhere(connection, workspace=workspace, provider=provider, host=host, wanted=wanted)
            mappings = [
                mapping
                for known in found
                for mapping in repository.find_for_resources(connection, InstallationKey.of(known), [known.place])
            ]
        return tuple(sorted(mappings, key=lambda mapping: mapping.id))

    def list(
        self, *, workspace: str, installation_id: str | None = None, target: Target | None = None
    ) -> tuple[ResourceMapping, ...]:
        """Return the workspace's mappings, oldest first, of one installation or of one target where asked."""
        with self._store.reading() as connection:
            found = repository.list_all(
                connection, workspace=workspace, installation_id=installation_id, target=target
            )
        return tuple(found)

    def get(self, *, workspace: str, mapping_id: str) -> ResourceMapping:
        """Return one mapping.

        Raises:
            NotFoundError: there is none of that id in this workspace.
        """
        with self._store.reading() as connection:
            return repository.get(connection, workspace=workspace, mapping_id=mapping_id)

    def pause(self, *, workspace: str, mapping_id: str, actor: str, reason: str = "") -> ResourceMapping:
        """Stop routing over a mapping until a person resumes it.

        Raises:
            NotFoundError: there is none of that id in this workspace.
        """
        with self._store.transaction() as connection:
            known = repository.get(connection, workspace=workspace, mapping_id=mapping_id)
            if known.state is MappingState.PAUSED:
                return known
            paused = evolve(known, state=MappingState.PAUSED, state_reason=reason)
            return save(connection, known, paused, "paused", actor=actor, at=self._store.now(), reason=reason)

    def resume(self, *, workspace: str, mapping_id: str, actor: str) -> ResourceMapping:
        """Route over a paused mapping again; it is orphaned where its resource is gone meanwhile.

        Raises:
            NotFoundError: there is none of that id in this workspace.
        """
        with self._store.transaction() as connection:
            known = repository.get(connection, workspace=workspace, mapping_id=mapping_id)
            if known.state is not MappingState.PAUSED:
                return known
            resumed = with_effective_state(connection, known)
            return save(connection, known, resumed, "resumed", actor=actor, at=self._store.now())

    def remove(self, *, workspace: str, mapping_id: str, actor: str, reason: str = "") -> None:
        """Remove a mapping; the audit keeps what it was, so that `undo` can bring it back. No suggestion does.

        Raises:
            NotFoundError: there is none of that id in this workspace.
        """
        with self._store.transaction() as connection:
            known = repository.get(connection, workspace=workspace, mapping_id=mapping_id)
            self._when_removed(connection, known, actor, self._store.now())
            remove(connection, known, "removed", actor=actor, at=self._store.now(), reason=reason)

    def undo(self, *, workspace: str, mapping_id: str, actor: str) -> ResourceMapping | None:
        """Take back the last change that a person made to a mapping, be it its creation or its removal.

        Undoing twice brings the change back. A mapping whose resource is gone meanwhile comes back orphaned.

        Returns:
            the mapping as it is now, or None where undoing its creation removed it.

        Raises:
            NotFoundError: nobody ever changed a mapping of that id in this workspace.
            ConflictError: the resource is mapped to that target by another mapping now.
        """
        with self._store.transaction() as connection:
            change = last_change(connection, workspace=workspace, mapping_id=mapping_id)
            if change is None:
                repository.get(connection, workspace=workspace, mapping_id=mapping_id)
                raise NotFoundError("nobody has changed this mapping", subject=f"mapping {mapping_id}")
            known = repository.find(connection, workspace=workspace, mapping_id=mapping_id)
            if not change.before:
                if known is not None:
                    remove(connection, known, "undone", actor=actor, at=self._store.now(), reason=change.verb)
                return None
            resource = get_resource(connection, workspace=workspace, resource_id=str(change.before["resource_id"]))
            former = restored(change.before, resource, mapping_id=mapping_id, at=self._store.now())
            if former.state is not MappingState.PAUSED:
                former = with_effective_state(connection, former)
            return save(connection, known, former, "undone", actor=actor, at=self._store.now(), reason=change.verb)

    def check_target(self, target: Target) -> None:
        """Refuse a target that the host doesn't have.

        Raises:
            ConfigurationError: the host has no targets of this kind, or it has no id.
        """
        if target.kind not in self._target_kinds or not target.id:
            raise ConfigurationError(
                f"the host has no targets of kind {target.kind!r}" if target.id else "the target has no id",
                subject=f"target {target}",
                remedy=f"use one of: {', '.join(sorted(self._target_kinds))}; or add the kind to the settings",
            )

    def _with_overlaps(self, connection: Connection, mapping: ResourceMapping) -> ResourceMapping:
        installation = installations.get(connection, InstallationKey.of(mapping))
        found = find_overlaps(connection, mapping, self.manifest(installation.provider))
        return evolve(mapping, overlaps=found)

    def manifest(self, provider: str) -> Manifest | None:
        """Return the provider's manifest, or None where its plugin isn't there."""
        try:
            return self._registry.provider(provider).manifest if self._registry else None
        except ConnectorsError:  # a plugin that is gone takes no mapping with it
            return None

    def named(self, provider: str, resource: ResourceReference) -> ResourceReference:
        """Return a reference with the kind that the manifest knows, where an alias of it was given."""
        manifest = self.manifest(provider)
        return evolve(resource, kind=manifest.kind_named(resource.kind)) if manifest else resource
