"""An owner approved in the provider's own pages what a member had asked for: the signed delivery says so."""

from __future__ import annotations

import logging
from datetime import datetime, timedelta

from attrs import evolve
from sqlalchemy import Connection

from ..providers.accounts import Account
from ..providers.deliveries import Change, Lifecycle
from . import repository
from .establishing import AccountTakenError, activate
from .types import Follow, Installation, follow_nothing

APPROVAL_LASTS = timedelta(days=30)
"""How long a request can be approved. After that its requester may well work for somebody else."""

logger = logging.getLogger(__name__)


def settle(
    connection: Connection,
    lifecycle: Lifecycle,
    provider: str,
    host: str,
    *,
    now: datetime,
    follow: Follow = follow_nothing,
) -> list[Installation]:
    """Activate what waited for this approval; return it, or nothing where nothing did.

    The provider names the requester in a signed delivery, and the requester was proven by a grant when they
    asked: browser state has no part in it, as the owner's browser has none ("Requesting a GitHub App from your
    organization owner" of GitHub). What was asked for exactly this account comes first. A request for an account we
    don't know counts only where no second workspace waits for the same person, because nothing says which of the
    two the owner meant; there, the person can still claim it.
    """
    if lifecycle.change is not Change.INSTALLED or lifecycle.requester is None or lifecycle.account is None:
        return []
    pending = repository.find_pending(
        connection,
        provider=provider,
        host=host,
        requester_id=lifecycle.requester.id,
        account_id=lifecycle.account.id,
        since=now - APPROVAL_LASTS,
    )
    named = [waiting for waiting in pending if waiting.account_id]
    chosen = named or pending
    if not named and len({waiting.workspace for waiting in chosen}) > 1:
        logger.warning("an approval fits several workspaces, so none was connected; the requester can claim it")
        return []
    settled = [
        fulfil(
            connection,
            waiting,
            account=lifecycle.account,
            provider_installation_id=lifecycle.installation,
            scopes=lifecycle.scopes or waiting.scopes,
            now=now,
            follow=follow,
        )
        for waiting in chosen
    ]
    return [installation for installation in settled if installation is not None]


def fulfil(
    connection: Connection,
    waiting: Installation,
    *,
    account: Account,
    provider_installation_id: str,
    scopes: tuple[str, ...],
    now: datetime,
    follow: Follow,
) -> Installation | None:
    """Activate what waited, now that the provider says that it was approved.

    Returns:
        The installation, or None where another workspace holds the account alone.
    """
    try:
        with connection.begin_nested():
            return _fulfil(connection, waiting, account, provider_installation_id, scopes, now, follow)
    except AccountTakenError:
        logger.warning("an approval wasn't taken up, because another workspace holds the account alone")
        return None


def _fulfil(
    connection: Connection,
    waiting: Installation,
    account: Account,
    provider_installation_id: str,
    scopes: tuple[str, ...],
    now: datetime,
    follow: Follow,
) -> Installation:
    known = repository.find_account(
        connection,
        workspace=waiting.workspace,
        provider=waiting.provider,
        host=waiting.host,
        account_id=account.id,
    )
    if known is not None and known.id != waiting.id:
        repository.remove(connection, waiting)
    return activate(
        connection,
        evolve(
            known or waiting,
            app_id=waiting.app_id,
            credential_id=waiting.credential_id,
            connected_by=waiting.connected_by,
            requester_id=waiting.requester_id,
            is_exclusive=waiting.is_exclusive,
        ),
        account=account,
        provider_installation_id=provider_installation_id,
        scopes=scopes,
        actor=f"provider:{waiting.provider}",
        now=now,
        follow=follow,
    )
