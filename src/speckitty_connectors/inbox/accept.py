"""Accept a delivery: limit, verify, de-duplicate, store, and only then acknowledge."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Final

from attrs import fields
from sqlalchemy.exc import SQLAlchemyError

from ..credentials.vault import Vault
from ..errors import ConnectorsError, StoreUnavailableError
from ..loading.registry import Registry
from ..loading.statuses import PluginUnavailableError
from ..providers.manifest import WebhookRules
from ..store.deadline import answering
from ..store.engine import Store
from .checks import Reception
from .endpoint_secrets import Principals, Verified
from .repository import Arrival, Recorded, digest_of, record
from .request import DocumentMembers, Request, read_body, select_headers
from .responses import (
    ACCEPTED,
    CONFLICT,
    DUPLICATE,
    IGNORED,
    UNAVAILABLE,
    Answer,
    DeliveryRefusedError,
    UnknownProviderError,
    refused,
)
from .signatures import is_replayable

logger = logging.getLogger(__name__)

DEFAULT_BODY_LIMIT: Final[int] = fields(WebhookRules).body_limit.default or 0
"""In bytes; where a plugin can't be asked now, but may be when the delivery comes again."""

DIGEST_PREFIX = "sha256:"
"""Before the digest that stands for a delivery id where the provider gives none."""

ANSWERS = {
    Recorded.ACCEPTED: ACCEPTED,
    Recorded.IGNORED: IGNORED,
    Recorded.DUPLICATE: DUPLICATE,
    Recorded.CONFLICT: CONFLICT,
}


class Inbox:
    """Takes what providers post; the host's web server hands each request to `accept`.

    Args:
        store: where deliveries are kept.
        registry: says what each provider's manifest asks for; no plugin code runs here.
        vault: opens the secrets of endpoints.
        routed_kinds: provider key → the kinds that the host wants; all where a provider isn't named.
        tolerances: provider key → seconds that a signed time may be from ours; the manifest's where not named.
    """

    def __init__(
        self,
        store: Store,
        registry: Registry,
        vault: Vault,
        routed_kinds: Mapping[str, frozenset[str]] | None = None,
        tolerances: Mapping[str, int] | None = None,
    ) -> None:
        self._store = store
        self._registry = registry
        self._principals = Principals(store, vault, tolerances)
        self._routed_kinds = routed_kinds or {}
        self._receptions: dict[str, Reception] = {}

    def accept(self, request: Request) -> Answer:
        """Answer a request: 2xx once the delivery is stored, 4xx for what can't be one, 503 for "try again".

        Nothing is acknowledged before its commit, and no headers or bytes make this raise. An endpoint that
        doesn't exist and a signature that doesn't match are one answer.
        """
        try:
            return self._receive(request)
        except DeliveryRefusedError as refusal:
            logger.info("refused a delivery: %s (%s)", refusal.code, refusal.what)
            return refused(refusal)
        except StoreUnavailableError as error:
            logger.warning("a delivery wasn't stored: %s", error)
            return UNAVAILABLE
        except (ConnectorsError, SQLAlchemyError):
            logger.exception("a delivery couldn't be stored")
            return UNAVAILABLE

    def is_probe(self, provider: str, fields: Mapping[str, str]) -> bool:
        """Return whether the fields of a query are how this provider looks whether the address answers."""
        try:
            return self._reception(provider).is_probe(fields)
        except ConnectorsError:
            return False

    def body_limit(self, provider: str) -> int:
        """Return how many bytes a provider's deliveries may have; 0 where there is no such provider."""
        try:
            return self._reception(provider).rules.body_limit
        except UnknownProviderError:
            return 0
        except ConnectorsError:
            return DEFAULT_BODY_LIMIT

    def _receive(self, request: Request) -> Answer:
        """Take the request through the checks in their order, then store it."""
        reception = self._reception(request.provider)
        headers = select_headers(request.headers, reception.read)
        media_type = reception.media_type(headers)
        body = read_body(request.body, reception.rules.body_limit)
        probe = reception.probe(media_type, body)
        if probe is not None:
            return probe
        with answering():
            verified = self._principals.verify(reception.manifest, request.endpoint_id, headers, body)
            members = reception.members(media_type, body)
            handshake = reception.handshake(members)
            if handshake is not None:
                return handshake
            arrival = self._arrival(reception, verified, headers, members, body)
            return reception.acknowledged(ANSWERS[record(self._store, arrival)], media_type)

    def _reception(self, provider: str) -> Reception:
        """Return the prepared checks of a provider.

        Raises:
            UnknownProviderError: no plugin for it is installed.
            PluginUnavailableError: there is one but it can't be used now, so the delivery should come again.
        """
        known = self._receptions.get(provider)
        if known is not None:
            return known
        try:
            manifest = self._registry.provider(provider).manifest
        except PluginUnavailableError:
            if all(status.provider != provider for status in self._registry.statuses()):
                raise UnknownProviderError("no plugin for this provider is installed") from None
            raise
        routed_kinds = self._routed_kinds.get(provider)
        self._receptions[provider] = Reception.of(manifest, routed_kinds)
        return self._receptions[provider]

    def _arrival(
        self,
        reception: Reception,
        verified: Verified,
        headers: Mapping[str, str],
        members: DocumentMembers,
        body: bytes,
    ) -> Arrival:
        """Put together what is stored of a verified request."""
        digest = digest_of(body, members, reception.sending_times)
        kind = reception.kind(headers)
        return Arrival(
            endpoint=verified.endpoint,
            provider=reception.manifest.provider,
            delivery_id=reception.delivery_id(headers, members) or f"{DIGEST_PREFIX}{digest.hex()}",
            kind=kind,
            digest=digest,
            secret_id=verified.secret_id,
            received_at=self._store.now(),
            headers={name: value for name, value in headers.items() if name in reception.kept},
            media_type=reception.media_type(headers),
            body=body,
            unrouted_reason=reception.unrouted_reason(kind),
            replayable=is_replayable(verified.scheme),
            id_per_account=reception.rules.delivery_id_per_account,
        )
