"""The apps that an operator registered with provider hosts."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Protocol, Unpack

from attrs import frozen
from sqlalchemy import Connection, Row, Select, select
from sqlalchemy.exc import IntegrityError

from ..credentials.tables import apps
from ..credentials.vault import Vault
from ..errors import NotFoundError
from ..http.egress import Egress
from ..loading.registry import Registry
from ..loading.statuses import PluginUnavailableError
from ..providers.accounts import App
from ..store.engine import Store
from ..store.metadata import OPERATOR
from ..store.rows import is_row
from .endpoints import app_endpoint
from .registration import NewApp, Registering, Registration, check_registration, urls_of


@frozen(kw_only=True)
class RegisteredApp:
    """An app as it is stored; its secrets stay sealed.

    Attributes:
        workspace: whose it is; the operator's for an app that serves every workspace.
        id: our id.
        app: what a plugin may know of it.
        client_secret_id: credential of the client secret.
        private_key_id: credential of the private key, or empty.
    """

    workspace: str
    id: str
    app: App
    client_secret_id: str
    private_key_id: str = ""


class BelongsToApp(Protocol):
    """Anything that was connected through an app, such as an installation."""

    @property
    def workspace(self) -> str:
        """Whose it is."""
        ...

    @property
    def app_id(self) -> str:
        """The app's id; the app is the workspace's own or the operator's."""
        ...


class Apps:
    """Registers apps and finds them again."""

    def __init__(
        self, store: Store, vault: Vault, registry: Registry, *, allowed_hosts: Iterable[str] = ()
    ) -> None:
        self._store = store
        self._vault = vault
        self._registry = registry
        self._egress = Egress(allowed_hosts=frozenset(allowed_hosts))

    def register(self, *, workspace: str = OPERATOR, **app: Unpack[NewApp]) -> RegisteredApp:
        """Store an app, or update the one with this client id at this host; the same call twice changes nothing.

        Raises:
            ConfigurationError: something is missing, unknown or not well formed.
            PluginUnavailableError: there is no plugin for this provider.
        """
        manifest = self._registry.provider(app["provider"]).manifest
        registration = check_registration(manifest, self._egress, app)
        try:
            return self._write(workspace, registration)
        except IntegrityError:
            return self._write(workspace, registration)  # another process was faster; now it is an update

    def get(self, connection: Connection, workspace: str, app_id: str) -> RegisteredApp:
        """Return an app by its id.

        Raises:
            NotFoundError: the workspace has no such app.
            PluginUnavailableError: the plugin of its provider can't be used.
        """
        return self._found(connection, select(apps).where(is_row(apps, workspace, app_id)), f"app {app_id}")

    def of(self, connection: Connection, owned: BelongsToApp) -> RegisteredApp:
        """Return the app through which something was connected: its workspace's own, or the operator's.

        Raises:
            NotFoundError: it isn't registered any more.
            PluginUnavailableError: the plugin of its provider can't be used.
        """
        query = select(apps).where(apps.c.workspace_id.in_([owned.workspace, OPERATOR]), apps.c.id == owned.app_id)
        return self._found(connection, query, f"app {owned.app_id}")

    def find(
        self, connection: Connection, *, provider: str, host: str | None = None, workspace: str = OPERATOR
    ) -> RegisteredApp:
        """Return the newest app at a host; without a host the provider's own, or else the only one there is.

        Raises:
            NotFoundError: there is none, or none can be chosen without naming a host.
            PluginUnavailableError: the plugin of its provider can't be used.
        """
        wanted = host or self._registry.provider(provider).manifest.hosts.default
        query = select(apps).where(apps.c.workspace_id == workspace, apps.c.provider == provider)
        rows = connection.execute(query.order_by(apps.c.created_at.desc(), apps.c.id.desc())).all()
        found = [row for row in rows if row.host == wanted]
        if not found and host is None and len({row.host for row in rows}) == 1:
            found = list(rows)
        if not found:
            raise _no_app(f"provider {provider!r} at {host or 'an unnamed host'}")
        return self._registered(found[0])

    def list(self, *, workspace: str = OPERATOR) -> tuple[RegisteredApp, ...]:
        """Return a workspace's apps, oldest first; those whose plugin can't be used are left out."""
        with self._store.reading() as connection:
            query = select(apps).where(apps.c.workspace_id == workspace).order_by(apps.c.created_at, apps.c.id)
            rows = connection.execute(query).all()
        found = []
        for row in rows:
            try:
                found.append(self._registered(row))
            except PluginUnavailableError:
                continue  # the registry's statuses say why
        return tuple(found)

    def endpoint_of(self, connection: Connection, registered: RegisteredApp) -> str:
        """Return the id of the endpoint to which the app's webhook posts."""
        return app_endpoint(connection, workspace=registered.workspace, app_id=registered.id).id

    def _found(self, connection: Connection, query: Select[Any], subject: str) -> RegisteredApp:
        row = connection.execute(query).one_or_none()
        if row is None:
            raise _no_app(subject)
        return self._registered(row)

    def _write(self, workspace: str, registration: Registration) -> RegisteredApp:
        with self._store.transaction() as connection:
            app_id = Registering(
                connection=connection,
                vault=self._vault,
                clock=self._store.now,
                workspace=workspace,
                registration=registration,
            ).write()
            return self.get(connection, workspace, app_id)

    def _registered(self, row: Row[tuple[object, ...]]) -> RegisteredApp:
        manifest = self._registry.provider(row.provider).manifest
        return RegisteredApp(
            workspace=row.workspace_id,
            id=row.id,
            app=App(
                provider=row.provider,
                host=row.host,
                client_id=row.client_id,
                urls=urls_of(manifest, row.host, row.base_url),
                self_managed=row.host != manifest.hosts.default,
                settings=row.settings,
            ),
            client_secret_id=row.client_secret_id,
            private_key_id=row.private_key_id,
        )


def _no_app(subject: str) -> NotFoundError:
    return NotFoundError(
        "no app is registered", subject=subject, remedy="register the app, or name the host of one"
    )
