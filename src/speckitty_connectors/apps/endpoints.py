"""Webhook endpoints: the last part of a URL, and the secrets that prove who posts there."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final

from attrs import asdict, frozen
from sqlalchemy import ColumnElement, Connection, Row, delete, insert, select, update

from ..credentials.secret import Secret, check_webhook_secret
from ..credentials.tables import endpoint_secrets, endpoints
from ..credentials.vault import SECRET, Vault
from ..identifiers import new_id
from ..store.rows import from_row, is_row

WEBHOOK_SECRET: Final = "webhook_secret"  # noqa: S105 - a kind of credential
"""Kind of the credentials that are an endpoint's secrets."""


@frozen(kw_only=True)
class EndpointSecret:
    """One of an endpoint's secrets, still sealed.

    It is of a scheme of the manifest, and retires at a moment in UTC or not at all; `open_secret` opens it.
    """

    credential_id: str
    scheme: str
    retires_at: datetime | None = None


@frozen(kw_only=True)
class Endpoint:
    """Where a provider posts to, and the principal of what arrives there.

    Attributes:
        workspace: whose endpoint it is; the operator's for an app that serves every customer.
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
    """Make an endpoint without secrets, which accepts nothing yet."""
    named: dict[str, Any] = {"id": new_id(), "provider": provider, "host": host}
    named |= {"app_id": app_id, "installation_id": installation_id}
    connection.execute(insert(endpoints).values(workspace_id=workspace, created_at=now, **named))
    return Endpoint(workspace=workspace, **named)


def find_endpoint(connection: Connection, provider: str, endpoint_id: str) -> Endpoint | None:
    """Return the endpoint of that URL, in any workspace, or None where there is none or it is disabled."""
    enabled = endpoints.c.disabled_at.is_(None)
    return _find(connection, endpoints.c.id == endpoint_id, endpoints.c.provider == provider, enabled)


def get_endpoint(connection: Connection, *, workspace: str, endpoint_id: str) -> Endpoint | None:
    """Return a workspace's endpoint, or None where there is none."""
    return _find(connection, is_row(endpoints, workspace, endpoint_id))


def app_endpoint(connection: Connection, *, workspace: str, app_id: str) -> Endpoint:
    """Return the endpoint that an app got when it was registered."""
    of_app = (endpoints.c.workspace_id == workspace) & (endpoints.c.app_id == app_id)
    row = connection.execute(select(endpoints).where(of_app, endpoints.c.installation_id == "")).one()
    return _endpoint(connection, row)


def add_secret(
    connection: Connection, vault: Vault, endpoint: Endpoint, *, scheme: str, secret: Secret | str, now: datetime
) -> EndpointSecret:
    """Accept one more secret at an endpoint, beside those it has.

    `scheme` is the name of the scheme in the manifest that it signs with.

    Raises:
        ConfigurationError: it is empty, blank or shorter than 16 bytes.
    """
    checked = check_webhook_secret(Secret(secret), subject=f"{endpoint.provider} endpoint {endpoint.id}")
    added = EndpointSecret(
        scheme=scheme,
        credential_id=vault.seal_new(
            connection,
            workspace=endpoint.workspace,
            provider=endpoint.provider,
            host=endpoint.host,
            kind=WEBHOOK_SECRET,
            values={SECRET: checked},
        ),
    )
    place = {"workspace_id": endpoint.workspace, "endpoint_id": endpoint.id, "created_at": now}
    connection.execute(insert(endpoint_secrets).values(**place, **asdict(added)))
    return added


def open_secret(connection: Connection, vault: Vault, endpoint: Endpoint, credential_id: str) -> Secret:
    """Return one of an endpoint's secrets, opened.

    Raises:
        NotFoundError: the endpoint's workspace has no such credential.
        CredentialUnreadableError: it isn't what was sealed for this row.
    """
    return vault.open(connection, workspace=endpoint.workspace, credential_id=credential_id).secret


def retire_secret(connection: Connection, endpoint: Endpoint, credential_id: str, *, at: datetime) -> None:
    """Accept a secret until that moment, so that a new one takes its place without a refused delivery."""
    connection.execute(update(endpoint_secrets).where(_is(endpoint, credential_id)).values(retires_at=at))


def forget_secret(connection: Connection, vault: Vault, endpoint: Endpoint, credential_id: str) -> None:
    """Stop accepting a secret at once, and forget it."""
    connection.execute(delete(endpoint_secrets).where(_is(endpoint, credential_id)))
    vault.forget(connection, workspace=endpoint.workspace, credential_id=credential_id)


def remove_endpoint(connection: Connection, vault: Vault, endpoint: Endpoint) -> None:
    """Remove an endpoint and forget its secrets; deliveries that it took before are still routed."""
    for secret in endpoint.secrets:
        forget_secret(connection, vault, endpoint, secret.credential_id)
    connection.execute(delete(endpoints).where(is_row(endpoints, endpoint.workspace, endpoint.id)))


def _find(connection: Connection, *conditions: ColumnElement[bool]) -> Endpoint | None:
    row = connection.execute(select(endpoints).where(*conditions)).one_or_none()
    return None if row is None else _endpoint(connection, row)


def _endpoint(connection: Connection, row: Row[tuple[object, ...]]) -> Endpoint:
    secrets = connection.execute(
        select(endpoint_secrets)
        .where(endpoint_secrets.c.workspace_id == row.workspace_id, endpoint_secrets.c.endpoint_id == row.id)
        .order_by(endpoint_secrets.c.created_at, endpoint_secrets.c.credential_id)
    )
    found = (
        EndpointSecret(credential_id=secret.credential_id, scheme=secret.scheme, retires_at=secret.retires_at)
        for secret in secrets
    )
    return from_row(Endpoint, row, secrets=tuple(found))


def _is(endpoint: Endpoint, credential_id: str) -> ColumnElement[bool]:
    return (
        (endpoint_secrets.c.workspace_id == endpoint.workspace)
        & (endpoint_secrets.c.endpoint_id == endpoint.id)
        & (endpoint_secrets.c.credential_id == credential_id)
    )
