"""Who verified a request: the endpoint's secrets, opened once and kept for a moment."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Set
from datetime import datetime, timedelta

from attrs import frozen
from sqlalchemy import Connection, bindparam, select

from ..apps.endpoints import Endpoint, find_endpoint, open_secret
from ..credentials.secret import Secret, new_webhook_secret
from ..credentials.tables import endpoint_secrets, endpoints
from ..credentials.vault import Vault
from ..providers.manifest import Manifest
from ..providers.signatures import SignatureScheme, with_tolerance
from ..store.compiled import compiled
from ..store.engine import Store
from ..store.metadata import OPERATOR
from .responses import VerificationRefusedError
from .signatures import is_replayable, verify

logger = logging.getLogger(__name__)

KEPT = timedelta(seconds=30)
"""How long opened secrets are used again without asking the database.

A secret that was added in the meantime is found at once, because a refusal asks again; one with an end stops
at its end. Only an endpoint that was disabled, or a secret withdrawn without notice, lives on for this long.
"""

MAXIMUM_KEPT = 10_000
MAXIMUM_ENDPOINT_ID_LENGTH = 64


@frozen(kw_only=True)
class Principal:
    """An endpoint with its secrets open: tenant and scope of what is verified come from it alone.

    Attributes:
        endpoint: the endpoint, or None for one that doesn't exist.
        scheme: the only scheme it accepts.
        secrets: credential id → secret, in the order of the endpoint's own list.
        opened_at: when they were read.
    """

    endpoint: Endpoint | None
    scheme: SignatureScheme
    secrets: Mapping[str, Secret]
    opened_at: datetime

    def is_fresh(self, now: datetime) -> bool:
        """Say whether the secrets may be used without asking again; a clock set back makes them stale."""
        return timedelta(0) <= now - self.opened_at < KEPT

    def verify(self, headers: Mapping[str, str], body: bytes, now: datetime) -> Verified:
        """Return who proved the request.

        Raises:
            VerificationRefusedError: nobody did.
        """
        retired = {
            secret.credential_id
            for secret in (self.endpoint.secrets if self.endpoint else ())
            if secret.retires_at is not None and secret.retires_at <= now
        }
        live = {name: secret for name, secret in self.secrets.items() if name not in retired}
        secret_id = verify(self.scheme, live, headers, body, now)
        if self.endpoint is None:
            raise VerificationRefusedError("there is no such endpoint")
        return Verified(endpoint=self.endpoint, secret_id=secret_id, replayable=is_replayable(self.scheme))


@frozen(kw_only=True)
class Verified:
    """The proof of one request.

    Attributes:
        endpoint: whose secret it was.
        secret_id: credential id of the secret that matched.
        replayable: whether who saw the request could send it again under another id.
    """

    endpoint: Endpoint
    secret_id: str
    replayable: bool


class Principals:
    """Finds endpoints and keeps their secrets open for `KEPT`.

    Args:
        store: where endpoints are.
        vault: opens their secrets.
        tolerances: provider key → seconds that a signed time may be from ours; the manifest's where not named.
    """

    def __init__(self, store: Store, vault: Vault, tolerances: Mapping[str, int] | None = None) -> None:
        self._tolerances = tolerances or {}
        self._store = store
        self._vault = vault
        self._kept: dict[tuple[str, str], Principal] = {}
        self._nobodys = {"": new_webhook_secret()}

    def verify(self, manifest: Manifest, endpoint_id: str, headers: Mapping[str, str], body: bytes) -> Verified:
        """Return who proved the request; an unknown endpoint costs what a wrong signature costs.

        Either way the bytes are hashed once and the database is asked once, for the ids of the endpoint's secrets:
        only if there is one that isn't kept are they read and opened. So what strangers send costs little.

        Raises:
            VerificationRefusedError: nobody did.
            StoreUnavailableError: the endpoint couldn't be looked up in time.
        """
        now = self._store.now()
        kept = self._kept.get((manifest.provider, endpoint_id))
        if kept is None or not kept.is_fresh(now):
            known = not endpoint_id or self._secret_ids(manifest.provider, endpoint_id)
            principal = self._open(manifest, endpoint_id, now) if known else self._nobody(manifest, now)
            return principal.verify(headers, body, now)
        try:
            return kept.verify(headers, body, now)
        except VerificationRefusedError:
            if (
                kept.endpoint is None
                or self._secret_ids(manifest.provider, kept.endpoint.id) <= kept.secrets.keys()
            ):
                raise
        return self._open(manifest, endpoint_id, now).verify(headers, body, now)

    def _secret_ids(self, provider: str, endpoint_id: str) -> Set[str]:
        """Return the credential ids of an endpoint's secrets; none where there is no such endpoint."""
        if not _may_be_an_id(endpoint_id):
            return frozenset()
        with self._store.driver_transaction(reads_only=True) as cursor:
            rows = compiled(_SECRET_IDS, self._store.engine).rows(cursor, {"provider": provider, "id": endpoint_id})
        return {row[0] for row in rows}

    def _open(self, manifest: Manifest, endpoint_id: str, now: datetime) -> Principal:
        """Read an endpoint and open its secrets; one that doesn't exist gets a secret that nobody has."""
        with self._store.reading() as connection:
            endpoint = _find(connection, manifest.provider, endpoint_id)
            if endpoint is None:
                return self._nobody(manifest, now)
            used = {secret.scheme for secret in endpoint.secrets}
            schemes = manifest.webhooks.schemes
            name = next((name for name in schemes if name in used), next(iter(schemes)))
            opened = {
                secret.credential_id: open_secret(connection, self._vault, endpoint, secret.credential_id)
                for secret in endpoint.secrets
                if secret.scheme == name
            }
        scheme = self._as_tolerant(manifest, schemes[name])
        principal = Principal(endpoint=endpoint, scheme=scheme, secrets=opened, opened_at=now)
        if len(self._kept) >= MAXIMUM_KEPT:
            self._kept.clear()
        self._kept[manifest.provider, endpoint_id] = principal
        return principal

    def _nobody(self, manifest: Manifest, now: datetime) -> Principal:
        """Return who answers for an endpoint that doesn't exist."""
        scheme = self._as_tolerant(manifest, next(iter(manifest.webhooks.schemes.values())))
        return Principal(endpoint=None, scheme=scheme, secrets=self._nobodys, opened_at=now)

    def _as_tolerant(self, manifest: Manifest, scheme: SignatureScheme) -> SignatureScheme:
        """Return a scheme with the tolerance that the host has set."""
        seconds = self._tolerances.get(manifest.provider)
        return scheme if seconds is None else with_tolerance(scheme, seconds)


def _find(connection: Connection, provider: str, endpoint_id: str) -> Endpoint | None:
    """Return the endpoint; where none is named, the one of the operator's only app."""
    if not endpoint_id:
        found = connection.scalars(_OF_THE_OPERATORS_APPS, {"provider": provider}).all()
        endpoint_id = found[0] if len(found) == 1 else ""
    return find_endpoint(connection, provider, endpoint_id) if _may_be_an_id(endpoint_id) else None


_OF_THE_OPERATORS_APPS = (
    select(endpoints.c.id)
    .where(
        endpoints.c.workspace_id == OPERATOR,
        endpoints.c.provider == bindparam("provider"),
        endpoints.c.app_id != "",
        endpoints.c.installation_id == "",
    )
    .limit(2)
)


_SECRET_IDS = (
    select(endpoint_secrets.c.credential_id)
    .join_from(
        endpoint_secrets,
        endpoints,
        (endpoints.c.workspace_id == endpoint_secrets.c.workspace_id)
        & (endpoints.c.id == endpoint_secrets.c.endpoint_id),
    )
    .where(
        endpoints.c.id == bindparam("id"),
        endpoints.c.provider == bindparam("provider"),
        endpoints.c.disabled_at.is_(None),
    )
)


def _may_be_an_id(text: str) -> bool:
    """Say whether the database can be asked for it: PostgreSQL takes no NUL, and UTF-8 no lone surrogate."""
    return 0 < len(text) <= MAXIMUM_ENDPOINT_ID_LENGTH and text.isascii() and text.isprintable()
