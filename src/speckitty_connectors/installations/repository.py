"""Reads and writes installations; every function is bound to one workspace, save those that say otherwise."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

from attrs import evolve
from sqlalchemy import ColumnElement, Connection, Row, and_, delete, insert, or_, select, tuple_, update

from ..errors import NotFoundError
from ..identifiers import InstallationKey
from ..providers.accounts import Account
from ..store.confinement import across_workspaces
from ..store.rows import from_row, is_row, to_row
from .statuses import GONE, LIVE, InstallationStatus
from .tables import installations
from .types import Installation


def add(connection: Connection, installation: Installation) -> None:
    """Write a new installation.

    Raises:
        sqlalchemy.exc.IntegrityError: the workspace has one of that account already.
    """
    connection.execute(insert(installations).values(_values(installation)))


def save(connection: Connection, installation: Installation) -> None:
    """Write a changed installation back."""
    connection.execute(update(installations).where(_is(installation)).values(_values(installation)))


def remove(connection: Connection, installation: Installation) -> None:
    """Delete a request that became something else; what was ever connected is never deleted."""
    connection.execute(
        delete(installations).where(
            _is(installation), installations.c.status == InstallationStatus.PENDING_APPROVAL
        )
    )


def get(connection: Connection, key: InstallationKey, *, lock: bool = False) -> Installation:
    """Return an installation; with `lock`, no other transaction changes it until this one ends.

    Raises:
        NotFoundError: there is none in this workspace.
    """
    query = select(installations).where(_is(key))
    row = connection.execute(query.with_for_update() if lock else query).one_or_none()
    if row is None:
        raise NotFoundError(
            "there is no such installation in this workspace",
            subject=f"installation {key.id}",
            remedy="list the workspace's installations and use one of their ids",
        )
    return read_installation(row)


def account_of(connection: Connection, key: InstallationKey) -> Account:
    """Return the account of an installation.

    Raises:
        NotFoundError: there is none in this workspace.
    """
    return get(connection, key).account


def list_all(connection: Connection, *, workspace: str, provider: str | None = None) -> list[Installation]:
    """Return the workspace's installations, oldest first, also those that were removed."""
    query = select(installations).where(installations.c.workspace_id == workspace).order_by(installations.c.id)
    if provider is not None:
        query = query.where(installations.c.provider == provider)
    return [read_installation(row) for row in connection.execute(query)]


def find_account(
    connection: Connection, *, workspace: str, provider: str, host: str, account_id: str
) -> Installation | None:
    """Return the workspace's installation of that account, whatever its status, or None."""
    row = connection.execute(
        select(installations).where(
            installations.c.workspace_id == workspace,
            installations.c.provider == provider,
            installations.c.host == host,
            installations.c.account_id == account_id,
            installations.c.account_id != "",
        )
    ).one_or_none()
    return None if row is None else read_installation(row)


def find_live(
    connection: Connection,
    *,
    provider: str,
    host: str,
    provider_installation_id: str = "",
    account_id: str = "",
    account_url: str = "",
) -> list[Installation]:
    """Return the live installations, **across workspaces**, that a verified delivery concerns; oldest first.

    The provider's own id of the installation decides. An account id finds those that have no such id, and all
    of the account's where the delivery names no installation. The account's address finds them where the delivery
    knows no id of it. Nothing finds nothing.
    """
    by_account = and_(installations.c.account_id == account_id, installations.c.account_id != "")
    if account_url and not account_id:
        by_account = installations.c.account_url == account_url
    if provider_installation_id:
        found = or_(
            installations.c.provider_installation_id == provider_installation_id,
            and_(installations.c.provider_installation_id == "", by_account),
        )
    else:
        found = by_account
    rows = connection.execute(
        select(installations)
        .where(installations.c.provider == provider, installations.c.host == host, found)
        .where(installations.c.status.in_(LIVE))
        .order_by(installations.c.id)
    )
    return [read_installation(row) for row in rows]


def find_with_status(
    connection: Connection, *, providers: Collection[str], statuses: Collection[InstallationStatus]
) -> list[Installation]:
    """Return the installations of these providers that have one of these statuses, **across workspaces**."""
    rows = connection.execute(
        select(installations)
        .where(installations.c.provider.in_(providers), installations.c.status.in_(statuses))
        .order_by(installations.c.id)
    )
    return [read_installation(row) for row in rows]


def find_sharing(connection: Connection, *, workspace: str, credential_id: str) -> list[Installation]:
    """Return the workspace's installations that speak with a credential, oldest first; locked."""
    rows = connection.execute(
        select(installations)
        .where(
            installations.c.workspace_id == workspace,
            installations.c.credential_id == credential_id,
            installations.c.credential_id != "",
        )
        .order_by(installations.c.id)
        .with_for_update()
    )
    return [read_installation(row) for row in rows]


def find_waiting(
    connection: Connection, *, workspace: str, provider: str, host: str, member: str, requester_id: str
) -> Installation | None:
    """Return what this member, or this person on the provider's side, asked for without an account known."""
    asked_by = installations.c.connected_by == member
    if requester_id:
        asked_by = or_(asked_by, installations.c.requester_id == requester_id)
    row = connection.execute(
        select(installations)
        .where(
            installations.c.workspace_id == workspace,
            installations.c.provider == provider,
            installations.c.host == host,
            installations.c.account_id == "",
            installations.c.status == InstallationStatus.PENDING_APPROVAL,
            asked_by,
        )
        .order_by(installations.c.id)
        .limit(1)
    ).one_or_none()
    return None if row is None else read_installation(row)


def find_pending(
    connection: Connection, *, provider: str, host: str, requester_id: str, account_id: str, since: datetime
) -> list[Installation]:
    """Return, **across workspaces**, what this person asked for since then and an owner must approve.

    Both what was asked for this account and what was asked for an account we don't know; locked.
    """
    rows = connection.execute(
        select(installations)
        .where(
            installations.c.provider == provider,
            installations.c.host == host,
            installations.c.requester_id == requester_id,
            installations.c.requester_id != "",
            installations.c.account_id.in_(["", account_id]),
            installations.c.status_at >= since,
            installations.c.status == InstallationStatus.PENDING_APPROVAL,
        )
        .order_by(installations.c.id)
        .with_for_update()
    )
    return [read_installation(row) for row in rows]


def keep_cursor(connection: Connection, key: InstallationKey, *, cursor: str) -> None:
    """Note after which page the listing of an installation goes on; empty once it reached its end."""
    connection.execute(update(installations).where(_is(key)).values(inventory_cursor=cursor))


def set_status(
    connection: Connection, key: InstallationKey, status: InstallationStatus, *, at: datetime, reason: str = ""
) -> Installation:
    """Change the status and say why; return the installation as it is now.

    An installation that is gone keeps its status unless it becomes `REMOVED`: only a new connection revives it.

    Raises:
        NotFoundError: there is none in this workspace.
    """
    known = get(connection, key, lock=True)
    if known.status in GONE and status is not InstallationStatus.REMOVED:
        return known
    changed = evolve(
        known,
        status=status,
        status_reason=reason,
        status_at=max(at, known.status_at),
        updated_at=max(at, known.updated_at),
    )
    save(connection, changed)
    return changed


def _is(key: InstallationKey) -> ColumnElement[bool]:
    return is_row(installations, key.workspace, key.id)


def _values(installation: Installation) -> dict[str, object]:
    values = to_row(installation, scopes=list(installation.scopes), defaults=dict(installation.defaults))
    del values["missing_scopes"]
    return values


def read_installation(row: Row[tuple[object, ...]]) -> Installation:
    """Return the installation of a row of `installations`."""
    return from_row(Installation, row, status=InstallationStatus(row.status), scopes=tuple(row.scopes))


def find_holders(connection: Connection, account: Account, *, provider: str, host: str) -> list[Installation]:
    """Return what is connected to an account, **across workspaces**, and not gone; locked, oldest first.

    Transactions that ask whether anyone else needs what is at the provider run one after the other.
    """
    with across_workspaces(connection):
        rows = connection.execute(
            select(installations)
            .where(
                installations.c.provider == provider,
                installations.c.host == host,
                installations.c.account_id == account.id,
                installations.c.account_id != "",
                installations.c.status.in_(LIVE - GONE),
            )
            .order_by(installations.c.id)
            .with_for_update()
        ).all()
    return [read_installation(row) for row in rows]


def find_requests(connection: Connection, *, since: datetime) -> list[Installation]:
    """Return what waits for an approval, in every workspace, and was asked for since then; oldest first."""
    rows = connection.execute(
        select(installations)
        .where(installations.c.status == InstallationStatus.PENDING_APPROVAL, installations.c.status_at >= since)
        .order_by(installations.c.id)
    )
    return [read_installation(row) for row in rows]


def find_stale(
    connection: Connection,
    *,
    statuses: Collection[InstallationStatus],
    before: datetime,
    doubted: Collection[InstallationKey] = (),
) -> list[Installation]:
    """Return the installations, in every workspace, that weren't listed since then, and those that are doubted."""
    rows = connection.execute(
        select(installations)
        .where(
            installations.c.status.in_(statuses),
            or_(
                installations.c.inventory_synced_at.is_(None),
                installations.c.inventory_synced_at < before,
                tuple_(installations.c.workspace_id, installations.c.id).in_(
                    [(key.workspace, key.id) for key in doubted]
                ),
            ),
        )
        .order_by(installations.c.inventory_synced_at.nulls_first(), installations.c.id)
    )
    return [read_installation(row) for row in rows]


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
