"""Lists the resources of an installation page by page, and remembers what it saw."""

from __future__ import annotations

from datetime import datetime
from itertools import islice

from attrs import define, evolve, frozen
from sqlalchemy import Connection

from ..credentials.apps import Apps
from ..credentials.sessions import Sessions
from ..errors import ConflictError, ConnectorsError
from ..providers.api import ApiError, ApiUnauthorizedError, Listing
from ..providers.registry import Registry
from ..providers.resources import ResourcePage
from ..store.audit import record
from ..store.engine import Store
from . import repository
from .types import Follow, Installation, InstallationStatus, KnownResource, follow_nothing

MOST_PAGES = 10_000
"""Pages of one sync: a million resources, and the end of a listing that would never end."""

LISTABLE = frozenset({InstallationStatus.ACTIVE, InstallationStatus.DEGRADED, InstallationStatus.NEEDS_RECONSENT})
"""The statuses in which a provider answers."""

UNAUTHORIZED = "the provider no longer accepts the credential; an admin has to connect the account again"


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


class SyncInterruptedError(ConnectorsError):
    """A page could not be had. What was listed before is kept, and nothing is taken for missing.

    Attributes:
        cursor: hand it to `Inventory.sync` to resume after the last page that was kept.
        listed: how many resources were on the pages before.
        retryable: whether the same call may succeed later without a change.
    """

    code = "sync_interrupted"

    def __init__(self, cause: ConnectorsError, *, subject: str, cursor: str, listed: int) -> None:
        super().__init__(
            f"the listing was interrupted: {cause.what}",
            subject=subject,
            remedy=cause.remedy or "sync again, from this error's cursor or from the beginning",
        )
        self.cursor = cursor
        self.listed = listed
        self.cause = cause


@define(kw_only=True)
class _Walk:
    """How far a listing has come."""

    installation: Installation
    began: datetime
    from_beginning: bool
    cursor: str
    pages: int = 0
    listed: int = 0


class Inventory:
    """Keeps what an installation can see.

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

    def sync(self, workspace: str, installation_id: str, *, cursor: str = "") -> SyncResult:
        """List the installation's resources, each page kept by a transaction of its own.

        A listing that is resumed, or that stops before its end, never takes anything for missing.

        Args:
            workspace: the workspace.
            installation_id: the installation.
            cursor: where to resume; empty for the beginning.

        Raises:
            NotFoundError: the workspace has no such installation.
            ConflictError: its status doesn't let the provider answer.
            SyncInterruptedError: a page could not be had; it carries the cursor to resume.
        """
        with self._store.reading() as connection:
            installation = repository.get(connection, workspace=workspace, installation_id=installation_id)
            app = self._apps.of(connection, installation)
        _check_listable(installation)
        provider = self._registry.provider(installation.provider)
        walk = _Walk(installation=installation, began=self._store.now(), from_beginning=not cursor, cursor=cursor)
        try:
            listing = Listing(
                app=app.app,
                account=installation.account,
                installation=installation.provider_installation_id,
                session=self._sessions.for_installation(installation),
                cursor=cursor,
                page_size=provider.manifest.api_page_size,
            )
            for page in islice(provider.list_resources(listing), MOST_PAGES):
                self._keep_page(walk, page)
        except ApiError as error:
            self._interrupt(walk, error)
            raise SyncInterruptedError(
                error, subject=installation.subject, cursor=walk.cursor, listed=walk.listed
            ) from error
        return self._end(walk)

    def resources(self, workspace: str, installation_id: str) -> list[KnownResource]:
        """Return what is known of an installation's resources, ordered by their key of today.

        Raises:
            NotFoundError: the workspace has no such installation.
        """
        with self._store.reading() as connection:
            repository.get(connection, workspace=workspace, installation_id=installation_id)
            return repository.list_resources(connection, workspace=workspace, installation_id=installation_id)

    def _keep_page(self, walk: _Walk, page: ResourcePage) -> None:
        with self._store.transaction() as connection:
            repository.upsert_resources(
                connection,
                workspace=walk.installation.workspace,
                installation_id=walk.installation.id,
                listed=page.resources,
                at=self._store.now(),
            )
        walk.cursor = page.cursor
        walk.pages += 1
        walk.listed += len(page.resources)

    def _end(self, walk: _Walk) -> SyncResult:
        """Take what a complete listing didn't show for missing; bring the layers above in line in any case."""
        installation, now = walk.installation, self._store.now()
        complete = walk.from_beginning and walk.pages > 0 and not walk.cursor
        missing = 0
        with self._store.transaction() as connection:
            if complete:
                missing = repository.mark_unseen(
                    connection,
                    workspace=installation.workspace,
                    installation_id=installation.id,
                    since=walk.began,
                )
                self._note_synced(connection, installation, now)
            self._follow(connection, workspace=installation.workspace, installation_id=installation.id, now=now)
        return SyncResult(
            listed=walk.listed, pages=walk.pages, missing=missing, complete=complete, cursor=walk.cursor
        )

    def _note_synced(self, connection: Connection, installation: Installation, now: datetime) -> None:
        """Remember that the inventory is whole, unless a delivery has said since that it must be listed anew."""
        current = repository.get(
            connection, workspace=installation.workspace, installation_id=installation.id, lock=True
        )
        repository.save(connection, evolve(current, inventory_synced_at=now, updated_at=now))

    def _interrupt(self, walk: _Walk, error: ApiError) -> None:
        """Keep what an interrupted listing tells of the installation: a credential that is no longer accepted."""
        if not isinstance(error, ApiUnauthorizedError):
            return
        now = self._store.now()
        status = InstallationStatus.NEEDS_REAUTHORISATION
        installation = walk.installation
        with self._store.transaction() as connection:
            repository.set_status(
                connection,
                workspace=installation.workspace,
                installation_id=installation.id,
                status=status,
                reason=UNAUTHORIZED,
                at=now,
            )
            record(
                connection,
                workspace=installation.workspace,
                at=now,
                actor="system",
                verb="installation.status_changed",
                entity="installation",
                entity_id=installation.id,
                reason=UNAUTHORIZED,
                before={"status": installation.status},
                after={"status": status},
            )


def _check_listable(installation: Installation) -> None:
    if installation.status not in LISTABLE:
        raise ConflictError(
            f"the installation is {installation.status}: {installation.status_reason or 'no reason is known'}",
            subject=installation.subject,
            remedy="bring it back to active, then sync again",
        )
