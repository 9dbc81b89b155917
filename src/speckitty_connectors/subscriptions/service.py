"""Keeps the webhooks of installations as they should be: all that is mapped is heard of, nothing is left over."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Final

from attrs import define, field
from sqlalchemy import Connection

from ..apps.service import Apps
from ..credentials.secret import Secret, check_webhook_secret, new_webhook_secret
from ..credentials.vault import Vault
from ..errors import ConfigurationError, ConflictError, ConnectorsError
from ..identifiers import InstallationKey
from ..installations import repository as installations
from ..installations.inventory import LISTABLE
from ..installations.types import Installation
from ..loading.registry import Registry
from ..providers.conversations import Refused
from ..providers.manifest import Capability
from ..providers.subscriptions import SubscriptionRules
from ..store.engine import Store
from ..tokens.sessions import Sessions
from . import repository
from .desired import conclude, is_as_wanted, mapped_resources, scopes_to_try
from .ledger import Ledger
from .registrar import EndpointUrl, Registrar
from .types import HandMade, SubscriptionResult, Wanted, Webhook, wanted_in

NO_RULES: Final = "its webhooks aren't made through an API; enter the app's webhook URL in the provider's pages"

logger = logging.getLogger(__name__)


@define(kw_only=True)
class _Progress:
    """What one run has found and done so far."""

    there: list[Webhook] = field(factory=list)
    registered: int = 0
    removed: int = 0
    faults: list[str] = field(factory=list)

    def result(self) -> SubscriptionResult:
        faults = [*self.faults, *(webhook.fault for webhook in self.there if webhook.fault)]
        return SubscriptionResult(
            webhooks=tuple(self.there),
            registered=self.registered,
            removed=self.removed,
            fault=faults[0] if faults else "",
        )


class Subscriptions:
    """Registers webhooks at providers whose manifest says how, reads them back, renews and removes them.

    Run `sync` after a connection and after mappings changed, and `sync_due` every hour or so.

    Args:
        store: the database.
        registry: the plugins.
        apps: the registered apps.
        vault: seals the secrets of endpoints.
        sessions: opens the API in the name of an installation.
        endpoint_url: where endpoints are reached.
    """

    def __init__(
        self,
        store: Store,
        registry: Registry,
        apps: Apps,
        vault: Vault,
        sessions: Sessions,
        endpoint_url: EndpointUrl,
    ) -> None:
        self._store = store
        self._registry = registry
        self._apps = apps
        self._sessions = sessions
        self._endpoint_url = endpoint_url
        self._ledger = Ledger(store=store, vault=vault, apps=apps)

    def webhooks(self, *, workspace: str, installation_id: str) -> list[Webhook]:
        """Return an installation's webhooks as they were last seen.

        Raises:
            NotFoundError: the workspace has no such installation.
        """
        key = InstallationKey(workspace=workspace, id=installation_id)
        with self._store.reading() as connection:
            installations.get(connection, key)
            return [webhook for webhook in repository.list_all(connection, key) if webhook.missed_at is None]

    def sync(self, *, workspace: str, installation_id: str) -> SubscriptionResult:
        """Make the webhooks of an installation what they should be; the same call twice changes nothing.

        Those that are there are read back, and renewed before they end. What is missing is registered, then what
        isn't wanted any more is removed, so that nothing is unheard in between. Where a person made a webhook by
        hand, nothing is registered beside it.

        Raises:
            NotFoundError: the workspace has no such installation.
            ConflictError: its status doesn't let the provider answer, or webhooks aren't made through an API there.
            ApiError: the provider didn't answer; what was done until then is kept.
        """
        registrar = self._open(InstallationKey(workspace=workspace, id=installation_id))
        progress = _Progress()
        self._read_back(registrar, progress)
        progress.faults.clear()  # what was missing is registered again
        self._bring_in_line(registrar, progress)
        return self._concluded(registrar.installation, progress)

    def check(self, *, workspace: str, installation_id: str) -> SubscriptionResult:
        """Read the webhooks of an installation back, and change nothing at the provider save what would end.

        A webhook that isn't there any more makes the installation degraded, with the reason.

        Raises:
            NotFoundError: the workspace has no such installation.
            ConflictError: its status doesn't let the provider answer, or webhooks aren't made through an API there.
            ApiError: the provider didn't answer.
        """
        registrar = self._open(InstallationKey(workspace=workspace, id=installation_id))
        progress = _Progress()
        self._read_back(registrar, progress)
        return self._concluded(registrar.installation, progress)

    def sync_due(self) -> int:
        """Sync every installation, in whatever workspace, that needs it; return how many were looked at.

        Due is what wasn't read back for a day, what ends soon, and where mappings changed. One that can't be
        synced is logged, and keeps no other from its turn.
        """
        due = self._due()
        for each in due:
            try:
                self.sync(workspace=each.workspace, installation_id=each.id)
            except ConnectorsError as error:
                logger.warning("webhooks of installation %s weren't synced: %s", each.id, error)
        return len(due)

    def add_by_hand(
        self,
        *,
        workspace: str,
        installation_id: str,
        actor: str,
        scheme: str = "",
        secret: Secret | str | None = None,
    ) -> HandMade:
        """Make an address for a webhook that a person enters in the provider's own pages.

        Args:
            workspace: the workspace.
            installation_id: the installation.
            actor: who asks, for the audit.
            scheme: name of the manifest's scheme that it signs by; the strongest where not given.
            secret: what the provider's page made up; a new one where the page takes ours.

        Raises:
            NotFoundError: the workspace has no such installation.
            ConfigurationError: there is no such scheme, or the secret is too short.
        """
        with self._store.reading() as connection:
            installation = installations.get(connection, InstallationKey(workspace=workspace, id=installation_id))
        schemes = self._registry.provider(installation.provider).manifest.webhooks.schemes
        chosen = scheme or next(iter(schemes))
        if chosen not in schemes:
            raise ConfigurationError(
                f"there is no scheme {chosen!r}",
                subject=installation.subject,
                remedy=f"name one of these: {', '.join(schemes)}",
            )
        given = new_webhook_secret() if secret is None else Secret(secret)
        check_webhook_secret(given, subject=installation.subject)
        webhook = self._ledger.add_by_hand(installation, given, scheme=chosen, actor=actor)
        url = self._endpoint_url(installation.provider, webhook.endpoint_id)
        return HandMade(webhook=webhook, url=url, secret=given)

    def remove(self, *, workspace: str, installation_id: str) -> SubscriptionResult:
        """Remove all webhooks of an installation, at the provider as far as it lets us.

        A webhook that the provider doesn't let go of posts to an address that refuses everything from now on.

        Raises:
            NotFoundError: the workspace has no such installation.
        """
        with self._store.reading() as connection:
            installation = installations.get(connection, InstallationKey(workspace=workspace, id=installation_id))
            known = repository.list_all(connection, installation)
        progress = _Progress()
        for webhook in known:
            try:
                if webhook.is_by_hand:
                    self._ledger.forget(webhook, "removed", "made by hand")
                else:
                    self._registrar(installation).remove(webhook)
            except ConnectorsError as error:
                self._ledger.forget(webhook, "abandoned", error.what)
                progress.faults.append(f"a webhook is left at the provider: {error.what}")
            progress.removed += 1
        return progress.result()

    def _read_back(self, registrar: Registrar, progress: _Progress) -> None:
        for webhook in registrar.known():
            untouched = webhook.is_by_hand or self._ledger.is_being_registered(webhook)
            read = webhook if untouched else registrar.check(webhook)
            if isinstance(read, Webhook):
                progress.there.append(read)
            elif webhook.registration and webhook.missed_at is None:
                progress.removed += 1
                progress.faults.append(": ".join(filter(None, ["a webhook isn't there any more", read.reason])))
        self._forget_copies(progress)

    def _forget_copies(self, progress: _Progress) -> None:
        """Forget what was missed and is the very one that was written down in its place."""
        for missed in [webhook for webhook in progress.there if webhook.missed_at is not None]:
            same = [each for each in progress.there if each.registration == missed.registration]
            if len(same) > 1:
                self._ledger.forget(missed, "abandoned", "it is written down twice")
                progress.there.remove(missed)

    def _bring_in_line(self, registrar: Registrar, progress: _Progress) -> None:
        """Register what is missing in the best scope that the provider allows, then remove what is left over."""
        if any(webhook.is_by_hand for webhook in progress.there):
            return
        before = list(progress.there)
        with self._store.reading() as connection:
            mapped = mapped_resources(connection, registrar.installation)
        wanted: Sequence[Wanted] = ()
        for scope in scopes_to_try(registrar.rules, before):
            wanted = wanted_in(scope, mapped)
            progress.faults = self._register(registrar, wanted, progress)
            if not progress.faults or progress.there:
                break
        covers = {each.covers for each in wanted}
        for webhook in before:
            if webhook.covers not in covers and not self._ledger.is_being_registered(webhook):
                registrar.remove(webhook)
                progress.there.remove(webhook)
                progress.removed += 1

    def _register(self, registrar: Registrar, wanted: Sequence[Wanted], progress: _Progress) -> list[str]:
        """Register what isn't there; return why some of it can't be."""
        there = {webhook.covers for webhook in progress.there}
        faults = []
        for each in wanted:
            answer = registrar.register(each) if each.covers not in there else None
            if isinstance(answer, Webhook):
                progress.there.append(answer)
                progress.registered += 1
            elif isinstance(answer, Refused):
                faults.append(f"{answer.reason} {answer.remedy}")
        return faults

    def _concluded(self, installation: Installation, progress: _Progress) -> SubscriptionResult:
        result = progress.result()
        conclude(self._store, installation, result.fault)
        return result

    def _due(self) -> list[Installation]:
        subscribing = [each.key for each in self._registry.providers() if each.supports(Capability.SUBSCRIBE)]
        with self._store.reading() as connection:
            due = repository.find_due(connection, now=self._store.now())
            reachable = installations.find_with_status(connection, providers=subscribing, statuses=LISTABLE)
            return [
                each
                for each in reachable
                if (each.workspace, each.id) in due or not self._is_as_wanted(connection, each)
            ]

    def _is_as_wanted(self, connection: Connection, installation: Installation) -> bool:
        there = repository.list_all(connection, installation)
        return is_as_wanted(self._rules(installation), there, mapped_resources(connection, installation))

    def _open(self, key: InstallationKey) -> Registrar:
        with self._store.reading() as connection:
            installation = installations.get(connection, key)
        if installation.status not in LISTABLE:
            raise ConflictError(
                f"the installation is {installation.status}, so the provider lets nothing be registered",
                subject=installation.subject,
                remedy=installation.next_step.text or "connect the account again",
            )
        return self._registrar(installation)

    def _registrar(self, installation: Installation) -> Registrar:
        with self._store.reading() as connection:
            app = self._apps.of(connection, installation)
        return Registrar(
            ledger=self._ledger,
            provider=self._registry.provider(installation.provider),
            rules=self._rules(installation),
            app=app,
            installation=installation,
            session=self._sessions.for_installation(installation),
            endpoint_url=self._endpoint_url,
        )

    def _rules(self, installation: Installation) -> SubscriptionRules:
        provider = self._registry.provider(installation.provider)
        rules = provider.manifest.webhooks.subscriptions
        if rules is None or not provider.supports(Capability.SUBSCRIBE):
            raise ConflictError(
                f"{provider.manifest.title}: {NO_RULES}",
                subject=installation.subject,
                remedy="or make an address for a webhook that a person enters there",
            )
        return rules
