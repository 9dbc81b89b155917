"""Layer 4: what a workspace, an installation and a project want of a provider, and which values apply."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Any

from attrs import AttrsInstance, evolve
from sqlalchemy import Connection

from ..errors import ConfigurationError, ConflictError
from ..identifiers import InstallationKey
from ..installations import repository as installations
from ..installations.statuses import LIVE
from ..installations.types import Installation
from ..loading.registry import Registry
from ..store.audit import record_change
from ..store.engine import Store
from . import repository
from .repository import effective
from .resolution import LoadedPolicies, PolicyDifference, deviations, touched
from .schema import schema_of
from .types import EffectivePolicy, Level, PolicyScope, Provenance, ScopedPolicy

PROPOSED = "proposed"
"""Who set a value that isn't there."""

PolicyChange = Callable[[Connection, ScopedPolicy], None]
"""Changes the policy of a scope, given as it is so far."""


class Policies:
    """Sets, locks and clears the policies of scopes, field by field; each change is audited.

    A project's exceptions apply under every installation of the provider, and stay when an account is disconnected
    and connected again.
    """

    def __init__(self, store: Store, registry: Registry) -> None:
        self._store = store
        self._registry = registry

    def effective(self, *, workspace: str, installation_id: str, project_id: str = "") -> EffectivePolicy:
        """Return the policy of a project under an installation; without a project, the installation's default.

        Raises:
            NotFoundError: the workspace has no such installation.
        """
        key = InstallationKey(workspace=workspace, id=installation_id)
        with self._store.reading() as connection:
            provider = installations.get(connection, key).provider
            return effective(connection, self._registry, key, provider=provider, project_id=project_id)

    def get(self, scope: PolicyScope) -> ScopedPolicy:
        """Return the policy of a scope itself; what isn't set in it is inherited."""
        with self._store.reading() as connection:
            return repository.get(connection, scope)

    def set(self, scope: PolicyScope, *, fields: Mapping[str, object], actor: str) -> ScopedPolicy:
        """Set fields; None is "explicitly none", and fields that aren't named stay as they are.

        What is set already isn't checked again, so that values of a newer schema survive being read and
        written back.

        Raises:
            ConfigurationError: a field isn't known, or a value isn't what it must be; the text names the path.
            ConflictError: a broader level has locked a field.
            NotFoundError: the workspace has no such installation.
        """

        def change(connection: Connection, before: ScopedPolicy) -> None:
            values = self._checked(connection, before, fields)
            repository.put(connection, scope, values=values, actor=actor, at=self._store.now())

        return self._change(scope, "set", actor, change)

    def clear(self, scope: PolicyScope, *, actor: str, fields: Collection[str] | None = None) -> ScopedPolicy:
        """Let fields inherit again, every one where none is named; locks stay.

        Raises:
            NotFoundError: the workspace has no such installation.
        """

        def change(connection: Connection, before: ScopedPolicy) -> None:
            repository.clear(connection, scope, before.fields if fields is None else fields)

        return self._change(scope, "cleared", actor, change)

    def lock(self, scope: PolicyScope, *, fields: Collection[str], actor: str) -> ScopedPolicy:
        """Keep narrower levels from setting fields; what one has set already waits until the field is unlocked.

        Raises:
            ConfigurationError: a field isn't known, or the scope is a project, which has nothing below it.
            ConflictError: the workspace has locked a field already.
            NotFoundError: the workspace has no such installation.
        """
        if scope.level is Level.PROJECT:
            raise ConfigurationError(
                "nothing is narrower than a project, so there is nothing to lock",
                subject=str(scope),
                remedy="lock the field in the workspace or for an installation",
            )

        def change(connection: Connection, before: ScopedPolicy) -> None:
            schema_of(self._own(scope.provider)).check_names(fields, subject=str(scope))
            _refuse_locked(connection, scope, fields)
            new = set(fields) - set(before.locked)
            repository.lock(connection, scope, fields=new, actor=actor, at=self._store.now())

        return self._change(scope, "locked", actor, change)

    def unlock(self, scope: PolicyScope, *, fields: Collection[str], actor: str) -> ScopedPolicy:
        """Let narrower levels set fields again; those that aren't locked stay as they are.

        Raises:
            NotFoundError: the workspace has no such installation.
        """

        def change(connection: Connection, _: ScopedPolicy) -> None:
            repository.unlock(connection, scope, fields)

        return self._change(scope, "unlocked", actor, change)

    def deviations(self, *, workspace: str, installation_id: str) -> tuple[PolicyDifference, ...]:
        """Return which projects have another value than the installation's default, and in which fields.

        Raises:
            NotFoundError: the workspace has no such installation.
        """
        with self._store.reading() as connection:
            installation = installations.get(connection, InstallationKey(workspace=workspace, id=installation_id))
            policies = _load(connection, installation)
        return tuple(deviations(policies, installation, self._own(installation.provider)))

    def touched_by(self, scope: PolicyScope, *, fields: Mapping[str, object]) -> tuple[PolicyDifference, ...]:
        """Return what setting these fields would change, and change nothing.

        The projects are those that something of an installation is mapped to, and those with exceptions.

        Raises:
            ConfigurationError: a field isn't known, or a value isn't what it must be; the text names the path.
            ConflictError: a broader level has locked a field.
            NotFoundError: the workspace has no such installation.
        """
        source = Provenance(level=scope.level, actor=PROPOSED)
        found: list[PolicyDifference] = []
        with self._store.reading() as connection:
            concerned = _concerned(connection, scope)
            values = self._checked(connection, repository.get(connection, scope), fields)
            for installation in concerned:
                policies = _load(connection, installation)
                proposed = policies.setting(scope, values, source)
                projects = _projects(connection, installation, policies)
                found += touched(policies, proposed, installation, self._own(scope.provider), projects)
        return tuple(found)

    def _own(self, provider: str) -> type[AttrsInstance] | None:
        return self._registry.provider(provider).manifest.policy

    def _checked(self, connection: Connection, before: ScopedPolicy, fields: Mapping[str, Any]) -> dict[str, Any]:
        """Return what is new, in the form in which it is stored."""
        new = _differing(before, fields)
        checked = schema_of(self._own(before.scope.provider)).check(new, subject=str(before.scope))
        values = _differing(before, checked)
        _refuse_locked(connection, before.scope, values)
        return values

    def _change(self, scope: PolicyScope, verb: str, actor: str, change: PolicyChange) -> ScopedPolicy:
        """Change the policy of a scope; where something is different then, it is audited."""
        with self._store.transaction() as connection:
            _concerned(connection, scope)
            before = repository.get(connection, scope)
            change(connection, before)
            after = repository.get(connection, scope)
            if after != before:
                record_change(connection, before, after, verb, actor=actor, at=self._store.now())
        return after


def _differing(before: ScopedPolicy, fields: Mapping[str, Any]) -> dict[str, Any]:
    """Return those fields that a scope doesn't set just so already."""
    here = before.fields
    return {name: value for name, value in fields.items() if name not in here or here[name] != value}


def _concerned(connection: Connection, scope: PolicyScope) -> list[Installation]:
    """Return the installations that the policy of a scope is for; those that were removed are among them."""
    if not scope.installation_id:
        return installations.list_all(connection, workspace=scope.workspace, provider=scope.provider)
    found = installations.get(connection, InstallationKey.of(scope))
    if found.provider != scope.provider:
        raise ConfigurationError(
            f"the installation is one of {found.provider}", subject=str(scope), remedy="name that provider"
        )
    return [found]


def _load(connection: Connection, installation: Installation) -> LoadedPolicies:
    return repository.find(
        connection,
        workspace=installation.workspace,
        provider=installation.provider,
        installation_ids=[installation.id],
    )


def _projects(connection: Connection, installation: Installation, policies: LoadedPolicies) -> list[str]:
    """Return the projects that are known to have to do with an installation, in alphabetical order."""
    mapped = repository.mapped_projects(connection, installation)
    return sorted({*mapped, *policies.projects(workspace=installation.workspace, provider=installation.provider)})


def _refuse_locked(connection: Connection, scope: PolicyScope, fields: Collection[str]) -> None:
    """Refuse what a lock above would keep from ever applying.

    A project's exception is refused where the workspace, or each of its connected installations, has locked the
    field: under an installation that hasn't, it applies.
    """
    if scope.level is Level.WORKSPACE:
        return
    connected = [
        each.id for each in _concerned(connection, scope) if each.status in LIVE and scope.level is Level.PROJECT
    ]
    policies = repository.find(
        connection,
        workspace=scope.workspace,
        provider=scope.provider,
        installation_ids=connected,
        project_ids=(),
    )
    workspace = PolicyScope(workspace=scope.workspace, provider=scope.provider)
    narrower = [evolve(workspace, installation_id=installation_id) for installation_id in connected]
    for name in fields:
        locks = [policies.lock(each, name) for each in narrower]
        lock = policies.lock(workspace, name) or (locks[0] if locks and all(locks) else None)
        if lock is not None:
            raise ConflictError(
                f"the policy's field {name} is locked: {lock}",
                subject=str(scope),
                remedy=f"have it unlocked at the level {lock.level}",
            )
