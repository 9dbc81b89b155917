"""Writes a checked registration: the app, its sealed secrets and its end point, changing only what is different."""

from __future__ import annotations

from typing import Final

from attrs import frozen
from sqlalchemy import Connection, insert, select, update

from ..identifiers import Clock, new_id
from ..store.audit import record
from .endpoints import add_endpoint, add_secret, app_endpoint, withdraw_secret
from .registration import Registration
from .secret import Secret
from .tables import apps
from .vault import SECRET, CredentialUnreadableError, Vault

CLIENT_SECRET: Final = "client_secret"  # noqa: S105 - a kind of credential
PRIVATE_KEY: Final = "private_key"


@frozen(kw_only=True)
class Registering:
    """One registration on its way into the database.

    Attributes:
        connection: the transaction.
        vault: seals the secrets.
        clock: the present moment.
        workspace: whose app it is.
        registration: what was checked.
    """

    connection: Connection
    vault: Vault
    clock: Clock
    workspace: str
    registration: Registration

    def write(self) -> str:
        """Write it, and return the app's id.

        Raises:
            sqlalchemy.exc.IntegrityError: another process registered the same app at the same moment.
        """
        said = self.registration
        row = self.connection.execute(
            select(apps)
            .where(
                apps.c.workspace_id == self.workspace,
                apps.c.provider == said.provider,
                apps.c.host == said.host,
                apps.c.client_id == said.client_id,
            )
            .with_for_update()
        ).one_or_none()
        app_id = row.id if row else new_id()
        values: dict[str, object] = {
            "base_url": said.base_url,
            "settings": dict(said.settings),
            "client_secret_id": self._keep(CLIENT_SECRET, said.client_secret, row.client_secret_id if row else ""),
            "private_key_id": self._keep(PRIVATE_KEY, said.private_key, row.private_key_id if row else ""),
        }
        if row is None:
            self._insert(app_id, values)
        elif any(getattr(row, name) != value for name, value in values.items()):
            self.connection.execute(
                update(apps).where(apps.c.workspace_id == self.workspace, apps.c.id == app_id).values(values)
            )
            self._record("app.changed", app_id)
        self._keep_webhook_secrets(app_id)
        return app_id

    def _insert(self, app_id: str, values: dict[str, object]) -> None:
        said = self.registration
        now = self.clock()
        self.connection.execute(
            insert(apps).values(
                workspace_id=self.workspace,
                id=app_id,
                provider=said.provider,
                host=said.host,
                client_id=said.client_id,
                created_at=now,
                **values,
            )
        )
        add_endpoint(
            self.connection,
            workspace=self.workspace,
            provider=said.provider,
            host=said.host,
            app_id=app_id,
            now=now,
        )
        self._record("app.registered", app_id)

    def _keep(self, kind: str, secret: Secret | None, credential_id: str) -> str:
        """Return the id of the credential that holds the secret from now on; empty for none."""
        if credential_id and self._opened(credential_id) == secret:
            return credential_id
        if credential_id:
            self.vault.forget(self.connection, workspace=self.workspace, credential_id=credential_id)
        if secret is None:
            return ""
        return self.vault.seal_new(
            self.connection,
            workspace=self.workspace,
            provider=self.registration.provider,
            host=self.registration.host,
            kind=kind,
            values={SECRET: secret},
        )

    def _opened(self, credential_id: str) -> Secret | None:
        try:
            return self.vault.open(self.connection, workspace=self.workspace, credential_id=credential_id).secret
        except CredentialUnreadableError:
            return None  # registering again is how the operator mends it

    def _keep_webhook_secrets(self, app_id: str) -> None:
        """Accept the secrets that were said and withdraw the others, save those with an end to come."""
        said, now = self.registration, self.clock()
        endpoint = app_endpoint(self.connection, workspace=self.workspace, app_id=app_id)
        kept: list[Secret] = []
        for known in endpoint.secrets if said.webhook_secrets else ():
            secret = self._opened(known.credential_id)
            is_said = secret in said.webhook_secrets and known.scheme == said.webhook_scheme
            if secret is not None and is_said and known.retires_at is None:
                kept.append(secret)
            elif is_said or known.retires_at is None or known.retires_at <= now:
                withdraw_secret(self.connection, self.vault, endpoint, known.credential_id)
                self._record("app.webhook_secret_withdrawn", app_id)
        for secret in said.webhook_secrets:
            if secret not in kept:
                add_secret(
                    self.connection, self.vault, endpoint, scheme=said.webhook_scheme, secret=secret, now=now
                )
                kept.append(secret)
                self._record("app.webhook_secret_added", app_id)

    def _record(self, verb: str, app_id: str) -> None:
        said = self.registration
        record(
            self.connection,
            workspace=self.workspace,
            at=self.clock(),
            actor="operator",
            verb=verb,
            entity="app",
            entity_id=app_id,
            after={"provider": said.provider, "host": said.host, "base_url": said.base_url},
        )
