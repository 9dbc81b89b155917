"""The act before anything is received: the host reports what it saw of its projects' git checkouts."""

from __future__ import annotations

from collections.abc import Iterator

from ...installations.types import Installation
from ...providers.suggestions import Signal, Target
from ...resources.types import KnownResource
from .scene import SECOND_PROJECT, THIRD_PROJECT, VISITOR, Scene, heading, tell


def report(scene: Scene, installation: Installation) -> None:
    """Report two repositories that nobody mapped: two projects have the first, one project has the other.

    Where the provider has no git repositories, there is nothing to report.
    """
    git = {kind.name for kind in scene.manifest.resource_kinds if kind.git}
    listed = scene.connectors.inventory.resources(VISITOR.workspace, installation.id)
    unmapped = [resource for resource in listed if resource.kind in git][1:3]
    signals = list(_seen(unmapped))
    if not signals:
        return
    heading("Report what was seen of projects; nothing is mapped by that")
    scene.connectors.signals.report(workspace=VISITOR.workspace, signals=signals)
    tell(f"a checkout of {signal.project_id} has the remote {signal.remote_url}" for signal in signals)


def _seen(unmapped: list[KnownResource]) -> Iterator[Signal]:
    projects: tuple[tuple[Target, ...], ...] = ((SECOND_PROJECT, THIRD_PROJECT), (THIRD_PROJECT,))
    for resource, having in zip(unmapped, projects, strict=False):
        for project in having:
            yield Signal(project_id=project.id, remote_url=f"{resource.url}.git")
