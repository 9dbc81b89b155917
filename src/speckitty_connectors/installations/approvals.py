"""An owner approved in the provider's own pages what a member had asked for: the signed delivery says so."""

from __future__ import annotations

import logging
from datetime import datetime, timedelta

from attrs import evolve
from sqlalchemy import Connection

from ..apps.service import Apps, RegisteredApp
from ..loading.registry import Registry
from ..providers.accounts import Account, ExternalIdentity
from ..providers.api import ApiSession
from ..providers.conversations import (
    AwaitApproval,
    Connected,
    Conversation,
    InstallAnswer,
    PendingApproval,
    Refused,
)
from ..providers.deliveries import Change, Lifecycle
from ..store.audit import record_change
from ..store.engine import Store
from ..tokens.grants import note_opening
from ..tokens.sessions import Sessions
from . import repository
from .activation import AccountTakenError, activate
from .statuses import InstallationStatus, StatusReason
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
    organization owner" of GitHub).
    """
    if lifecycle.change is not Change.INSTALLED or lifecycle.requester is None or lifecycle.account is None:
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
        for waiting in _approved(connection, lifecycle.requester, lifecycle.account, provider, host, now)
    ]
    return [installation for installation in settled if installation is not None]


def _approved(
    connection: Connection,
    requester: ExternalIdentity,
    account: Account,
    provider: str,
    host: str,
    now: datetime,
) -> list[Installation]:
    """Return what waited for this approval.

    What was asked for exactly this account comes first. A request for an account we don't know counts only where no
    second workspace waits for the same person, because nothing says which of the two the owner meant; there, the
    person can still claim it.
    """
    pending = repository.find_pending(
        connection,
        provider=provider,
        host=host,
        requester_id=requester.id,
        account_id=account.id,
        since=now - APPROVAL_LASTS,
    )
    named = [waiting for waiting in pending if waiting.account_id]
    if not named and len({waiting.workspace for waiting in pending}) > 1:
        logger.warning("an approval fits several workspaces, so none was connected; the requester can claim it")
        return []
    return named or pending


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


class PendingApprovals:
    """Asks about requests in the name of the app, or of the person who made them.

    Args:
        store: the database.
        registry: the plugins.
        apps: the registered apps.
        sessions: opens the API.
        follow: brings the layers above in line, in the same transaction.
    """

    def __init__(self, store: Store, registry: Registry, apps: Apps, sessions: Sessions, *, follow: Follow) -> None:
        self._store = store
        self._registry = registry
        self._apps = apps
        self._sessions = sessions
        self._follow = follow

    def ask(self, waiting: Installation, *, actor: str = "system") -> Installation | None:
        """Ask the plugin how a request stands; return the installation as it is then, or None where it can't tell.

        It becomes active only where the provider itself names the requester, whom a grant had proven, as the one
        whose request was approved. That an account has the app now may be somebody else's doing.

        Raises:
            ApiError: the provider didn't answer.
        """
        with self._store.reading() as connection:
            app = self._apps.of(connection, waiting)
        session = self._session(app, waiting)
        if session is None:
            return None
        with self._store.transaction() as connection:
            note_opening(connection, waiting, actor=actor, purpose="check_approval", at=self._store.now())
        requester = ExternalIdentity(id=waiting.requester_id) if waiting.requester_id else None
        account = waiting.account if waiting.account_id else None
        answer = self._registry.provider(waiting.provider).install(
            Conversation(
                app=app.app,
                state="",
                pending=PendingApproval(session=session, requester=requester, account=account),
            )
        )
        with self._store.transaction() as connection:
            known = repository.get(connection, waiting, lock=True)
            return self._take(connection, known, answer)

    def ask_all(self) -> list[Installation]:
        """Ask about every request of the last thirty days, in every workspace; return those that were settled.

        One that can't be asked about is left for the next time, and holds up no other.
        """
        with self._store.reading() as connection:
            requests = repository.find_requests(connection, since=self._store.now() - APPROVAL_LASTS)
        settled = []
        for waiting in requests:
            try:
                after = self.ask(waiting) or waiting
            except Exception as error:  # noqa: BLE001 - a plugin may raise anything
                logger.warning("%s: couldn't ask about its approval: %s", waiting.subject, type(error).__name__)
                continue
            if after.status is not InstallationStatus.PENDING_APPROVAL:
                settled.append(after)
        return settled

    def _session(self, app: RegisteredApp, waiting: Installation) -> ApiSession | None:
        if self._registry.provider(waiting.provider).manifest.app_tokens is not None:
            return self._sessions.as_app(app)
        return self._sessions.for_installation(waiting) if waiting.credential_id else None

    def _take(self, connection: Connection, known: Installation, answer: InstallAnswer) -> Installation | None:
        if known.status is not InstallationStatus.PENDING_APPROVAL:
            return known
        match answer:
            case AwaitApproval():
                return self._name(connection, known, answer.account)
            case Connected() if _is_proven(known, answer):
                settled = fulfil(
                    connection,
                    known,
                    account=answer.accounts[0],
                    provider_installation_id=answer.installation,
                    scopes=answer.scopes or known.scopes,
                    now=self._store.now(),
                    follow=self._follow,
                )
                return settled or known
            case Refused():
                return self._decline(connection, known)
        return None

    def _name(self, connection: Connection, known: Installation, account: Account | None) -> Installation:
        """Note which account was asked for, unless that is known, or the workspace has the account already."""
        if (
            account is None
            or known.account_id
            or repository.find_account(
                connection,
                workspace=known.workspace,
                provider=known.provider,
                host=known.host,
                account_id=account.id,
            )
        ):
            return known
        named = evolve(
            known, account_id=account.id, account_name=account.name, account_kind=account.kind,
            updated_at=self._store.now(),
        )  # fmt: skip
        repository.save(connection, named)
        return named

    def _decline(self, connection: Connection, known: Installation) -> Installation:
        now = self._store.now()
        actor, reason = f"provider:{known.provider}", StatusReason.APPROVAL_DECLINED
        declined = repository.set_status(connection, known, InstallationStatus.REMOVED, at=now, reason=reason)
        record_change(connection, known, declined, "declined", actor=actor, at=now, reason=reason)
        return declined


def _is_proven(known: Installation, answer: Connected) -> bool:
    """Return whether the provider says that this person's request, for this account, was approved."""
    person = answer.connected_by.id if answer.connected_by else ""
    accounts = [account.id for account in answer.accounts]
    return (
        bool(person)
        and person == known.requester_id
        and len(accounts) == 1
        and (known.account_id in {"", accounts[0]})
    )
