"""Lists the resources of an installation page by page, and remembers what it saw."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
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
from ..providers.resources import ResourcePage
from ..resources.repository import (
    Unseen,
    former_keys,
    get_resource,
    list_resources,
    mark_unseen,
    upsert_resources,
)
from ..resources.types import Belief, KnownResource
from ..store.audit import record_change, record_event
from ..store.engine import Store
from ..tokens.grants import note_opening
from ..tokens.sessions import Sessions
from . import lifecycle, repository
from .statuses import InstallationStatus, StatusReason
from .types import Follow, Installation, follow_nothing

logger = logging.getLogger(__name__)


@frozen(kw_only=True)
class SyncResult:
    """What a sync saw.

    Attributes:
        listed: how many resources were on the pages.
        pages: how many pages there were.
        missing: how many that were known before are not there any more.
        complete: whether the listing began at the beginning and reached the end; only then is anything missing.
        cursor: where to resume a listing that stopped early; empty where it reached the end.
        doubted: how many weren't shown, but were seen too shortly ago to be missing; another listing decides.
        held_back: how many aren't taken for missing because they are too many at once; see `Inventory.sync`.
        skipped: parts of the account that refused to be listed, each with the reason.

    >>> SyncResult(listed=3, pages=1, missing=0, complete=True).cursor
    ''
    """

    listed: int
    pages: int
    missing: int
    complete: bool
    cursor: str = ""
    doubted: int = 0
    held_back: int = 0
    skipped: tuple[str, ...] = ()


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

DEAD_CURSOR: Final = frozenset({400, 404, 410, 422})
"""The statuses with which a provider says that a cursor leads nowhere any more."""

HEALED: Final = frozenset({StatusReason.ACCESS_REFUSED, StatusReason.ACCOUNT_UNREACHED})
"""The reasons of a degraded installation that a listing takes away by reaching its end."""

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
    total: int = 0
    skipped: tuple[str, ...] = ()

    def keep(self, page: ResourcePage) -> None:
        self.cursor = page.cursor
        self.total = page.total or 0
        self.skipped += page.skipped
        self.pages += 1
        self.listed += len(page.resources)
        self.report(SyncProgress(installation=self.installation, pages=self.pages, listed=self.listed))

    @property
    def is_complete(self) -> bool:
        return self.from_beginning and self.pages > 0 and not self.cursor and not self.skipped

    def check_total(self) -> None:
        """Refuse a listing that ended before everything that the provider counts was on it.

        Raises:
            ApiError: the provider counts more than it gave.
        """
        if self.is_complete and self.listed < self.total:
            raise ApiError(
                f"the provider counts {self.total} resources, and gave {self.listed}",
                subject=self.installation.subject,
                remedy="sync again; nothing is taken for missing",
            )

    def result(self, unseen: Unseen) -> SyncResult:
        """Return what came of it, and tell the operator where too much would be missing."""
        if unseen.held_back:
            logger.warning(
                "%s: %d resources are shown no more, too many at once to be believed: look at the account, then "
                "run: speckitty-connectors installations sync --confirm-missing",
                self.installation.subject,
                unseen.held_back,
            )
        return SyncResult(
            listed=self.listed,
            pages=self.pages,
            missing=unseen.missing,
            complete=self.is_complete,
            cursor=self.cursor,
            doubted=unseen.doubted,
            held_back=unseen.held_back,
            skipped=self.skipped,
        )


class Inventory:
    """Keeps what installations can see.

    A listing that is resumed, or that stops before its end, never takes anything for missing. What a complete one
    doesn't show is missing when another one an hour later doesn't show it either, unless it is more than half of
    all: then a person has to confirm it. Both numbers are settings.

    Args:
        store: the database.
        registry: the plugins.
        apps: the registered apps.
        sessions: opens the API in the name of an installation.
        follow: brings the layers above in line, in the same transaction.
        belief: when what listings don't show is missing.
    """

    def __init__(
        self,
        store: Store,
        registry: Registry,
        apps: Apps,
        sessions: Sessions,
        *,
        follow: Follow = follow_nothing,
        belief: Belief | None = None,
    ) -> None:
        self._store = store
        self._registry = registry
        self._apps = apps
        self._sessions = sessions
        self._follow = follow
        self.belief = belief or Belief()

    def sync(
        self,
        workspace: str,
        installation_id: str,
        *,
        resume: bool = False,
        report: Report = report_nothing,
        actor: str = "system",
        is_confirmed: bool = False,
    ) -> SyncResult:
        """List the installation's resources; each page is kept by a transaction of its own, with its cursor.

        Args:
            workspace: the workspace.
            installation_id: the installation.
            resume: whether to go on after the last page that was kept, also by a process that is gone.
            report: is called after each page.
            actor: who asks, for the audit.
            is_confirmed: whether what isn't shown is missing at once, because a person says that it is.

        Raises:
            NotFoundError: the workspace has no such installation.
            ConflictError: its status doesn't let the provider answer.
            SyncInterruptedError: a page could not be had; what came before it is kept.
        """
        progress = self._begin(workspace, installation_id, resume=resume, report=report, actor=actor)
        try:
            self._walk_from(progress)
            progress.check_total()
        except ApiError as error:
            raise self._interrupted(progress, error) from error
        return self._end(progress, is_confirmed=is_confirmed)

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

    def _begin(
        self, workspace: str, installation_id: str, *, resume: bool, report: Report, actor: str
    ) -> _Progress:
        now = self._store.now()
        with self._store.transaction() as connection:
            installation = repository.get(connection, InstallationKey(workspace=workspace, id=installation_id))
            _check_listable(installation)
            note_opening(connection, installation, actor=actor, purpose="sync", at=now)
        cursor = installation.inventory_cursor if resume else ""
        return _Progress(
            installation=installation, began=now, from_beginning=not cursor, cursor=cursor, report=report
        )

    def _walk_from(self, progress: _Progress) -> None:
        """List from the cursor, or from the beginning where the provider doesn't know that cursor any more."""
        try:
            self._walk(progress)
        except ApiError as error:
            if not progress.cursor or progress.pages or error.status not in DEAD_CURSOR:
                raise
            progress.cursor, progress.from_beginning = "", True
            self._walk(progress)

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
        repository.claim_url(connection, relabelled)

    def _end(self, progress: _Progress, *, is_confirmed: bool) -> SyncResult:
        """Take what complete listings didn't show for missing; whatever was wrong with the access is over."""
        installation, now = progress.installation, self._store.now()
        unseen = Unseen()
        with self._store.transaction() as connection:
            known = repository.get(connection, installation, lock=True)
            if progress.is_complete:
                unseen = mark_unseen(
                    connection, known, since=progress.began, belief=self.belief, is_confirmed=is_confirmed
                )
                known = evolve(known, inventory_synced_at=progress.began, updated_at=now)
                repository.save(connection, known)
            if known.status is InstallationStatus.DEGRADED and known.status_reason in HEALED:
                _set_status(connection, known, InstallationStatus.ACTIVE, "", "recovered", now)
            if unseen.missing:
                _record(connection, installation, "resources_missing", now, {"resources": unseen.missing})
            self._follow(connection, installation, now)
        return progress.result(unseen)

    def _interrupted(self, progress: _Progress, error: ApiError) -> SyncInterruptedError:
        """Bring the layers above in line with what was kept; a refusal shows in the status until a listing ends.

        Only the second refusal of a grant itself asks for a person, and the renewal of tokens finds that out.
        """
        installation, now = progress.installation, self._store.now()
        reason = next((reason for kind, reason in REFUSALS.items() if isinstance(error, kind)), "")
        with self._store.transaction() as connection:
            known = repository.get(connection, installation, lock=True)
            if reason and known.status is InstallationStatus.ACTIVE:
                _set_status(connection, known, InstallationStatus.DEGRADED, reason, "degraded", now)
            self._follow(connection, installation, now)
        return SyncInterruptedError(
            f"the listing was interrupted: {error.what}",
            subject=installation.subject,
            remedy=error.remedy or "sync again, and resume or begin anew",
            cursor=progress.cursor,
            listed=progress.listed,
        )


REFUSALS: Final[Mapping[type[ApiError], str]] = {
    AccountGoneError: StatusReason.ACCOUNT_UNREACHED,
    ApiUnauthorizedError: StatusReason.ACCESS_REFUSED,
}
"""What degrades an installation until a listing reaches its end again."""


def _set_status(
    connection: Connection,
    known: Installation,
    status: InstallationStatus,
    reason: str,
    verb: str,
    now: datetime,
) -> None:
    changed = evolve(known, status=status, status_reason=reason, updated_at=now)
    repository.save(connection, changed)
    actor = f"provider:{known.provider}"
    record_change(connection, known, changed, verb, actor=actor, at=now, reason=reason)


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
