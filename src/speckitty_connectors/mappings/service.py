"""Layer 3: which resource goes where, said by people."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from attrs import evolve
from sqlalchemy import Connection
from sqlalchemy.exc import IntegrityError

from ..errors import ConfigurationError, ConflictError
from ..identifiers import new_id
from ..installations import repository as installations
from ..installations.types import KnownResource
from ..providers.codec import to_document
from ..providers.resources import ResourceReference
from ..providers.suggestions import Target
from ..store.audit import record
from ..store.engine import Store
from . import repository
from .lifecycle import gone_because
from .suggestions_adoption import turn_down
from .types import TARGET_KINDS, Direction, MappingState, Origin, ResourceMapping, Selector


class Mappings:
    """Creates, pauses and removes the resource mappings of workspaces; each change is audited.

    Args:
        store: the database.
        target_kinds: the kinds of targets that the host has.
    """

    def __init__(self, store: Store, *, target_kinds: Collection[str] = TARGET_KINDS) -> None:
        self._store = store
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
    ) -> ResourceMapping:
        """Map a resource to a target.

        Args:
            workspace: the workspace.
            installation_id: the installation that the resource is seen through.
            resource: its kind and immutable id; or an empty id and a key of today or of former days.
            target: where its events go.
            actor: who asks for it: ``member:<id>``, ``operator`` or ``system``.
            selector: which of its events; all where not given.
            direction: which way things flow.
            origin: where the mapping comes from.

        Raises:
            NotFoundError: the workspace has no such installation, or it no such resource.
            ConflictError: it is mapped to this target already, or several resources have that key.
            ConfigurationError: the host has no targets of this kind.
        """
        self.check_target(target)
        try:
            with self._store.transaction() as connection:
                known = _resolve(connection, workspace, installation_id, resource)
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
                repository.add(connection, mapping)
                self._record(connection, mapping, "created", actor, after=_words(mapping))
                return mapping
        except IntegrityError:
            raise ConflictError(
                "the resource is mapped to this target already",
                subject=f"resource {resource.key or resource.id}, target {target}",
                remedy="change or remove the mapping that is there",
            ) from None

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
            mapping = repository.get(connection, workspace=workspace, mapping_id=mapping_id)
            return self._move(connection, mapping, MappingState.PAUSED, reason, "paused", actor)

    def resume(self, *, workspace: str, mapping_id: str, actor: str) -> ResourceMapping:
        """Route over a paused mapping again; it is orphaned where its resource is gone meanwhile.

        Raises:
            NotFoundError: there is none of that id in this workspace.
        """
        with self._store.transaction() as connection:
            mapping = repository.get(connection, workspace=workspace, mapping_id=mapping_id)
            if mapping.state is not MappingState.PAUSED:
                return mapping
            reason = gone_because(
                installations.get(connection, workspace=workspace, installation_id=mapping.installation_id),
                installations.get_resource(connection, workspace=workspace, resource_id=mapping.resource_id),
            )
            state = MappingState.ORPHANED if reason else MappingState.ACTIVE
            return self._move(connection, mapping, state, reason, "resumed", actor)

    def remove(self, *, workspace: str, mapping_id: str, actor: str, reason: str = "") -> None:
        """Delete a mapping; the audit keeps what it was, and no suggestion brings it back without new evidence.

        Raises:
            NotFoundError: there is none of that id in this workspace.
        """
        with self._store.transaction() as connection:
            mapping = repository.get(connection, workspace=workspace, mapping_id=mapping_id)
            repository.remove(connection, workspace=workspace, mapping_id=mapping_id)
            turn_down(connection, mapping, actor=actor, now=self._store.now())
            self._record(connection, mapping, "removed", actor, reason, before=_words(mapping))

    def check_target(self, target: Target) -> None:
        """Refuse a target that the host can't have.

        Raises:
            ConfigurationError: the host has no targets of this kind, or the id is empty.
        """
        if target.kind not in self._target_kinds or not target.id:
            raise ConfigurationError(
                f"the host has no targets of kind {target.kind!r}" if target.id else "the target has no id",
                subject=f"target {target}",
                remedy=f"use one of: {', '.join(sorted(self._target_kinds))}; or add the kind to the settings",
            )

    def _move(
        self,
        connection: Connection,
        mapping: ResourceMapping,
        state: MappingState,
        reason: str,
        verb: str,
        actor: str,
    ) -> ResourceMapping:
        if mapping.state is state:
            return mapping
        now = self._store.now()
        repository.set_state(
            connection, workspace=mapping.workspace, mapping_id=mapping.id, state=state, reason=reason, at=now
        )
        moved = evolve(mapping, state=state, state_reason=reason, updated_at=now)
        self._record(
            connection, moved, verb, actor, reason, before={"state": mapping.state}, after={"state": state}
        )
        return moved

    def _record(
        self,
        connection: Connection,
        mapping: ResourceMapping,
        verb: str,
        actor: str,
        reason: str = "",
        *,
        before: Mapping[str, object] | None = None,
        after: Mapping[str, object] | None = None,
    ) -> None:
        record(
            connection,
            workspace=mapping.workspace,
            at=self._store.now(),
            actor=actor,
            verb=f"mapping.{verb}",
            entity="mapping",
            entity_id=mapping.id,
            reason=reason,
            before=before,
            after=after,
        )


def _resolve(
    connection: Connection, workspace: str, installation_id: str, wanted: ResourceReference
) -> KnownResource:
    """Return the resource that is meant: by its immutable id, or by a key where a person gave no id."""
    installations.get(connection, workspace=workspace, installation_id=installation_id)
    if not wanted.id:
        return installations.resolve_key(
            connection, workspace=workspace, installation_id=installation_id, key=wanted.key, kind=wanted.kind
        )
    known = installations.find_resource(
        connection,
        workspace=workspace,
        installation_id=installation_id,
        kind=wanted.kind,
        external_id=wanted.id,
    )
    if known is None:
        raise installations.no_resource(f"{wanted.kind} {wanted.id}")
    return known


def _words(mapping: ResourceMapping) -> Mapping[str, object]:
    """Return what the audit keeps of a mapping."""
    return {
        "resource": f"{mapping.resource_kind} {mapping.resource_external_id}",
        "target": str(mapping.target),
        "selector": to_document(mapping.selector),
        "direction": mapping.direction,
        "origin": mapping.origin,
        "state": mapping.state,
    }
