"""What holds, read from the store at once: for a host that asks, and for every dispatch."""

from __future__ import annotations

from sqlalchemy import Connection

from ..providers.registry import Registry
from ..providers.statuses import PluginUnavailableError
from . import repository
from .types import EffectivePolicy


def effective(
    connection: Connection,
    registry: Registry,
    *,
    workspace: str,
    provider: str,
    installation_id: str,
    project_id: str = "",
) -> EffectivePolicy:
    """Return what holds for a project under an installation; without a project, the installation's default.

    While the provider's plugin can't be used, what is said of its own fields is passed over.
    """
    book = repository.find(
        connection,
        workspace=workspace,
        provider=provider,
        installation_ids=[installation_id],
        project_ids=[project_id],
    )
    try:
        own = registry.provider(provider).manifest.policy
    except PluginUnavailableError:
        own = None
    return book.effective(
        own, workspace=workspace, provider=provider, installation_id=installation_id, project_id=project_id
    )
