"""Who deviates from a default, and what a change would touch; pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from attrs import AttrsInstance, frozen

from ..installations.types import Installation
from .book import PolicyBook
from .types import EffectivePolicy, Statement


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
    book: PolicyBook, installation: Installation, own: type[AttrsInstance] | None
) -> Iterator[PolicyDifference]:
    """Yield where a project has another value than its installation's default, by project."""
    default = _effective(book, installation, own, "")
    for project_id in book.projects(workspace=installation.workspace, provider=installation.provider):
        exception = _effective(book, installation, own, project_id)
        yield from _differences(installation, project_id, default, exception)


def touched(
    now: PolicyBook,
    proposed: PolicyBook,
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
    book: PolicyBook, installation: Installation, own: type[AttrsInstance] | None, project_id: str
) -> EffectivePolicy:
    return book.effective(
        own,
        workspace=installation.workspace,
        provider=installation.provider,
        installation_id=installation.id,
        project_id=project_id,
    )


def _differences(
    installation: Installation, project_id: str, before: EffectivePolicy, after: EffectivePolicy
) -> Iterator[PolicyDifference]:
    for name, said in before.statements.items():
        if said.value != after.statements[name].value:
            yield PolicyDifference(
                installation_id=installation.id,
                project_id=project_id,
                field=name,
                before=said,
                after=after.statements[name],
            )
