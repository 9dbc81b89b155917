"""Connects an account without a browser and a network, as a host's own tests and examples need one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..identifiers import new_id
from ..installations import repository
from ..installations.statuses import InstallationStatus
from ..installations.types import Installation
from ..resources.repository import upsert_resources
from .fake import FakeProvider

if TYPE_CHECKING:
    from ..connectors import Connectors


def connect_offline(connectors: Connectors, provider: FakeProvider, *, workspace: str) -> Installation:
    """Return a new installation of a workspace that is active and sees the resources of the provider in memory.

    >>> from speckitty_connectors import Connectors, KeyRing, Registry, Settings
    >>> registry, fake = Registry(entry_points=()), FakeProvider()
    >>> key = registry.register(fake).key
    >>> settings = Settings(database_url="sqlite://", keys={"2026": KeyRing.new_key()})
    >>> with Connectors(settings, registry=registry) as connectors:
    ...     connectors.upgrade()
    ...     installation = connect_offline(connectors, fake, workspace="w1")
    ...     [resource.key for resource in connectors.inventory.resources("w1", installation.id)]
    ['kitchen', 'kitchen/menu', 'kitchen/orders']
    """
    now = connectors.store.now()
    installation = Installation(
        workspace=workspace,
        id=new_id(),
        provider=provider.manifest.provider,
        host=provider.manifest.hosts.default,
        app_id="offline",
        account_id=new_id(),
        status=InstallationStatus.ACTIVE,
        status_at=now,
        created_at=now,
        updated_at=now,
    )
    with connectors.store.transaction() as connection:
        repository.add(connection, installation)
        upsert_resources(connection, installation, listed=provider.resources, at=now)
    return installation
