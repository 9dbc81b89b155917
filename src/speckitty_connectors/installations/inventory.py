"""Lists the resources of an installation page by page, and remembers what it saw."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from itertools import islice
from typing import Final

from attrs import define, evolve, frozen
from sqlalchemy import Connection

from ..apps.service import Apps
from ..errors import ConflictError, ConnectorsError
from ..identifiers import InstallationKey
from ..loading.registry import Registry
from ..providers.accounts import Account
from ..providers.api import AccountGoneError, ApiError, ApiUnauthorizedError, Listing
from ..providers.deliveries import Change, Lifecycle
from ..providers.resources import ResourcePage
from ..resources.repository import former_keys, get_resource, list_resources, mark_unseen, upsert_resources
from ..resources.types import KnownResource
from ..store.audit import record_event
from ..store.engine import Store
from ..tokens.grants import note_opening
from ..tokens.sessions import Sessions
from . import lifecycle, repository
from . import repository as across
from .statuses import InstallationStatus, StatusReason
from .types import Follow, Installation, follow_nothing


@frozen(kw_only=True)
class SyncResult:
    """What a sync saw.

    Attributes:
        listed: how many resources were on the pages.
        pages: how many pages there were.
        missing: how many that were known before are not there any more.
        complete: whether the listing began at the beginning and reached the end; only then is anything missing.
        cursor: where to resume a listing that stopped early; empty where it reached the end.

    >>> SyncResult(listed=3, pages=1, missing=0, complete=True).cursor
    ''
    """

    listed: int
    pages: int
    missing: int
    complete: bool
    cursor: str = ""


@frozen(kw_only=True)
class SyncProgress:
    """How far a sync has come.

    Attributes:
        installation: what is listed.
        pages: how many pages are kept.
        listed: how many resources were on them.
    """

    installation: Installation
    pages: int
    listed: int


Report = Callable[[SyncProgress], object]
"""Is told after each page that was kept, for a progress bar."""


def report_nothing(progress: SyncProgress) -> None:
    """Show nothing."""


class SyncInterruptedError(ConnectorsError):
    """A page could not be had. What was listed before it is kept, and nothing is taken for missing.

    Its cause is the `ApiError`, which says whether and when to try again.

    Attributes:
        cursor: where the listing goes on, with ``Inventory.sync(resume=True)``; empty where no page was kept.
        listed: how many resources were on the pages before.
    """

    code = "sync_interrupted"
    retryable = True

    def __init__(self, what: str, *, subject: str, remedy: str, cursor: str, listed: int) -> None:
        super().__init__(what, subject=subject, remedy=remedy)
        self.cursor = cursor
        self.listed = listed


MOST_PAGES: Final = 10_000
"""Pages of one sync: a million resources at a hundred a page, and the end of a listing that has none."""

LISTABLE: Final = frozenset(
    {InstallationStatus.ACTIVE, InstallationStatus.DEGRADED, InstallationStatus.NEEDS_RECONSENT}
)
"""The statuses in which a provider answers."""


@define(kw_only=True)
class _Progress:
    """How far one listing has come."""

    installation: Installation
    began: datetime
    from_beginning: bool
    cursor: str
    report: Report
    pages: int = 0
    listed: int = 0

    def keep(self, page: ResourcePage) -> None:
        self.cursor = page.cursor
        self.pages += 1
        self.listed += len(page.resources)
        self.report(SyncProgress(installation=self.installation, pages=self.pages, listed=self.listed))

    @property
    def is_complete(self) -> bool:
        return self.from_beginning and self.pages > 0 and not self.cursor


class Inventory:
    """Keeps what installations can see.

    Args:
        store: the database.
        registry: the plugins.
        apps: the registered apps.
        sessions: opens the API in the name of an installation.
        follow: brings the layers above in line, in the same transaction.
    """

    def __init__(
        self,
        store: Store,
        registry: Registry,
        apps: Apps,
        sessions: Sessions,
        *,
        follow: Follow = follow_nothing,
    ) -> None:
        self._store = store
        self._registry = registry
        self._apps = apps
        self._sessions = sessions
        self._follow = follow

    def sync(
        self,
        workspace: str,
        installation_id: str,
        *,
        resume: bool = False,
        report: Report = report_nothing,
        actor: str = "system",
    ) -> SyncResult:
        """List the installation's resources; each page is kept by a transaction of its own, with its cursor.

        A listing that is resumed, or that stops before its end, never takes anything for missing.

        Args:
            workspace: the workspace.
            installation_id: the installation.
            resume: whether to go on after the last page that was kept, also by a process that is gone; from the
                beginning where the last listing reached its end.
            report: is told after each page.
            actor: who asks, for the audit.

        Raises:
            NotFoundError: the workspace has no such installation.
            ConflictError: its status doesn't let the provider answer.
            SyncInterruptedError: a page could not be had; what came before it is kept.
        """
        with self._store.transaction() as connection:
            installation = repository.get(connection, InstallationKey(workspace=workspace, id=installation_id))
            _check_listable(installation)
            note_opening(connection, installation, actor=actor, purpose="sync", at=self._store.now())
        cursor = installation.inventory_cursor if resume else ""
        progress = _Progress(
            installation=installation,
            began=self._store.now(),
            from_beginning=not cursor,
            cursor=cursor,
            report=report,
        )
        try:
            self._walk(progress)
        except ApiError as error:
            self._interrupted(progress, error)
            raise SyncInterruptedError(
                f"the listing was interrupted: {error.what}",
                subject=installation.subject,
                remedy=error.remedy or "sync again, and resume or begin anew",
                cursor=progress.cursor,
                listed=progress.listed,
            ) from error
        return self._end(progress)

    def resources(self, workspace: str, installation_id: str) -> list[KnownResource]:
        """Return what is known of an installation's resources, ordered by their key of today.

        Raises:
            NotFoundError: the workspace has no such installation.
        """
        key = InstallationKey(workspace=workspace, id=installation_id)
        with self._store.reading() as connection:
            repository.get(connection, key)
            return list_resources(connection, key)

    def former_keys(self, workspace: str, resource_id: str) -> list[str]:
        """Return every key that a resource has had, the newest first.

        Raises:
            NotFoundError: the workspace has no such resource.
        """
        with self._store.reading() as connection:
            get_resource(connection, workspace=workspace, resource_id=resource_id)
            return former_keys(connection, workspace=workspace, resource_id=resource_id)

    def _walk(self, progress: _Progress) -> None:
        installation = progress.installation
        provider = self._registry.provider(installation.provider)
        with self._store.reading() as connection:
            app = self._apps.of(connection, installation).app
        listing = Listing(
            app=app,
            account=installation.account,
            installation=installation.provider_installation_id,
            scopes=installation.scopes,
            session=self._sessions.for_installation(installation),
            cursor=progress.cursor,
            page_size=provider.manifest.api_page_size,
        )
        for page in islice(provider.list_resources(listing), MOST_PAGES):
            self._keep(progress, page)

    def _keep(self, progress: _Progress, page: ResourcePage) -> None:
        with self._store.transaction() as connection:
            key = progress.installation
            upsert_resources(connection, key, listed=page.resources, at=self._store.now())
            repository.keep_cursor(connection, key, cursor=page.cursor)
            if page.account is not None:
                self._relabel(connection, progress.installation, page.account)
        progress.keep(page)

    def _relabel(self, connection: Connection, installation: Installation, account: Account) -> None:
        """Refresh the labels of the account; nothing but its id says which account it is."""
        known = repository.get(connection, installation, lock=True)
        if account.id != known.account_id:
            return
        named = lifecycle.with_name(known, account, self._store.now())
        relabelled = evolve(named, account_url=account.url or known.account_url)
        repository.save(connection, relabelled)
        across.claim_url(connection, relabelled)

    def _end(self, progress: _Progress) -> SyncResult:
        """Take what a complete listing didn't show for missing."""
        installation, now = progress.installation, self._store.now()
        missing = 0
        with self._store.transaction() as connection:
            if progress.is_complete:
                missing = mark_unseen(connection, installation, since=progress.began)
                known = repository.get(connection, installation, lock=True)
                repository.save(connection, evolve(known, inventory_synced_at=progress.began, updated_at=now))
            if missing:
                _record(connection, installation, "resources_missing", now, {"resources": missing})
            self._follow(connection, installation, now)
        return SyncResult(
            listed=progress.listed,
            pages=progress.pages,
            missing=missing,
            complete=progress.is_complete,
            cursor=progress.cursor,
        )

    def _interrupted(self, progress: _Progress, error: ApiError) -> None:
        """Bring the layers above in line with what was kept; a refused credential shows in the status."""
        installation, now = progress.installation, self._store.now()
        with self._store.transaction() as connection:
            if isinstance(error, AccountGoneError):
                gone = Lifecycle(change=Change.UNINSTALLED)
                lifecycle.apply(connection, installation=installation, lifecycle=gone, now=now)
            if isinstance(error, ApiUnauthorizedError):
                status, reason = InstallationStatus.NEEDS_REAUTHORISATION, StatusReason.CREDENTIAL_REFUSED
                repository.set_status(connection, installation, status, at=now, reason=reason)
                _record(connection, installation, "refused", now, {"status": "needs_reauthorisation"})
            self._follow(connection, installation, now)


def _check_listable(installation: Installation) -> None:
    if installation.status not in LISTABLE:
        raise ConflictError(
            f"the installation is {installation.status}, so the provider shows nothing of it",
            subject=installation.subject,
            remedy=installation.next_step.text,
        )


def _record(
    connection: Connection, installation: Installation, verb: str, now: datetime, after: dict[str, object]
) -> None:
    record_event(connection, installation, verb, actor=f"provider:{installation.provider}", at=now, after=after)
