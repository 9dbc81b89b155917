"""Layer 4: what a workspace, an installation and a project want of a provider, and what holds in the end."""

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
from .resolution import PolicyBook, PolicyDifference, deviations, touched
from .schema import schema_of
from .types import EffectivePolicy, Level, PolicyOverride, PolicyScope, Provenance

PROPOSED = "proposed"
"""Who set a value that isn't there."""

PolicyChange = Callable[[Connection, PolicyOverride], None]
"""Changes what a scope says, given what it says so far."""


class Overrides:
    """Sets, locks and clears what levels say of a provider's policy, field by field; each change is audited.

    A project's exceptions hold under every installation of the provider, and stay when an account is disconnected
    and connected again.

    Args:
        store: the database.
        registry: the plugins; their manifests say which fields there are.
    """

    def __init__(self, store: Store, registry: Registry) -> None:
        self._store = store
        self._registry = registry

    def effective(self, *, workspace: str, installation_id: str, project_id: str = "") -> EffectivePolicy:
        """Return what holds for a project under an installation; without a project, the installation's default.

        Raises:
            NotFoundError: the workspace has no such installation.
        """
        key = InstallationKey(workspace=workspace, id=installation_id)
        with self._store.reading() as connection:
            provider = installations.get(connection, key).provider
            return effective(connection, self._registry, key, provider=provider, project_id=project_id)

    def get(self, scope: PolicyScope) -> PolicyOverride:
        """Return what a scope says itself; where it says nothing, everything is inherited."""
        with self._store.reading() as connection:
            return repository.get(connection, scope)

    def set(self, scope: PolicyScope, *, fields: Mapping[str, object], actor: str) -> PolicyOverride:
        """Set fields; None is "explicitly none", and fields that aren't named stay as they are.

        What the scope says already isn't checked again, so that values of a newer schema survive being read and
        written back.

        Raises:
            ConfigurationError: a field isn't known, or a value isn't what it must be; the text names the path.
            ConflictError: a broader level has locked a field.
            NotFoundError: the workspace has no such installation.
        """

        def change(connection: Connection, before: PolicyOverride) -> None:
            values = self._checked(connection, before, fields)
            repository.put(connection, scope, values=values, actor=actor, at=self._store.now())

        return self._change(scope, "set", actor, change)

    def clear(self, scope: PolicyScope, *, actor: str, fields: Collection[str] | None = None) -> PolicyOverride:
        """Let fields inherit again, every one where none is named; locks stay.

        Raises:
            NotFoundError: the workspace has no such installation.
        """

        def change(connection: Connection, before: PolicyOverride) -> None:
            repository.forget_values(connection, scope, before.fields if fields is None else fields)

        return self._change(scope, "cleared", actor, change)

    def lock(self, scope: PolicyScope, *, fields: Collection[str], actor: str) -> PolicyOverride:
        """Let no narrower level say otherwise; what one says already waits until the field is unlocked.

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

        def change(connection: Connection, before: PolicyOverride) -> None:
            schema_of(self._own(scope.provider)).check_names(fields, subject=str(scope))
            _refuse_locked(connection, scope, fields)
            new = set(fields) - set(before.locked)
            repository.lock(connection, scope, fields=new, actor=actor, at=self._store.now())

        return self._change(scope, "locked", actor, change)

    def unlock(self, scope: PolicyScope, *, fields: Collection[str], actor: str) -> PolicyOverride:
        """Let narrower levels say otherwise again; fields that aren't locked stay as they are.

        Raises:
            NotFoundError: the workspace has no such installation.
        """

        def change(connection: Connection, _: PolicyOverride) -> None:
            repository.forget_locks(connection, scope, fields)

        return self._change(scope, "unlocked", actor, change)

    def deviations(self, *, workspace: str, installation_id: str) -> tuple[PolicyDifference, ...]:
        """Return which projects have another value than the installation's default, and in which fields.

        Raises:
            NotFoundError: the workspace has no such installation.
        """
        with self._store.reading() as connection:
            installation = installations.get(connection, InstallationKey(workspace=workspace, id=installation_id))
            book = _book(connection, installation)
        return tuple(deviations(book, installation, self._own(installation.provider)))

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
                book = _book(connection, installation)
                proposed = book.setting(scope, values, source)
                projects = _projects(connection, installation, book)
                found += touched(book, proposed, installation, self._own(scope.provider), projects)
        return tuple(found)

    def _own(self, provider: str) -> type[AttrsInstance] | None:
        return self._registry.provider(provider).manifest.policy

    def _checked(self, connection: Connection, before: PolicyOverride, fields: Mapping[str, Any]) -> dict[str, Any]:
        """Return what is new, in the form in which it is stored."""
        new = _differing(before, fields)
        checked = schema_of(self._own(before.scope.provider)).check(new, subject=str(before.scope))
        values = _differing(before, checked)
        _refuse_locked(connection, before.scope, values)
        return values

    def _change(self, scope: PolicyScope, verb: str, actor: str, change: PolicyChange) -> PolicyOverride:
        """Change what a scope says; where something is different then, the audit tells of it."""
        with self._store.transaction() as connection:
            _concerned(connection, scope)
            before = repository.get(connection, scope)
            change(connection, before)
            after = repository.get(connection, scope)
            if after != before:
                record_change(connection, before, after, verb, actor=actor, at=self._store.now())
        return after


def _differing(before: PolicyOverride, fields: Mapping[str, Any]) -> dict[str, Any]:
    """Return those fields that a scope doesn't say just so already."""
    here = before.fields
    return {name: value for name, value in fields.items() if name not in here or here[name] != value}


def _concerned(connection: Connection, scope: PolicyScope) -> list[Installation]:
    """Return the installations for which it matters what a scope says; those that were removed wait with it.

    Raises:
        ConfigurationError: the scope's installation is of another provider.
        NotFoundError: the workspace has no such installation.
    """
    if not scope.installation_id:
        return installations.list_all(connection, workspace=scope.workspace, provider=scope.provider)
    found = installations.get(connection, InstallationKey.of(scope))
    if found.provider != scope.provider:
        raise ConfigurationError(
            f"the installation is one of {found.provider}", subject=str(scope), remedy="name that provider"
        )
    return [found]


def _book(connection: Connection, installation: Installation) -> PolicyBook:
    return repository.find(
        connection,
        workspace=installation.workspace,
        provider=installation.provider,
        installation_ids=[installation.id],
    )


def _projects(connection: Connection, installation: Installation, book: PolicyBook) -> list[str]:
    """Return the projects that are known to have to do with an installation, in alphabetical order."""
    mapped = repository.mapped_projects(connection, installation)
    return sorted({*mapped, *book.projects(workspace=installation.workspace, provider=installation.provider)})


def _refuse_locked(connection: Connection, scope: PolicyScope, fields: Collection[str]) -> None:
    """Refuse what a lock above would keep from ever holding.

    A project's exception is refused where the workspace, or each of its connected installations, has locked the
    field: under an installation that hasn't, it holds.
    """
    if scope.level is Level.WORKSPACE:
        return
    connected = [
        each.id for each in _concerned(connection, scope) if each.status in LIVE and scope.level is Level.PROJECT
    ]
    book = repository.find(
        connection,
        workspace=scope.workspace,
        provider=scope.provider,
        installation_ids=connected,
        project_ids=(),
    )
    workspace = PolicyScope(workspace=scope.workspace, provider=scope.provider)
    narrower = [evolve(workspace, installation_id=installation_id) for installation_id in connected]
    for name in fields:
        locks = [book.lock(each, name) for each in narrower]
        lock = book.lock(workspace, name) or (locks[0] if locks and all(locks) else None)
        if lock is not None:
            raise ConflictError(
                f"the policy's field {name} is locked: {lock}",
                subject=str(scope),
                remedy=f"have it unlocked at the level {lock.level}",
            )
