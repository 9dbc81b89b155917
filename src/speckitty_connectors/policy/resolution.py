"""The policies of all scopes that were loaded, and the effective policy that follows; pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from attrs import AttrsInstance, evolve, field, frozen

from ..identifiers import InstallationKey
from ..installations.types import Installation
from .schema import schema_of
from .types import EffectivePolicy, PolicyScope, Provenance, Statement, Statements


@frozen(kw_only=True)
class LoadedPolicies:
    """The policies of scopes, of any workspaces, providers and projects.

    Attributes:
        scoped: scope → what is set and locked in it.
    """

    scoped: Mapping[PolicyScope, Statements] = field(factory=dict)

    def effective(
        self,
        own: type[AttrsInstance] | None,
        installation: InstallationKey,
        *,
        provider: str,
        project_id: str = "",
    ) -> EffectivePolicy:
        """Return the policy of a project under an installation; without a project, the installation's default."""
        whole = PolicyScope(workspace=installation.workspace, provider=provider)
        scopes = [whole, evolve(whole, installation_id=installation.id)]
        if project_id:
            scopes.append(evolve(whole, project_id=project_id))
        return schema_of(own).resolve(*(self.scoped.get(scope, {}) for scope in scopes))

    def projects(self, *, workspace: str, provider: str) -> list[str]:
        """Return the projects of a workspace with exceptions for a provider, in alphabetical order."""
        return sorted(
            scope.project_id
            for scope in self.scoped
            if scope.project_id and (scope.workspace, scope.provider) == (workspace, provider)
        )

    def lock(self, scope: PolicyScope, name: str) -> Provenance | None:
        """Return who locked a field in a scope itself, or None."""
        statement = self.scoped.get(scope, {}).get(name)
        return statement.lock if statement else None

    def setting(self, scope: PolicyScope, values: Mapping[str, Any], source: Provenance) -> LoadedPolicies:
        """Return the policies as they would be if somebody set fields in a scope."""
        here = self.scoped.get(scope, {})
        new = {
            name: evolve(here.get(name, Statement()), value=value, source=source) for name, value in values.items()
        }
        return LoadedPolicies(scoped={**self.scoped, scope: {**here, **new}})


@frozen(kw_only=True)
class PolicyDifference:
    """A field that has two values, and where each comes from.

    Attributes:
        installation_id: the installation.
        project_id: the host's project; empty for what the installation does without a project.
        field: the field.
        before: the default, or the value as it is.
        after: the project's value, or the value as it would be.

    >>> difference = PolicyDifference(installation_id="i1", project_id="apollo", field="digest",
    ...                               before=Statement(value=True), after=Statement(value=None))
    >>> str(difference)
    'project apollo: digest true (inherited) → null (inherited)'
    """

    installation_id: str
    project_id: str
    field: str
    before: Statement
    after: Statement

    def __str__(self) -> str:
        """Return it in words."""
        whose = f"project {self.project_id}" if self.project_id else f"installation {self.installation_id}"
        return f"{whose}: {self.field} {self.before} → {self.after}"


def deviations(
    policies: LoadedPolicies, installation: Installation, own: type[AttrsInstance] | None
) -> Iterator[PolicyDifference]:
    """Yield where a project has another value than its installation's default, by project."""
    default = _effective(policies, installation, own, "")
    for project_id in policies.projects(workspace=installation.workspace, provider=installation.provider):
        exception = _effective(policies, installation, own, project_id)
        yield from _differences(installation, project_id, default, exception)


def touched(
    now: LoadedPolicies,
    proposed: LoadedPolicies,
    installation: Installation,
    own: type[AttrsInstance] | None,
    projects: Iterable[str],
) -> Iterator[PolicyDifference]:
    """Yield where a value would be another one: first the installation's own default, then its projects'."""
    for project_id in ("", *projects):
        before = _effective(now, installation, own, project_id)
        after = _effective(proposed, installation, own, project_id)
        yield from _differences(installation, project_id, before, after)


def _effective(
    policies: LoadedPolicies, installation: Installation, own: type[AttrsInstance] | None, project_id: str
) -> EffectivePolicy:
    return policies.effective(own, installation, provider=installation.provider, project_id=project_id)


def _differences(
    installation: Installation, project_id: str, before: EffectivePolicy, after: EffectivePolicy
) -> Iterator[PolicyDifference]:
    for name, statement in before.statements.items():
        if statement.value != after.statements[name].value:
            yield PolicyDifference(
                installation_id=installation.id,
                project_id=project_id,
                field=name,
                before=statement,
                after=after.statements[name],
            )
