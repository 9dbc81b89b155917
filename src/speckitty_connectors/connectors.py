"""The one object that a host holds."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING, TypeVar
from urllib.parse import quote

from attrs import asdict

from .apps.service import Apps, RegisteredApp
from .configuration import AppSettings, Settings, load_object
from .credentials.key_services import verify_keys
from .credentials.keyring import KeyRing
from .credentials.rotation import KeyRotation
from .credentials.sealing import Keys
from .credentials.vault import Vault
from .dispatch.announcements import Announcements, Hook, read_name
from .dispatch.handlers import (
    EVERY_OTHER,
    EffectHandler,
    Handlers,
    HostHandler,
    HostTransaction,
    TransactionalHandler,
)
from .dispatch.leases import LeaseKeeper
from .dispatch.parked import ParkedWork
from .dispatch.pool import WorkerPool
from .dispatch.waking import Waking
from .dispatch.worker import Worker, queue_of
from .http.session import Transport
from .identifiers import Clock, InstallationKey, utc_now
from .inbox.accept import Inbox
from .inbox.tables import inbox
from .installations import repository as installation_rows
from .installations.approvals import PendingApprovals
from .installations.consent import as_it_stands
from .installations.entered_tokens import EnteredTokens
from .installations.inventory import Inventory
from .installations.onboarding import Onboarding
from .installations.types import Installation
from .installations.upkeep import Upkeep
from .links.grants import update_holders
from .links.offboarding import Members
from .links.service import Links
from .loading.registry import Registry
from .mappings.files import MappingFiles
from .mappings.service import Mappings
from .policy.service import Policies
from .providers.deliveries import Event
from .resources.types import Belief
from .routing.explanation import Explanation, explain
from .routing.review.queue import ReviewQueue
from .routing.review.replay import Following
from .routing.router import Router
from .routing.simulation import Proposal, Simulation, simulate
from .routing.tables import dispatches
from .signals.service import Signals
from .store import migrations
from .store.audit import Audit
from .store.claims import ClaimQueue
from .store.confinement import check_confinement, confined
from .store.engine import Store
from .store.row_level_security import confined_tables
from .subscriptions.service import Subscriptions
from .suggestions.decisions import turn_down
from .suggestions.service import Suggestions
from .tokens.sessions import Sessions

if TYPE_CHECKING:
    from types import TracebackType

AnyTransactionalHandler = TypeVar("AnyTransactionalHandler", bound=TransactionalHandler)
AnyHostHandler = TypeVar("AnyHostHandler", bound=HostHandler)
AnyEffectHandler = TypeVar("AnyEffectHandler", bound=EffectHandler)


class Connectors:
    """Everything that a host does with its connections; make one at the start and keep it.

    >>> from speckitty_connectors import KeyRing, Settings
    >>> settings = Settings(database_url="sqlite://", keys={"2026": KeyRing.new_key()})
    >>> with Connectors(settings) as connectors:
    ...     connectors.upgrade()
    ...     @connectors.on("project")
    ...     def handle(dispatch, connection):
    ...         print(dispatch.event.kind, "for", dispatch.target)
    ...     connectors.worker().run_once()
    0

    Attributes:
        settings: what the host configured.
        registry: the provider plugins; `Registry.wrap` puts a wrapper around their hooks.
        store: the database.
        apps: the apps registered with provider hosts.
        keys: rotates what seals credentials.
        inbox: takes deliveries.
        onboarding: connects accounts (layer 1).
        entered_tokens: lets installations speak with tokens that an admin made.
        inventory: lists their resources.
        upkeep: compares with the provider's side what no webhook told of.
        links: links members (layer 2).
        members: looks after members who leave.
        mappings: maps resources to targets (layer 3).
        signals: keeps what the host observed of its projects.
        suggestions: says which resource probably belongs to which project.
        mapping_files: exports mappings, and brings them in line with a file.
        policies: keeps defaults, locks and projects' exceptions (layer 4).
        review: what waits for a person, and what people do about it.
        parked: what was given up, and how it is tried again.
        subscriptions: makes webhooks through the API of providers that want that.
        audit: who changed what, and why.

    Args:
        settings: what the host configured.
        registry: the plugins; found by the settings where not given.
        clock: where the present moment comes from.
        keys: what seals credentials, such as a key service; the keys of the settings where not given.

    Raises:
        ConfigurationError: a setting is wrong, or contradicts another.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        registry: Registry | None = None,
        clock: Clock = utc_now,
        keys: Keys | None = None,
    ) -> None:
        self.settings = settings
        self._keys = keys or configured_keys(settings)
        self.registry = registry or Registry(allow=settings.plugins.allow, block=settings.plugins.block)
        self.store = open_store(settings, clock=clock)
        self._transport = Transport(allowed_hosts=settings.allowed_hosts, clock=clock)
        vault = Vault(self._keys, clock)
        self.keys = KeyRotation(self.store, self._keys, vault)
        self.apps = Apps(self.store, vault, self.registry, allowed_hosts=settings.allowed_hosts)
        sessions = Sessions(self.store, vault, self._transport, self.registry, on_grant_change=update_holders)
        self._announcements = Announcements()
        self._waking = Waking(self.store, settings.workers)
        self.inbox = Inbox(self.store, self.registry, vault, settings.routed_kinds, settings.signature_tolerances)
        if self._waking.reaches_others:
            self.inbox.when_accepted = self._accepted
        parts = (self.store, self.registry, self.apps, vault, sessions, self._transport, self.callback_url)
        self.subscriptions = Subscriptions(self.store, self.registry, self.apps, vault, sessions, self.endpoint_url)
        known = (self.store, self.registry, self.apps, sessions)
        follow = Following(registry=self.registry)
        pending = PendingApprovals(*known, follow=follow)
        self.onboarding = Onboarding(
            *parts,
            pending,
            follow=follow,
            leave=self.subscriptions.remove,
            exclusive_accounts=settings.exclusive_accounts,
        )
        self.links = Links(*parts)
        self.members = Members(self.store, vault, self.links.ending)
        self.entered_tokens = EnteredTokens(self.store, self.registry, self.apps, vault, sessions)
        belief = Belief(interval=timedelta(hours=settings.missing_after_hours), share=settings.missing_share)
        self.inventory = Inventory(*known, follow=follow, belief=belief)
        self.upkeep = Upkeep(*known, self.inventory, pending, follow=follow)
        self.mappings = Mappings(
            self.store, self.registry, target_kinds=settings.target_kinds, when_removed=turn_down
        )
        self.signals = Signals(self.store, retention_days=settings.signal_retention_days)
        self.suggestions = Suggestions(self.store, self.registry, self.mappings)
        self.mapping_files = MappingFiles(self.store, self.mappings)
        self.audit = Audit(self.store)
        self.policies = Policies(self.store, self.registry)
        self.review = ReviewQueue(self.store, self.registry, self.mappings)
        self._router = Router(self.store, self.registry, queue=queue_of(inbox, settings.workers))
        self.parked = ParkedWork(self.store)
        self._handlers = Handlers()
        self._keeper = LeaseKeeper(self.store, limit_seconds=settings.workers.handler_limit_seconds)

    def upgrade(self) -> None:
        """Bring the tables up to this version; safe to repeat, and beside running processes."""
        migrations.upgrade(self.store)
        verify_keys(self._keys, self.store)

    def start(self) -> None:
        """Refuse an outdated database or a wrong key, and register the apps of the settings.

        Raises:
            ConfigurationError: tables, row-level security, keys or apps aren't as they must be.
        """
        migrations.check(self.store)
        if role := self.settings.workspace_role:
            with self.store.reading() as connection:
                names = [table.name for table in confined_tables()]
                check_confinement(connection, role, names, schema=self.settings.schema)
        verify_keys(self._keys, self.store)
        for app in self.settings.apps:
            self.register_app(app)

    def confined(self, workspace: str) -> AbstractContextManager[None]:
        """Hold what the block asks to a workspace, by PostgreSQL itself, where `Settings.workspace_role` is set.

        Use it around each request of a signed-in member, with the workspace that the session names: a mistake
        in any filter, ours or yours, then finds nothing. Deliveries and workers serve all workspaces.

        >>> from speckitty_connectors import KeyRing, Settings
        >>> connectors = Connectors(Settings(database_url="sqlite://", keys={"2026": KeyRing.new_key()}))
        >>> connectors.upgrade()
        >>> with connectors.confined("w1"):
        ...     connectors.installations("w1")
        []
        >>> connectors.close()

        Raises:
            ValueError: the workspace is empty.
        """
        return confined(workspace)

    def register_app(self, app: AppSettings) -> RegisteredApp:
        """Register an app, or update it; the same call twice changes nothing.

        Raises:
            ConfigurationError: something is missing or not well formed.
        """
        values = asdict(app, recurse=False)
        values["base_url"] = app.base_url or None
        return self.apps.register(**values)

    def on(self, target_kind: str = EVERY_OTHER) -> Callable[[AnyTransactionalHandler], AnyTransactionalHandler]:
        """Register a handler for targets of a kind, or for every other kind.

        It runs in the transaction that marks its dispatch done: what it writes through the connection it is
        given happens exactly once. It must not wait for anything outside the database.

        Raises:
            ConflictError: that kind has a handler.
        """

        def register(handler: AnyTransactionalHandler) -> AnyTransactionalHandler:
            self._handlers.in_transaction(handler, target_kind=target_kind)
            return handler

        return register

    def on_within(
        self, transaction: HostTransaction, target_kind: str = EVERY_OTHER
    ) -> Callable[[AnyHostHandler], AnyHostHandler]:
        """Register a handler that runs in a transaction of your own.

        Its dispatch is marked done in that same transaction: what it writes there happens exactly once, also
        through an ORM, and what is to follow a commit (Django's ``on_commit``) follows this one.

        Args:
            transaction: returns a context manager that opens a transaction on the database of the connectors,
                yields a DB-API cursor of its connection, and commits at its end or rolls back. The handler is
                given the cursor.
            target_kind: the kind of targets; every kind without a handler of its own where not given.

        Raises:
            ConflictError: that kind has a handler.
        """

        def register(handler: AnyHostHandler) -> AnyHostHandler:
            self._handlers.in_host_transaction(handler, transaction=transaction, target_kind=target_kind)
            return handler

        return register

    def on_effect(self, target_kind: str = EVERY_OTHER) -> Callable[[AnyEffectHandler], AnyEffectHandler]:
        """Register a handler for effects outside the database, which happen at least once.

        `Dispatch.effect_key` is the same on every attempt, so that the other side can leave out repeats.

        Raises:
            ConflictError: that kind has a handler.
        """

        def register(handler: AnyEffectHandler) -> AnyEffectHandler:
            self._handlers.at_least_once(handler, target_kind=target_kind)
            return handler

        return register

    def on_accepted(self, hook: Hook) -> Hook:
        """Register a hook that is given a name for each accepted delivery, after its commit; `run` understands it.

        A task engine puts the name into a message. Hooks are called from a thread of their own: one that is slow or
        fails delays nothing, and what it loses the sweeper finds.
        """
        self._announcements.add(hook)
        self.inbox.when_accepted = self._accepted
        return hook

    def _accepted(self, workspace: str, inbox_id: str) -> None:
        self._waking.wake()
        self._announcements.announce(workspace, inbox_id)

    def run(self, name: str) -> bool:
        """Route the delivery of a name and hand over what it leads to; return whether there was anything to do.

        It may be called at any time, from any process, as often as anybody likes, with any text: it claims what the
        name stands for, or does nothing.

        Raises:
            StoreUnavailableError: the database can't be reached or is too busy; nothing is lost.
        """
        found = read_name(name)
        return found is not None and self.worker().run_named(*found)

    def worker(self, *, after_seconds: float = 0.0) -> Worker:
        """Return a worker: it routes what came in, and hands it to the handlers.

        Args:
            after_seconds: how long something must have been due before it is taken: a sweeper's, beside a task
                engine that takes everything at once when all is well.
        """
        return Worker(
            self.store,
            self._router,
            self._handlers,
            keeper=self._keeper,
            settings=self.settings.workers,
            after_seconds=after_seconds,
            when_routed=self._waking.wake,
        )

    def pool(self, *, threads: int = 1, after_seconds: float = 0.0) -> WorkerPool:
        """Return workers to be run in threads, see `worker`; `working` does so in a block.

        What is accepted wakes them at once: by this process, and on PostgreSQL by any other. A sweeper polls.
        """
        self.inbox.when_accepted = self._accepted
        waking = None if after_seconds else self._waking  # who takes what has waited isn't to hear of what is new
        return WorkerPool(
            lambda: self.worker(after_seconds=after_seconds),
            self._keeper,
            threads=threads,
            grace_seconds=self.settings.workers.grace_seconds,
            waking=waking,
        )

    @property
    def worker_id(self) -> str:
        """What this process is called in the rows that its workers have."""
        return self._keeper.worker

    def release(self, worker_id: str) -> int:
        """Make due again what a process had that was stopped and has ended; return how many rows that were."""
        with self.store.transaction() as connection:
            queues = (ClaimQueue(table) for table in (inbox, dispatches))
            return sum(queue.release_worker(connection, worker_id) for queue in queues)

    @contextmanager
    def working(self, *, threads: int = 1, after_seconds: float = 0.0) -> Iterator[None]:
        """Run workers in threads while the block runs; handlers that still run at its end get their grace."""
        pool = self.pool(threads=threads, after_seconds=after_seconds)
        pool.start()
        try:
            yield
        finally:
            pool.stop()

    def webhook_url(self, app: RegisteredApp) -> str:
        """Return the URL to enter as the webhook of an app."""
        with self.store.reading() as connection:
            endpoint_id = self.apps.endpoint_of(connection, app)
        return self.endpoint_url(app.app.provider, endpoint_id)

    def endpoint_url(self, provider: str, endpoint_id: str) -> str:
        """Return the URL of an endpoint."""
        return f"{self.settings.public_url}/webhooks/{provider}/{endpoint_id}"

    def callback_url(self, provider: str, host: str) -> str:
        """Return the URL to enter as callback and set-up URL of an app: another one for each provider and host."""
        return f"{self.settings.public_url}/callback/{provider}/{quote(host, safe='')}"

    def connect_url(self, provider: str) -> str:
        """Return the page on which a signed-in member begins to connect an account."""
        return f"{self.settings.public_url}/connect/{provider}"

    def reauthorise_url(self, installation: Installation) -> str:
        """Return the page on which a signed-in member authorises an account again."""
        return f"{self.settings.public_url}/reauthorise/{installation.id}"

    def link_url(self, installation: Installation) -> str:
        """Return the page on which a signed-in member links themselves."""
        return f"{self.settings.public_url}/link/{installation.id}"

    def installations(self, workspace: str) -> list[Installation]:
        """Return a workspace's installations, oldest first, each as it stands by what is needed today."""
        with self.store.reading() as connection:
            found = installation_rows.list_all(connection, workspace=workspace)
        return [as_it_stands(installation, self.registry) for installation in found]

    def installation(self, workspace: str, installation_id: str) -> Installation:
        """Return one of a workspace's installations, as it stands by what is needed today.

        Raises:
            NotFoundError: the workspace has no such installation.
        """
        with self.store.reading() as connection:
            found = installation_rows.get(connection, InstallationKey(workspace=workspace, id=installation_id))
        return as_it_stands(found, self.registry)

    def explain(self, *, workspace: str, event_id: str) -> Explanation:
        """Return what became of a delivery, and why.

        Args:
            workspace: who asks; what was decided for others stays theirs.
            event_id: id of the delivery in the inbox, or the id that the provider gave it.

        Raises:
            NotFoundError: this workspace knows no such delivery.
        """
        with self.store.reading() as connection:
            return explain(connection, workspace=workspace, event_id=event_id)

    def simulate(
        self,
        *,
        workspace: str,
        event_id: str = "",
        event: Event | None = None,
        installation_id: str = "",
        proposal: Proposal | None = None,
    ) -> tuple[Simulation, ...]:
        """Return what becomes of an event now, and what would if mappings or policies were others; write nothing.

        Args:
            workspace: who asks.
            event_id: id of a decided delivery, ours or the provider's; or empty where an event is given.
            event: what happens; or None where a delivery is named.
            installation_id: the installation that a given event comes through.
            proposal: how mappings and policies could be changed.

        Raises:
            ConfigurationError: a proposed field isn't known, or its value isn't what it must be.
            NotFoundError: this workspace has no decision on such an event, or no such installation.
        """
        return simulate(
            self.store,
            self.registry,
            workspace=workspace,
            event_id=event_id,
            event=event,
            installation_id=installation_id,
            proposal=proposal,
        )

    def close(self) -> None:
        """Close every connection, to the database and outside."""
        self._transport.close()
        self._waking.close()
        self._keeper.close()
        self.store.close()

    def __enter__(self) -> Connectors:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def open_store(settings: Settings, *, clock: Clock = utc_now) -> Store:
    """Return the database that the settings name.

    Raises:
        ConfigurationError: it can't be used like this.
    """
    return Store(
        settings.database_url,
        clock=clock,
        workspace_role=settings.workspace_role,
        schema=settings.schema,
        connections=settings.database_connections,
        prepared_statements=settings.prepared_statements,
    )


def configured_keys(settings: Settings) -> Keys:
    """Return what seals credentials, as the settings say.

    Raises:
        ConfigurationError: there is no key, or the key service can't be imported.
    """
    if not settings.key_service:
        return KeyRing.from_configuration(settings.keys, active=settings.active_key)
    keys: Keys = load_object(settings.key_service, setting="key_service")()
    return keys
