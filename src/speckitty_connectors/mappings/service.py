"""Layer 3: which resource goes where, said by people."""

from __future__ import annotations

from collections.abc import Collection
from contextlib import nullcontext

from attrs import evolve
from sqlalchemy import Connection

from ..errors import ConfigurationError, ConnectorsError, NotFoundError
from ..identifiers import new_id
from ..installations import repository as installations
from ..providers.manifest import Manifest
from ..providers.registry import Registry
from ..providers.resources import ResourceReference
from ..providers.suggestions import Target
from ..store.engine import Store
from . import repository
from .history import last_change, restored
from .overlaps import find_overlaps
from .resolving import find_everywhere, resolve
from .suggestions_adoption import turn_down
from .types import TARGET_KINDS, Direction, MappingState, Origin, ResourceMapping, Selector
from .writing import as_it_stands, delete, save


class Mappings:
    """Creates, changes, pauses and removes the resource mappings of workspaces; each change is audited.

    Args:
        store: the database.
        registry: the plugins, whose manifests say which kinds contain which; without it nothing contains anything.
        target_kinds: the kinds of targets that the host has.
    """

    def __init__(
        self, store: Store, registry: Registry | None = None, *, target_kinds: Collection[str] = TARGET_KINDS
    ) -> None:
        self._store = store
        self._registry = registry
        self._target_kinds = frozenset(target_kinds)

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
        origin: Origin = Origin.MANUAL,
        within: Connection | None = None,
    ) -> ResourceMapping:
        """Map a resource to a target; the answer's `overlaps` warn of other mappings, with the one that wins.

        Args:
            workspace: the workspace.
            installation_id: the installation that the resource is seen through.
            resource: its kind and immutable id; or an empty id and a key of today or of former days.
            target: where its events go.
            actor: who asks for it: ``member:<id>``, ``operator`` or ``system``.
            selector: which of its events; all where not given.
            direction: which way things flow.
            origin: where the mapping comes from.
            within: the transaction of a caller who does more in it; else it is one of its own.

        Raises:
            NotFoundError: the workspace has no such installation, or it no such resource.
            ConflictError: it is mapped to this target already, or several resources have that key.
            ConfigurationError: the host has no targets of this kind.
        """
        self.check_target(target)
        with nullcontext(within) if within is not None else self._store.transaction() as connection:
            installation = installations.get(connection, workspace=workspace, installation_id=installation_id)
            known = resolve(connection, workspace, installation_id, self.named(installation.provider, resource))
            now = self._store.now()
            mapping = ResourceMapping(
                workspace=workspace,
                id=new_id(),
                installation_id=installation_id,
                resource_id=known.id,
                resource_kind=known.kind,
                resource_external_id=known.external_id,
                resource_key=known.key,
                target=target,
                selector=selector or Selector(),
                direction=direction,
                origin=origin,
                created_by=actor,
                created_at=now,
                updated_at=now,
            )
            mapping = save(connection, None, as_it_stands(connection, mapping), "created", actor=actor, at=now)
            return self._with_overlaps(connection, mapping)

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
        """Change what is given; resource, origin and author stay. The answer's `overlaps` warn as `create`'s do.

        Events that were decided before, and not handed over yet, don't go to a target that the mapping left.

        Raises:
            NotFoundError: there is none of that id in this workspace.
            ConflictError: the resource is mapped to that target already.
            ConfigurationError: the host has no targets of this kind.
        """
        if target is not None:
            self.check_target(target)
        with self._store.transaction() as connection:
            known = repository.get(connection, workspace=workspace, mapping_id=mapping_id)
            changed = evolve(
                known,
                selector=known.selector if selector is None else selector,
                direction=direction or known.direction,
                target=target or known.target,
            )
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
                for mapping in repository.find_for_resources(
                    connection, workspace=workspace, installation_id=known.installation_id, places=[known.place]
                )
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
            return save(
                connection, known, as_it_stands(connection, known), "resumed", actor=actor, at=self._store.now()
            )

    def remove(self, *, workspace: str, mapping_id: str, actor: str, reason: str = "") -> None:
        """Delete a mapping; the audit keeps what it was, so that `undo` can bring it back. No suggestion does.

        Raises:
            NotFoundError: there is none of that id in this workspace.
        """
        with self._store.transaction() as connection:
            known = repository.get(connection, workspace=workspace, mapping_id=mapping_id)
            turn_down(connection, known, actor=actor, now=self._store.now())
            delete(connection, known, "removed", actor=actor, at=self._store.now(), reason=reason)

    def undo(self, *, workspace: str, mapping_id: str, actor: str) -> ResourceMapping | None:
        """Take back the last change that a person made to a mapping, be it its creation or its removal.

        Undoing twice brings the change back. What the provider did meanwhile holds: a mapping whose resource is
        gone comes back orphaned.

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
                    delete(connection, known, "undone", actor=actor, at=self._store.now(), reason=change.verb)
                return None
            resource = installations.get_resource(
                connection, workspace=workspace, resource_id=str(change.before["resource_id"])
            )
            former = restored(change.before, resource, mapping_id=mapping_id, at=self._store.now())
            if former.state is not MappingState.PAUSED:
                former = as_it_stands(connection, former)
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
        installation = installations.get(
            connection, workspace=mapping.workspace, installation_id=mapping.installation_id
        )
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
