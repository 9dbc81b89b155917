"""A real inbox for the plugin under test: what a provider posts to, on a database in memory."""

from __future__ import annotations

import base64
import itertools
import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from functools import partial

from ..apps.endpoints import add_endpoint, add_secret
from ..credentials.keyring import KeyRing
from ..credentials.secret import Secret
from ..credentials.vault import Vault
from ..inbox.accept import Inbox
from ..inbox.request import Readable, Request
from ..inbox.responses import Answer
from ..inbox.signing import sign
from ..loading.registry import Registry
from ..providers.manifest import Manifest
from ..providers.signatures import BodyTimestamp, HexHmac, SignatureScheme
from ..store import migrations
from ..store.engine import Store
from ..store.metadata import OPERATOR
from .recordings import Recording

NOW = datetime(2026, 1, 2, 12, tzinfo=UTC)
"""The present moment of every rule."""


def _secret(first: int) -> Secret:
    return Secret("whsec_" + base64.b64encode(bytes(range(first, first + 32))).decode())


SECRET, NEXT_SECRET, STRANGERS_SECRET = map(_secret, (0, 1, 2))
"""Of an endpoint, of its rotation, and of nobody here; each fits every scheme."""

_numbers = itertools.count(1)


class Receiver:
    """An inbox that knows one provider."""

    def __init__(self, manifest: Manifest, registry: Registry, store: Store | None = None) -> None:
        self.manifest = manifest
        self._store = store or Store("sqlite://", clock=lambda: NOW)
        migrations.upgrade(self._store)
        keys = KeyRing.from_configuration({"contract": KeyRing.new_key()})
        self._vault = Vault(keys, lambda: NOW)
        self._endpoints: dict[tuple[tuple[str, str], ...], str] = {}
        self._inbox = Inbox(self._store, registry, self._vault)

    def endpoint(self, *secrets: tuple[str, Secret]) -> str:
        """Return the id of an endpoint with these secrets, each with the name of its scheme."""
        known = tuple((scheme, secret.reveal()) for scheme, secret in secrets)
        if known not in self._endpoints:
            self._endpoints[known] = self._new_endpoint(secrets)
        return self._endpoints[known]

    def _new_endpoint(self, secrets: Sequence[tuple[str, Secret]]) -> str:
        manifest = self.manifest
        with self._store.transaction() as connection:
            endpoint = add_endpoint(
                connection,
                workspace=OPERATOR,
                provider=manifest.provider,
                host=manifest.hosts.default,
                now=NOW,
                app_id=f"app-{next(_numbers)}",
            )
            add = partial(add_secret, connection, self._vault, endpoint, now=NOW)
            for scheme, secret in secrets:
                add(scheme=scheme, secret=secret)
        return endpoint.id

    def post(
        self, endpoint: str, headers: Mapping[str, str] | Sequence[tuple[str, str]], body: bytes | Readable
    ) -> Answer:
        """Post a request to an endpoint."""
        pairs = list(headers.items()) if isinstance(headers, Mapping) else headers
        request = Request(provider=self.manifest.provider, endpoint_id=endpoint, headers=pairs, body=body)
        return self._inbox.accept(request)

    def close(self) -> None:
        """Give the database back."""
        self._store.close()


def proven(
    manifest: Manifest, recording: Recording, scheme: SignatureScheme, secret: Secret, *, now: datetime = NOW
) -> Recording:
    """Return a recording as the provider would deliver it: with a proof, and headers by lower-case name."""
    rules = manifest.webhooks
    body = stamped(scheme, recording.body, now)
    usual = "application/json" if "application/json" in rules.content_types else rules.content_types[0]
    headers = {"content-type": usual, **{name.lower(): value for name, value in recording.headers.items()}}
    if rules.delivery_id_header:
        headers.setdefault(rules.delivery_id_header.lower(), f"contract-{next(_numbers)}")
    proof = sign(scheme, secret, body, now=now, headers=headers)
    headers |= {name.lower(): value for name, value in proof.items()}
    return Recording(name=recording.name, body=body, headers=headers)


def stamped(scheme: SignatureScheme, body: bytes, now: datetime = NOW) -> bytes:
    """Return the body with the time in it that the scheme asks for; the same body where it asks for none."""
    rule = time_in_body(scheme)
    if rule is None:
        return body
    try:
        document = json.loads(body)
        document[rule.field] = int(now.timestamp() * rule.unit)
    except (ValueError, TypeError, RecursionError):
        return body
    return json.dumps(document).encode()


def time_in_body(scheme: SignatureScheme) -> BodyTimestamp | None:
    """Return the scheme's rule about a time in the body, or None."""
    return scheme.body_timestamp if isinstance(scheme, HexHmac) else None
