"""Records of layer 1 for tests of the layers above it, written straight into the store."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from sqlalchemy import select

from speckitty_connectors import Connectors, Resource
from speckitty_connectors.identifiers import new_id
from speckitty_connectors.installations import repository
from speckitty_connectors.installations.statuses import InstallationStatus
from speckitty_connectors.installations.types import Installation
from speckitty_connectors.resources.repository import find_resource, upsert_resources
from speckitty_connectors.resources.types import Belief, KnownResource
from speckitty_connectors.store.audit import audit
from speckitty_connectors.store.engine import Store

MOMENT = datetime(2026, 1, 1, tzinfo=UTC)


def add_installation(store: Store, workspace: str = "w1", account_id: str = "7", **values: object) -> Installation:
    """Connect a workspace to an account of the provider ``fake``."""
    given: dict[str, object] = {
        "workspace": workspace,
        "id": new_id(),
        "provider": "fake",
        "host": "fake.example",
        "app_id": "app",
        "account_id": account_id,
        "account_name": f"account {account_id}",
        "status": InstallationStatus.ACTIVE,
        "status_at": MOMENT,
        "created_at": MOMENT,
        "updated_at": MOMENT,
        **values,
    }
    installation = Installation(**given)  # type: ignore[arg-type]  # what the test is about
    with store.transaction() as connection:
        repository.add(connection, installation)
    return installation


def add_resources(store: Store, installation: Installation, *listed: Resource, at: datetime = MOMENT) -> None:
    """Let an installation see resources."""
    with store.transaction() as connection:
        upsert_resources(connection, installation, listed=listed, at=at)


def resource_of(store: Store, installation: Installation, external_id: str, kind: str = "board") -> KnownResource:
    """Return what the inventory knows of a resource that is there."""
    with store.reading() as connection:
        found = find_resource(connection, installation, (kind, external_id))
    assert found is not None
    return found


def installation_of(store: Store, installation: Installation) -> Installation:
    """Return an installation as it is now."""
    with store.reading() as connection:
        return repository.get(connection, installation)


def audited(store: Store, workspace: str = "w1") -> list[str]:
    """Return the verbs of a workspace's audit, in alphabetical order."""
    with store.reading() as connection:
        rows = connection.execute(select(audit.c.verb).where(audit.c.workspace_id == workspace))
        return sorted(row.verb for row in rows)


def believe_at_once(connectors: Connectors) -> None:
    """Take for missing what one listing doesn't show, where a test isn't about when that is believed."""
    connectors.inventory.belief = Belief(interval=timedelta())
