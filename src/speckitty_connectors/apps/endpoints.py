"""Webhook end points: the last part of a URL, and the secrets that prove who posts there."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from attrs import frozen
from sqlalchemy import ColumnElement, Connection, Row, delete, insert, select, update

from ..credentials.secret import Secret, check_webhook_secret
from ..credentials.tables import endpoint_secrets, endpoints
from ..credentials.vault import SECRET, Vault
from ..identifiers import new_id

WEBHOOK_SECRET: Final = "webhook_secret"  # noqa: S105 - a kind of credential
"""Kind of the credentials that are an end point's secrets."""


@frozen(kw_only=True)
class EndpointSecret:
    """One of an end point's secrets, still sealed.

    It is of a scheme of the manifest, and retires at a moment in UTC or not at all; `open_secret` opens it.
    """

    credential_id: str
    scheme: str
    retires_at: datetime | None = None


@frozen(kw_only=True)
class Endpoint:
    """Where a provider posts to, and the principal of what arrives there.

    Attributes:
        workspace: whose end point it is; the operator's for an app that serves every customer.
        id: the last part of its URL.
        provider: provider key.
        host: the provider's host.
        app_id: the app it belongs to, or empty.
        installation_id: the one installation it belongs to, or empty for an app's.
        secrets: its secrets, oldest first, also those that retired; the reader compares with its clock.

    >>> Endpoint(workspace="", id="e1", provider="acme", host="acme.example", app_id="a1").installation_id
    ''
    """

    workspace: str
    id: str
    provider: str
    host: str
    app_id: str = ""
    installation_id: str = ""
    secrets: tuple[EndpointSecret, ...] = ()


def add_endpoint(
    connection: Connection,
    *,
    workspace: str,
    provider: str,
    host: str,
    now: datetime,
    app_id: str = "",
    installation_id: str = "",
) -> Endpoint:
    """Make an end point without secrets, which accepts nothing yet."""
    endpoint = Endpoint(
        workspace=workspace,
        id=new_id(),
        provider=provider,
        host=host,
        app_id=app_id,
        installation_id=installation_id,
    )
    connection.execute(
        insert(endpoints).values(
            workspace_id=workspace,
            id=endpoint.id,
            provider=provider,
            host=host,
            app_id=app_id,
            installation_id=installation_id,
            created_at=now,
        )
    )
    return endpoint


def find_endpoint(connection: Connection, provider: str, endpoint_id: str) -> Endpoint | None:
    """Return the end point of that URL, in whichever workspace, or None where there is none or it is disabled."""
    row = connection.execute(
        select(endpoints).where(
            endpoints.c.id == endpoint_id, endpoints.c.provider == provider, endpoints.c.disabled_at.is_(None)
        )
    ).one_or_none()
    return None if row is None else _endpoint(connection, row)


def get_endpoint(connection: Connection, *, workspace: str, endpoint_id: str) -> Endpoint | None:
    """Return a workspace's end point, or None where there is none."""
    row = connection.execute(
        select(endpoints).where(endpoints.c.workspace_id == workspace, endpoints.c.id == endpoint_id)
    ).one_or_none()
    return None if row is None else _endpoint(connection, row)


def app_endpoint(connection: Connection, *, workspace: str, app_id: str) -> Endpoint:
    """Return the end point that an app got when it was registered."""
    row = connection.execute(
        select(endpoints).where(
            endpoints.c.workspace_id == workspace,
            endpoints.c.app_id == app_id,
            endpoints.c.installation_id == "",
        )
    ).one()
    return _endpoint(connection, row)


def add_secret(
    connection: Connection, vault: Vault, endpoint: Endpoint, *, scheme: str, secret: Secret | str, now: datetime
) -> EndpointSecret:
    """Accept one more secret at an end point, beside those it has.

    `scheme` is the name of the scheme in the manifest that it signs with.

    Raises:
        ConfigurationError: it is empty, blank or shorter than 16 bytes.
    """
    checked = check_webhook_secret(Secret(secret), subject=f"{endpoint.provider} end point {endpoint.id}")
    credential_id = vault.seal_new(
        connection,
        workspace=endpoint.workspace,
        provider=endpoint.provider,
        host=endpoint.host,
        kind=WEBHOOK_SECRET,
        values={SECRET: checked},
    )
    connection.execute(
        insert(endpoint_secrets).values(
            workspace_id=endpoint.workspace,
            endpoint_id=endpoint.id,
            credential_id=credential_id,
            scheme=scheme,
            created_at=now,
        )
    )
    return EndpointSecret(credential_id=credential_id, scheme=scheme)


def open_secret(connection: Connection, vault: Vault, endpoint: Endpoint, credential_id: str) -> Secret:
    """Return one of an end point's secrets, opened.

    Raises:
        NotFoundError: the end point's workspace has no such credential.
        CredentialUnreadableError: it isn't what was sealed for this row.
    """
    return vault.open(connection, workspace=endpoint.workspace, credential_id=credential_id).secret


def retire_secret(connection: Connection, endpoint: Endpoint, credential_id: str, *, at: datetime) -> None:
    """Accept a secret until that moment, so that a new one takes its place without a refused delivery."""
    connection.execute(update(endpoint_secrets).where(_is(endpoint, credential_id)).values(retires_at=at))


def withdraw_secret(connection: Connection, vault: Vault, endpoint: Endpoint, credential_id: str) -> None:
    """Stop accepting a secret at once, and forget it."""
    connection.execute(delete(endpoint_secrets).where(_is(endpoint, credential_id)))
    vault.forget(connection, workspace=endpoint.workspace, credential_id=credential_id)


def remove_endpoint(connection: Connection, vault: Vault, endpoint: Endpoint) -> None:
    """Delete an end point and forget its secrets; deliveries that it took before are still routed."""
    for secret in endpoint.secrets:
        withdraw_secret(connection, vault, endpoint, secret.credential_id)
    connection.execute(
        delete(endpoints).where(endpoints.c.workspace_id == endpoint.workspace, endpoints.c.id == endpoint.id)
    )


def _endpoint(connection: Connection, row: Row[tuple[object, ...]]) -> Endpoint:
    secrets = connection.execute(
        select(endpoint_secrets)
        .where(endpoint_secrets.c.workspace_id == row.workspace_id, endpoint_secrets.c.endpoint_id == row.id)
        .order_by(endpoint_secrets.c.created_at, endpoint_secrets.c.credential_id)
    )
    return Endpoint(
        workspace=row.workspace_id,
        id=row.id,
        provider=row.provider,
        host=row.host,
        app_id=row.app_id,
        installation_id=row.installation_id,
        secrets=tuple(
            EndpointSecret(credential_id=secret.credential_id, scheme=secret.scheme, retires_at=secret.retires_at)
            for secret in secrets
        ),
    )


def _is(endpoint: Endpoint, credential_id: str) -> ColumnElement[bool]:
    return (
        (endpoint_secrets.c.workspace_id == endpoint.workspace)
        & (endpoint_secrets.c.endpoint_id == endpoint.id)
        & (endpoint_secrets.c.credential_id == credential_id)
    )
