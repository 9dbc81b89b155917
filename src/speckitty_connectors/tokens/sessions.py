"""API sessions with the right credential behind them; who holds one never sees it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Final, Protocol

from sqlalchemy import Connection

from ..apps.service import Apps, BelongsToApp, RegisteredApp
from ..credentials.secret import Secret
from ..credentials.vault import OpenCredential, Vault
from ..errors import ConfigurationError
from ..http.session import Transport, TransportSession
from ..loading.registry import Registry
from ..providers.api import ApiError
from ..providers.manifest import Budget
from ..store.engine import Store
from .access_tokens import AccessTokens
from .app_tokens import AppTokens
from .grants import OnGrantChange, get_grant, update_nothing
from .renewal import Asking, RenewalTimes

PATIENCE_WITH_A_PERSON_WAITING: Final = 5.0
"""Seconds that a call may be kept waiting while a browser waits for its answer."""


MINTED_TOKEN_PAUSES: Final = (1.0, 2.0, 4.0)
"""Seconds after which a call is tried again with a newly minted token, because a provider may refuse one for the
moment in which it isn't known everywhere ("Troubleshooting authentication as a GitHub App": 401 soon after minting;
octokit.js retries for the same reason)."""


class LinkedIdentity(Protocol):
    """What a session needs to know of what it speaks for: a member's link, or an installation."""

    @property
    def workspace(self) -> str:
        """Whose it is."""
        ...

    @property
    def credential_id(self) -> str:
        """Its sealed grant, or empty where it has none of its own."""
        ...

    @property
    def subject(self) -> str:
        """What error messages call it."""
        ...


class ConnectedAccount(LinkedIdentity, BelongsToApp, Protocol):
    """What a session needs to know of an installation."""

    @property
    def provider_installation_id(self) -> str:
        """The provider's own id of it, or empty."""
        ...

    @property
    def account_id(self) -> str:
        """The provider's immutable id of the account."""
        ...


class Sessions:
    """Makes API sessions. Never use one inside a transaction: it talks to the network."""

    def __init__(
        self,
        store: Store,
        vault: Vault,
        transport: Transport,
        registry: Registry,
        *,
        on_grant_change: OnGrantChange = update_nothing,
        times: RenewalTimes | None = None,
    ) -> None:
        self._store = store
        self._vault = vault
        self._transport = transport
        self._registry = registry
        self._apps = Apps(store, vault, registry)
        times = times or RenewalTimes()
        asking = Asking(store, vault, transport, registry, self._apps, times=times, on_grant_change=on_grant_change)
        self._access_tokens = AccessTokens(store, vault, asking, times)
        self._app_tokens: dict[str, AppTokens] = {}
        self._lock = threading.Lock()

    def for_installation(self, installation: ConnectedAccount) -> TransportSession:
        """Return a session that speaks for an installation: with a minted token, or with its grant.

        A grant is renewed when it is due, at the request that finds it so; such a request may also raise
        `ReconnectRequiredError`, where the provider accepts the grant no longer.

        Raises:
            NotFoundError: its app, or its grant, isn't there any more.
            CredentialUnreadableError: the grant can't be opened.
            PluginUnavailableError: the provider's plugin can't be used.
        """
        with self._store.reading() as connection:
            registered = self._apps.of(connection, installation)
            if self._registry.provider(registered.app.provider).manifest.app_tokens is None:
                opened = self._open(connection, installation)
                return self._renewing(registered, installation, opened, account_id=installation.account_id)
        tokens, provider_id = self._tokens_of(registered), installation.provider_installation_id
        return self._session(
            registered,
            lambda: tokens.token(registered, provider_id),
            installation.subject,
            account_id=installation.account_id,
            on_unauthorized=lambda: tokens.forget(registered, provider_id),
            unauthorized_pauses=MINTED_TOKEN_PAUSES,
        )

    def for_link(self, link: LinkedIdentity, *, account_id: str = "") -> TransportSession:
        """Return a session that speaks for a member, with the grant of their own link; see `for_installation`.

        It starts at the API root of the account that the link is under.

        Raises:
            NotFoundError: the link has no grant, or its app isn't there any more.
            CredentialUnreadableError: the grant can't be opened.
            PluginUnavailableError: the provider's plugin can't be used.
        """
        with self._store.reading() as connection:
            opened = self._open(connection, link)
            grant = get_grant(connection, workspace=link.workspace, credential_id=link.credential_id)
            return self._renewing(self._apps.of(connection, grant), link, opened, account_id=account_id)

    def for_grant(self, registered: RegisteredApp, values: Mapping[str, Secret | str]) -> TransportSession:
        """Return a session that speaks with what a person just granted, while they wait."""
        token = Secret(values["access_token"])
        return self._session(
            registered,
            lambda: token,
            f"{registered.app.provider} at {registered.app.host}",
            patience_seconds=PATIENCE_WITH_A_PERSON_WAITING,
        )

    def as_app(self, registered: RegisteredApp) -> TransportSession:
        """Return a session that speaks as the app itself.

        Raises:
            ConfigurationError: this provider's apps can't speak for themselves.
        """
        return self._tokens_of(registered).session(registered)

    def _open(self, connection: Connection, owner: LinkedIdentity) -> OpenCredential:
        return self._vault.open(connection, workspace=owner.workspace, credential_id=owner.credential_id)

    def _renewing(
        self, registered: RegisteredApp, owner: LinkedIdentity, opened: OpenCredential, *, account_id: str
    ) -> TransportSession:
        """Return a session whose token is looked up for each request, because any process may renew it."""
        speaking = _Speaking(self._access_tokens, owner, opened)
        return self._session(
            registered,
            speaking.token,
            owner.subject,
            account_id=account_id,
            on_unauthorized=speaking.reject,
            on_accepted=speaking.accept,
        )

    def _session(
        self,
        registered: RegisteredApp,
        token: Callable[[], Secret],
        subject: str,
        *,
        account_id: str = "",
        patience_seconds: float | None = None,
        on_unauthorized: Callable[[], bool] | None = None,
        unauthorized_pauses: Sequence[float] = (0.0,),
        on_accepted: Callable[[], None] | None = None,
    ) -> TransportSession:
        manifest = self._registry.provider(registered.app.provider).manifest
        urls = registered.app.urls
        return TransportSession(
            self._transport,
            root=urls.api_of(account_id) if account_id else urls.api,
            authorization=lambda: f"Bearer {token().reveal()}",
            dialect=manifest.rate_limits,
            headers=manifest.api_headers,
            subject=subject,
            patience_seconds=patience_seconds,
            on_unauthorized=on_unauthorized,
            unauthorized_pauses=unauthorized_pauses,
            on_accepted=on_accepted,
            budgets=_budgets(registered, account_id),
            failures=manifest.failures,
        )

    def _tokens_of(self, registered: RegisteredApp) -> AppTokens:
        """Return the provider's token mint; there is one for each, so that its cache is shared."""
        manifest = self._registry.provider(registered.app.provider).manifest
        if manifest.app_tokens is None:
            raise ConfigurationError(
                "an app of this provider can't speak for itself",
                subject=f"{registered.app.provider} app at {registered.app.host}",
                remedy="use a session of an installation",
            )
        with self._lock:
            known = self._app_tokens.get(manifest.provider)
            if known is None:
                known = AppTokens(manifest, manifest.app_tokens, self._transport, self._private_key)
                self._app_tokens[manifest.provider] = known
            return known

    def _private_key(self, registered: RegisteredApp) -> Secret:
        with self._store.reading() as connection:
            return self._vault.open(
                connection, workspace=registered.workspace, credential_id=registered.private_key_id
            ).secret


def _budgets(registered: RegisteredApp, account_id: str) -> Mapping[Budget, str]:
    """Return the budgets that calls share: those of their app, and those for their account."""
    app = f"{registered.workspace}/{registered.id}"
    return {Budget.APP: app, Budget.ACCOUNT: f"{app}/{account_id}"} if account_id else {Budget.APP: app}


class _Speaking:
    """The token of one session: the one that is stored, until the provider refuses it.

    What was opened to make the session serves its first request, and isn't kept any longer.
    """

    def __init__(self, tokens: AccessTokens, owner: LinkedIdentity, opened: OpenCredential) -> None:
        self._tokens = tokens
        self._owner = owner
        self._opened: OpenCredential | None = opened
        self._version = self._rejected = 0
        self._is_suspect = False

    def token(self) -> Secret:
        opened, self._opened = self._opened, None
        found = self._tokens.get(
            workspace=self._owner.workspace,
            credential_id=self._owner.credential_id,
            rejected_version=self._rejected,
            opened=opened,
        )
        self._version, self._is_suspect = found.version, found.is_suspect
        return found.secret

    def accept(self) -> None:
        """Clear a token of its suspicion, because the provider has just accepted it."""
        if self._is_suspect:
            self._is_suspect = False
            self._tokens.clear(workspace=self._owner.workspace, credential_id=self._owner.credential_id)

    def reject(self) -> bool:
        """Renew what the provider refused, or find it renewed; return whether there is another token now."""
        self._rejected = self._version
        try:
            self.token()
        except ApiError:
            return False
        return self._version != self._rejected
