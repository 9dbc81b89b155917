"""Everything that was loaded of what scopes say, and what holds by it; pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from attrs import AttrsInstance, evolve, field, frozen

from .schema import schema_of
from .types import EffectivePolicy, PolicyScope, Provenance, Statement, Statements


@frozen(kw_only=True)
class PolicyBook:
    """What scopes say; of any workspaces, providers and projects.

    Attributes:
        said: scope → what it says.
    """

    said: Mapping[PolicyScope, Statements] = field(factory=dict)

    def effective(
        self,
        own: type[AttrsInstance] | None,
        *,
        workspace: str,
        provider: str,
        installation_id: str,
        project_id: str = "",
    ) -> EffectivePolicy:
        """Return what holds for a project under an installation; without a project, the installation's default.

        Args:
            own: the class of the provider's own fields, as its manifest names it.
            workspace: the workspace.
            provider: provider key.
            installation_id: the installation; it is of that provider.
            project_id: the host's project.
        """
        whole = PolicyScope(workspace=workspace, provider=provider)
        scopes = [whole, evolve(whole, installation_id=installation_id)]
        if project_id:
            scopes.append(evolve(whole, project_id=project_id))
        return schema_of(own).resolve(*(self.said.get(scope, {}) for scope in scopes))

    def projects(self, *, workspace: str, provider: str) -> list[str]:
        """Return the projects of a workspace that say something of a provider, in alphabetical order."""
        return sorted(
            scope.project_id
            for scope in self.said
            if scope.project_id and (scope.workspace, scope.provider) == (workspace, provider)
        )

    def lock(self, scope: PolicyScope, name: str) -> Provenance | None:
        """Return who locked a field in a scope itself, or None."""
        said = self.said.get(scope, {}).get(name)
        return said.lock if said else None

    def setting(self, scope: PolicyScope, values: Mapping[str, Any], source: Provenance) -> PolicyBook:
        """Return the book as it would be if somebody set fields in a scope."""
        here = self.said.get(scope, {})
        new = {
            name: evolve(here.get(name, Statement()), value=value, source=source) for name, value in values.items()
        }
        return PolicyBook(said={**self.said, scope: {**here, **new}})
