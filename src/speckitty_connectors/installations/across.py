"""Finds and changes installations **across workspaces**, where one workspace alone can't say what holds."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

from sqlalchemy import Connection, or_, select, update

from ..store.confinement import across_workspaces
from .repository import find_live, from_row
from .tables import installations
from .types import GONE, Installation, InstallationStatus


def is_held_elsewhere(connection: Connection, installation: Installation) -> bool:
    """Return whether another workspace is connected to the account of an installation."""
    with across_workspaces(connection):
        live = find_live(
            connection, provider=installation.provider, host=installation.host, account_id=installation.account_id
        )
    return any(other.workspace != installation.workspace and other.status not in GONE for other in live)


def find_requests(connection: Connection, *, since: datetime) -> list[Installation]:
    """Return what waits for an approval, in every workspace, and was asked for since then; oldest first."""
    rows = connection.execute(
        select(installations)
        .where(installations.c.status == InstallationStatus.PENDING_APPROVAL, installations.c.status_at >= since)
        .order_by(installations.c.id)
    )
    return [from_row(row) for row in rows]


def find_stale(
    connection: Connection, *, statuses: Collection[InstallationStatus], before: datetime
) -> list[Installation]:
    """Return the installations, in every workspace, that weren't listed to the end since then; oldest first."""
    rows = connection.execute(
        select(installations)
        .where(
            installations.c.status.in_(statuses),
            or_(installations.c.inventory_synced_at.is_(None), installations.c.inventory_synced_at < before),
        )
        .order_by(installations.c.inventory_synced_at.nulls_first(), installations.c.id)
    )
    return [from_row(row) for row in rows]


def claim_url(connection: Connection, installation: Installation) -> None:
    """Take the address of an account away from all other accounts, **across workspaces**: the newest proof holds.

    An address is a label that the provider may give to another account, and some deliveries name nothing else.
    """
    connection.execute(
        update(installations)
        .where(
            installations.c.provider == installation.provider,
            installations.c.host == installation.host,
            installations.c.account_url == installation.account_url,
            installations.c.account_url != "",
            installations.c.account_id != installation.account_id,
        )
        .values(account_url="")
    )
