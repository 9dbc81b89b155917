"""Who verified a request: the endpoint's secrets, opened once and kept for a moment."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from datetime import datetime, timedelta

from attrs import frozen

from ..apps.endpoints import Endpoint, find_endpoint, open_secret
from ..credentials.secret import Secret, new_webhook_secret
from ..credentials.vault import Vault
from ..providers.manifest import Manifest
from ..providers.signatures import SignatureScheme, with_tolerance
from ..store.engine import Store
from .responses import VerificationRefusedError
from .signatures import verify

logger = logging.getLogger(__name__)

KEPT = timedelta(seconds=30)
"""How long opened secrets are used again without asking the database.

A secret that was added in the meantime is found at once, because a refusal asks again; one with an end stops
at its end. Only an end point that was disabled, or a secret withdrawn without notice, lives on for this long.
"""

MAXIMUM_KEPT = 10_000
MAXIMUM_ENDPOINT_ID_LENGTH = 64


@frozen(kw_only=True)
class Principal:
    """An end point with its secrets open: tenant and scope of what is verified come from it alone.

    Attributes:
        endpoint: the end point, or None for one that doesn't exist.
        scheme: the only scheme it accepts.
        secrets: credential id → secret, in the order of the end point's own list.
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
            raise VerificationRefusedError("there is no such end point")
        return Verified(endpoint=self.endpoint, scheme=self.scheme, secret_id=secret_id)


@frozen(kw_only=True)
class Verified:
    """The proof of one request.

    Attributes:
        endpoint: whose secret it was.
        scheme: how it was proven.
        secret_id: credential id of the secret that matched.
    """

    endpoint: Endpoint
    scheme: SignatureScheme
    secret_id: str


class Principals:
    """Finds end points and keeps their secrets open for `KEPT`.

    Args:
        store: where end points are.
        vault: opens their secrets.
        tolerances: provider key → seconds that a signed time may be from ours; the manifest's where not named.
    """

    def __init__(self, store: Store, vault: Vault, tolerances: Mapping[str, int] | None = None) -> None:
        self._tolerances = tolerances or {}
        self._store = store
        self._vault = vault
        self._kept: dict[tuple[str, str], Principal] = {}
        self._nobody = {"": new_webhook_secret()}

    def verify(
        self,
        manifest: Manifest,
        endpoint_id: str,
        headers: Mapping[str, str],
        body: bytes,
    ) -> Verified:
        """Return who proved the request; an unknown end point costs what a wrong signature costs.

        Either way the bytes are hashed once and the database is asked once: for a kept principal the question
        is whether a secret was added since.

        Raises:
            VerificationRefusedError: nobody did.
            StoreUnavailableError: the end point couldn't be looked up in time.
        """
        now = self._store.now()
        kept = self._kept.get((manifest.provider, endpoint_id))
        if kept is None or not kept.is_fresh(now):
            return self._open(manifest, endpoint_id, now).verify(headers, body, now)
        try:
            return kept.verify(headers, body, now)
        except VerificationRefusedError:
            principal = self._open(manifest, endpoint_id, now)
            if principal.secrets.keys() <= kept.secrets.keys():
                raise
            return principal.verify(headers, body, now)

    def _open(self, manifest: Manifest, endpoint_id: str, now: datetime) -> Principal:
        """Read an end point and open its secrets; one that doesn't exist gets a secret that nobody has."""
        schemes = manifest.webhooks.schemes
        with self._store.reading() as connection:
            known = _may_be_an_id(endpoint_id)
            endpoint = find_endpoint(connection, manifest.provider, endpoint_id) if known else None
            used = {secret.scheme for secret in endpoint.secrets} if endpoint else set()
            name = next((name for name in schemes if name in used), next(iter(schemes)))
            scheme = schemes[name]
            if manifest.provider in self._tolerances:
                scheme = with_tolerance(scheme, self._tolerances[manifest.provider])
            if endpoint is None:
                return Principal(endpoint=None, scheme=scheme, secrets=self._nobody, opened_at=now)
            opened = {
                secret.credential_id: open_secret(connection, self._vault, endpoint, secret.credential_id)
                for secret in endpoint.secrets
                if secret.scheme == name
            }
        principal = Principal(endpoint=endpoint, scheme=scheme, secrets=opened, opened_at=now)
        if len(self._kept) >= MAXIMUM_KEPT:
            self._kept.clear()
        self._kept[manifest.provider, endpoint_id] = principal
        return principal


def _may_be_an_id(text: str) -> bool:
    """Say whether the database can be asked for it: PostgreSQL takes no NUL, and UTF-8 no lone surrogate."""
    return len(text) <= MAXIMUM_ENDPOINT_ID_LENGTH and text.isascii() and text.isprintable()
