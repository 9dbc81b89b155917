"""Keeps installations in line with the provider's side, where a webhook was missed or none exists."""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta

from attrs import frozen
from sqlalchemy import Connection

from ..apps.service import Apps, RegisteredApp
from ..errors import ConflictError, ConnectorsError
from ..loading.binding import Provider
from ..loading.registry import Registry
from ..providers.api import ApiError, ApiNotFoundError, Listing
from ..providers.manifest import Capability
from ..providers.oauth import InstallationListing
from ..resources.repository import find_doubted
from ..store.audit import record_change
from ..store.engine import Store
from ..tokens.grants import note_opening
from ..tokens.sessions import Sessions
from . import lifecycle, repository
from .approvals import PendingApprovals
from .drift import Difference, DifferenceKind, ProviderInstallation, compare, list_provider_side
from .inventory import LISTABLE, Inventory, Report, SyncInterruptedError, report_nothing
from .statuses import InstallationStatus
from .types import Follow, Installation, follow_nothing

logger = logging.getLogger(__name__)


@frozen(kw_only=True)
class UpkeepResult:
    """What one round of upkeep did.

    Attributes:
        settled: the requests that were approved or declined.
        listed: the installations whose resources were listed to the end.
        failed: those that couldn't be, each with what was raised; the next round tries them again.
        repaired: those whose status the provider's own list of installations corrected.
    """

    settled: tuple[Installation, ...]
    listed: tuple[Installation, ...]
    failed: tuple[tuple[Installation, Exception], ...]
    repaired: tuple[Installation, ...] = ()


FOLLOWED = frozenset({DifferenceKind.SUSPENDED_THERE, DifferenceKind.RESUMED_THERE})
"""What the provider's list alone is believed about: both come and go without anything being lost."""


def _rules(provider: Provider) -> InstallationListing | None:
    rules = provider.manifest.app_tokens
    return None if rules is None else rules.installations


def _cause(error: Exception | None) -> BaseException | None:
    return error.__cause__ if isinstance(error, SyncInterruptedError) else error


class Upkeep:
    """Looks after what no webhook announces.

    Args:
        store: the database.
        registry: the plugins.
        apps: the registered apps.
        sessions: opens the API.
        inventory: lists resources.
        pending: asks about requests.
        follow: brings the layers above in line, in the same transaction.
    """

    def __init__(
        self,
        store: Store,
        registry: Registry,
        apps: Apps,
        sessions: Sessions,
        inventory: Inventory,
        pending: PendingApprovals,
        *,
        follow: Follow = follow_nothing,
    ) -> None:
        self._store = store
        self._registry = registry
        self._apps = apps
        self._sessions = sessions
        self._inventory = inventory
        self._pending = pending
        self._follow = follow

    def run(self, *, older_than: timedelta = timedelta(days=1), report: Report = report_nothing) -> UpkeepResult:
        """Ask about requests, and list again what wasn't for so long, in every workspace; call it every hour or so.

        One installation that fails holds up no other, and takes nothing for missing.

        Args:
            older_than: how old a listing may be.
            report: is told after each page.
        """
        settled, now = self._pending.ask_all(), self._store.now()
        with self._store.reading() as connection:
            stale = repository.find_stale(
                connection,
                statuses=LISTABLE,
                before=now - older_than,
                doubted=find_doubted(connection, before=now - self._inventory.belief.interval),
            )
        listed: list[Installation] = []
        failed: list[tuple[Installation, Exception]] = []
        for each in stale:
            try:
                if not self._lists(each):
                    continue
                self._inventory.sync(each.workspace, each.id, report=report)
            except Exception as error:  # noqa: BLE001 - a plugin may raise anything
                logger.warning("%s: couldn't be listed: %s", each.subject, type(error).__name__)
                failed.append((each, error))
            else:
                listed.append(each)
        repaired = self._follow_lists({each.id: error for each, error in failed})
        return UpkeepResult(
            settled=tuple(settled), listed=tuple(listed), failed=tuple(failed), repaired=tuple(repaired)
        )

    def _follow_lists(self, failed: Mapping[str, Exception]) -> list[Installation]:
        """Look up what failed, and what is suspended, in the apps' own lists of installations; apply what they say.

        A webhook that announced it may have been lost. That an installation is gone is believed only where the
        provider also answered to the installation's own request that it isn't there.
        """
        with self._store.reading() as connection:
            providers = [each.key for each in self._registry.providers() if _rules(each) is not None]
            statuses = LISTABLE | {InstallationStatus.SUSPENDED}
            known = repository.find_with_status(connection, providers=providers, statuses=statuses)
        doubted: dict[str, list[Installation]] = defaultdict(list)
        for each in known:
            if each.id in failed or each.status is InstallationStatus.SUSPENDED:
                doubted[each.app_id].append(each)
        repaired = []
        for installations in doubted.values():
            for difference in self._listed_differences(installations):
                gone = isinstance(_cause(failed.get(difference.installation.id)), ApiNotFoundError)
                if difference.kind in FOLLOWED or (gone and difference.kind is DifferenceKind.GONE_THERE):
                    repaired.append(self.fix(difference, actor="system"))
        return repaired

    def _listed_differences(self, known: Sequence[Installation]) -> list[Difference]:
        """Compare installations of one app with the app's own list; nothing where that can't be had now."""
        try:
            with self._store.reading() as connection:
                app = self._apps.of(connection, known[0])
            there = self._listed(app)
        except ConnectorsError as error:
            logger.warning("%s: the app's installations couldn't be listed: %s", known[0].provider, error)
            return []
        return [difference for each in known for difference in compare(each, there)]

    def check(self, workspace: str, *, actor: str = "system") -> tuple[Difference, ...]:
        """Return what differs between a workspace's installations and the provider's side; change nothing.

        Where the app can list its installations, that list is compared. Elsewhere the provider is asked for the
        first page of each installation's resources, which shows whether it still answers.

        Raises:
            ApiError: an app's list could not be had.
        """
        with self._store.reading() as connection:
            found = repository.list_all(connection, workspace=workspace)
        lists: dict[str, list[ProviderInstallation]] = {}
        differences: list[Difference] = []
        for each in found:
            if each.status is InstallationStatus.PENDING_APPROVAL:
                continue
            with self._store.reading() as connection:
                app = self._apps.of(connection, each)
            if each.app_id not in lists and self._can_list(app):
                lists[each.app_id] = self._listed(app)
            if each.app_id in lists:
                differences.extend(compare(each, lists[each.app_id]))
            elif each.status in LISTABLE and self._lists(each):
                differences.extend(self._probe(each, app, actor))
        return tuple(differences)

    def unconnected(self, provider: str, host: str | None = None) -> tuple[ProviderInstallation, ...]:
        """Return where the operator's app is installed without any workspace being connected; for the operator.

        The person who installed it there has to claim it: nothing but their own grant says whose it is.

        Raises:
            NotFoundError: no app is registered there.
            ConflictError: an app of this provider can't list its installations.
            ApiError: the list could not be had.
        """
        with self._store.reading() as connection:
            app = self._apps.find(connection, provider=provider, host=host)
        if not self._can_list(app):
            raise ConflictError(
                "an app of this provider can't list its installations",
                subject=f"{provider} app at {app.app.host}",
                remedy="check the installations of one workspace",
            )
        listed = self._listed(app)
        with self._store.reading() as connection:
            return tuple(each for each in listed if not self._is_connected(connection, app, each))

    def fix(self, difference: Difference, *, actor: str) -> Installation:
        """Apply the fix of a difference, as if the provider had announced it; return the installation after it.

        Raises:
            ConflictError: only a person can fix this one.
        """
        if difference.fix is None:
            raise ConflictError(
                f"nothing but a person can fix this: {difference.text}",
                subject=difference.installation.subject,
                remedy=difference.remedy,
            )
        now = self._store.now()
        with self._store.transaction() as connection:
            fixed = lifecycle.apply(
                connection,
                installation=difference.installation,
                lifecycle=difference.fix,
                now=now,
                follow=self._follow,
            )
            before, reason = difference.installation, difference.kind
            record_change(connection, before, fixed, "repaired", actor=actor, at=now, reason=reason)
        return fixed

    def _lists(self, installation: Installation) -> bool:
        return self._registry.provider(installation.provider).supports(Capability.LIST_RESOURCES)

    def _can_list(self, app: RegisteredApp) -> bool:
        return _rules(self._registry.provider(app.app.provider)) is not None

    def _listed(self, app: RegisteredApp) -> list[ProviderInstallation]:
        rules = _rules(self._registry.provider(app.app.provider))
        return [] if rules is None else list_provider_side(self._sessions.as_app(app), app.app, rules)

    def _is_connected(self, connection: Connection, app: RegisteredApp, each: ProviderInstallation) -> bool:
        return bool(
            repository.find_live(
                connection, provider=app.app.provider, host=app.app.host, account_id=each.account.id
            )
        )

    def _probe(self, known: Installation, app: RegisteredApp, actor: str) -> Iterator[Difference]:
        """Ask for a first page, and see whether the provider still knows the installation."""
        with self._store.transaction() as connection:
            note_opening(connection, known, actor=actor, purpose="check", at=self._store.now())
        provider = self._registry.provider(known.provider)
        listing = Listing(
            app=app.app,
            account=known.account,
            installation=known.provider_installation_id,
            session=self._sessions.for_installation(known),
            page_size=provider.manifest.api_page_size,
        )
        try:
            next(iter(provider.list_resources(listing)), None)
        except ApiNotFoundError:
            yield from compare(known, ())
        except ApiError as error:
            yield Difference(
                installation=known,
                kind=DifferenceKind.UNREACHABLE,
                text=f"the provider doesn't answer for it: {error.what}",
                remedy=error.remedy or "try again later",
            )
