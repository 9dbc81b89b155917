"""Writes what a conversation proved: installations that are active, revived, or wait for an owner."""

from __future__ import annotations

from datetime import datetime

from attrs import evolve
from sqlalchemy import Connection
from sqlalchemy.exc import IntegrityError

from ..conversations.attempts import Attempt, Purpose
from ..identifiers import InstallationKey, new_id
from ..providers.accounts import Account
from ..providers.conversations import AwaitApproval, Connected
from ..resources.repository import orphan_resources, revive_resources
from ..store.audit import record_event
from ..store.confinement import across_workspaces
from . import repository
from .statuses import InstallationStatus, StatusReason
from .types import Follow, Installation


class AccountTakenError(Exception):
    """Another workspace holds the account, and the operator wants one only; says nothing about who it is."""

    def __init__(self, account: Account) -> None:
        super().__init__("the account is connected elsewhere")
        self.account = account


CLAIMS = {
    "contested": "another workspace proved control of this account and was refused",
    "shared": "another workspace proved control of this account and is connected to it, too",
}
"""Verb → what the holders of an account are told in their audit when it is claimed once more; not who it was."""


def note_claim(
    connection: Connection, claimant: Attempt | Installation, account: Account, verb: str, *, now: datetime
) -> None:
    """Tell all who hold an account that another workspace proved control of it; `verb` is one of `CLAIMS`."""
    holders = _holders_elsewhere(connection, claimant, account)
    with across_workspaces(connection):
        for holder in holders:
            record_event(connection, holder, verb, actor="system", at=now, reason=CLAIMS[verb])


def connect(
    connection: Connection,
    *,
    attempt: Attempt,
    connected: Connected,
    credential_id: str,
    exclusive: bool,
    now: datetime,
    follow: Follow,
    granted_by: str = "",
) -> tuple[Installation, ...]:
    """Make an installation active for each account; one that was there before is revived, its id unchanged.

    Mappings and links hang on that id, so they are adopted again.

    Raises:
        AccountTakenError: an account may be connected once only, and another workspace was first.
    """
    return tuple(
        activate(
            connection,
            evolve(
                _find_or_add(connection, attempt, account, connected, now),
                app_id=attempt.app_id,
                credential_id=credential_id,
                connected_by=attempt.member,
                is_exclusive=exclusive,
                granted_by=granted_by,
            ),
            verb="reauthorised" if attempt.purpose is Purpose.REAUTHORISE else "connected",
            account=account,
            provider_installation_id=connected.installation,
            scopes=connected.scopes,
            actor=f"member:{attempt.member}",
            now=now,
            follow=follow,
        )
        for account in connected.accounts
    )


def await_approval(
    connection: Connection,
    *,
    attempt: Attempt,
    answer: AwaitApproval,
    credential_id: str,
    exclusive: bool,
    now: datetime,
) -> Installation:
    """Note that an owner on the provider's side must agree first; asking twice waits once.

    An account that the workspace is connected to already stays as it is.
    """
    requester_id = answer.requester.id if answer.requester else ""
    account = answer.account or Account(id="")
    known = _find_known(connection, attempt, account.id, requester_id)
    if known is not None and known.is_live:
        return known
    waiting = evolve(
        _waiting(known or _blank(attempt, now), account, now),
        app_id=attempt.app_id,
        credential_id=credential_id,
        connected_by=attempt.member,
        requester_id=requester_id,
        is_exclusive=exclusive,
    )
    if known is None:
        repository.add(connection, waiting)
    else:
        repository.save(connection, waiting)
    _record(connection, waiting, "requested", f"member:{attempt.member}", now, known)
    return waiting


def _waiting(installation: Installation, account: Account, now: datetime) -> Installation:
    return evolve(
        installation,
        account_id=account.id,
        account_name=account.name,
        account_kind=account.kind,
        status=InstallationStatus.PENDING_APPROVAL,
        status_reason=StatusReason.APPROVAL_REQUESTED,
        status_at=now,
        updated_at=now,
    )


def activate(
    connection: Connection,
    known: Installation,
    *,
    account: Account,
    provider_installation_id: str,
    scopes: tuple[str, ...],
    actor: str,
    now: datetime,
    follow: Follow,
    verb: str = "connected",
) -> Installation:
    """Make an installation active for an account whose control is proven, and adopt its resources again.

    Raises:
        AccountTakenError: the account may be connected once only, and another workspace was first.
    """
    active = _active(known, account, provider_installation_id, scopes, now)
    _hold(connection, active)
    if not known.is_live:
        note_claim(connection, active, active.account, "shared", now=now)
    repository.claim_url(connection, active)
    revive_resources(connection, active)
    follow(connection, active, now)
    _record(connection, active, verb, actor, now, known)
    return active


def _active(
    known: Installation, account: Account, provider_installation_id: str, scopes: tuple[str, ...], now: datetime
) -> Installation:
    """Return an installation as it is once its account is proven; it is listed from the beginning."""
    return evolve(
        known,
        account_id=account.id,
        account_name=account.name or known.account_name,
        account_kind=account.kind or known.account_kind,
        account_url=account.url or known.account_url,
        provider_installation_id=provider_installation_id,
        status=InstallationStatus.ACTIVE,
        status_reason="",
        status_at=now,
        scopes=scopes,
        inventory_synced_at=None,
        inventory_cursor="",
        updated_at=now,
    )


def _hold(connection: Connection, active: Installation) -> None:
    """Write an active installation; where its account may be held once only, SQL decides who is first."""
    if not active.is_exclusive:
        repository.save(connection, active)
        return
    if _holders_elsewhere(connection, active, active.account):
        raise AccountTakenError(active.account)
    try:
        with connection.begin_nested():
            repository.save(connection, active)
    except IntegrityError:
        raise AccountTakenError(active.account) from None


def _holders_elsewhere(
    connection: Connection, claimant: Attempt | Installation, account: Account
) -> list[Installation]:
    found = repository.find_holders(connection, account, provider=claimant.provider, host=claimant.host)
    return [holder for holder in found if holder.workspace != claimant.workspace]


def disconnect(
    connection: Connection, key: InstallationKey, *, actor: str, now: datetime, follow: Follow
) -> Installation:
    """End an installation on our side; what hangs on it is kept for the day it is connected again.

    Raises:
        NotFoundError: the workspace has no such installation.
    """
    known = repository.get(connection, key, lock=True)
    if known.status is InstallationStatus.REMOVED:
        return known
    removed = evolve(
        known,
        status=InstallationStatus.REMOVED,
        status_reason=StatusReason.DISCONNECTED,
        status_at=now,
        credential_id="",
        updated_at=now,
    )
    repository.save(connection, removed)
    orphan_resources(connection, key)
    follow(connection, key, now)
    _record(connection, removed, "disconnected", actor, now, known)
    return removed


def _find_or_add(
    connection: Connection, attempt: Attempt, account: Account, connected: Connected, now: datetime
) -> Installation:
    """Return the workspace's installation of an account, locked; what waited for an unknown account becomes it."""
    requester_id = connected.connected_by.id if connected.connected_by else ""
    waiting = repository.find_waiting(
        connection,
        workspace=attempt.workspace,
        provider=attempt.provider,
        host=attempt.host,
        member=attempt.member,
        requester_id=requester_id,
    )
    known = _find_known(connection, attempt, account.id, requester_id)
    if waiting is not None and known is not None and known.id != waiting.id:
        repository.remove(connection, waiting)
    if known is not None:
        return known
    fresh = evolve(_blank(attempt, now), account_id=account.id)
    try:
        with connection.begin_nested():
            repository.add(connection, fresh)
    except IntegrityError:
        found = _find_known(connection, attempt, account.id, requester_id)
        if found is None:
            raise
        return found
    return fresh


def _find_known(
    connection: Connection, attempt: Attempt, account_id: str, requester_id: str
) -> Installation | None:
    """Return the workspace's installation of an account, else what waits for an account we don't know."""
    found = repository.find_account(
        connection,
        workspace=attempt.workspace,
        provider=attempt.provider,
        host=attempt.host,
        account_id=account_id,
    ) or repository.find_waiting(
        connection,
        workspace=attempt.workspace,
        provider=attempt.provider,
        host=attempt.host,
        member=attempt.member,
        requester_id=requester_id,
    )
    if found is None:
        return None
    return repository.get(connection, found, lock=True)


def _blank(attempt: Attempt, now: datetime) -> Installation:
    return Installation(
        workspace=attempt.workspace,
        id=new_id(),
        provider=attempt.provider,
        host=attempt.host,
        app_id=attempt.app_id,
        status=InstallationStatus.PENDING_APPROVAL,
        status_at=now,
        created_at=now,
        updated_at=now,
    )


def _record(
    connection: Connection, after: Installation, verb: str, actor: str, now: datetime, before: Installation | None
) -> None:
    record_event(
        connection,
        after,
        verb,
        actor=actor,
        at=now,
        reason=after.status_reason,
        before={"status": before.status, "credential": before.credential_id} if before else None,
        after={
            "status": after.status,
            "account": after.account_id,
            "scopes": list(after.scopes),
            "credential": after.credential_id,
        },
    )
