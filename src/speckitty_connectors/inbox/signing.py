"""Sign a body as the provider would: for `send`, the demo, and tests of a host. Production code only verifies."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

import jwt

from ..credentials.secret import Secret
from ..identifiers import new_id
from ..providers.signatures import (
    BearerJwt,
    HexHmac,
    PlainToken,
    SignatureScheme,
    StandardWebhooks,
    TimestampedHmac,
)
from . import signatures as macs
from .signatures import JWT_ALGORITHM

TOKEN_LIFETIME_SECONDS = 180
"""How long a bearer token lives that `sign` makes; short, as nothing else limits its reuse."""


def sign(
    scheme: SignatureScheme,
    secret: Secret,
    body: bytes,
    *,
    now: datetime,
    headers: Mapping[str, str] | None = None,
) -> dict[str, str]:
    """Return the headers by which the provider would prove this body.

    Args:
        scheme: one of the manifest's schemes.
        secret: the webhook secret.
        body: the raw body.
        now: the moment it is sent; a time inside the body is the caller's to write.
        headers: what is sent besides; a message id in it is kept and signed.

    >>> from datetime import UTC, datetime
    >>> sign(HexHmac(header="X-Hub-Signature-256", prefix="sha256="), Secret("It's a Secret to Everybody"),
    ...      b"Hello, World!", now=datetime.now(UTC))
    {'X-Hub-Signature-256': 'sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17'}
    """
    return _proof(scheme, secret, body, str(int(now.timestamp())), headers or {})


def _proof(
    scheme: SignatureScheme, secret: Secret, body: bytes, seconds: str, headers: Mapping[str, str]
) -> dict[str, str]:
    key = secret.reveal_bytes()
    match scheme:
        case HexHmac():
            return {scheme.header: macs.hex_hmac(scheme, key, body)}
        case TimestampedHmac():
            signature = macs.timestamped_hmac(scheme, key, seconds, body)
            return {scheme.timestamp_header: seconds, scheme.header: signature}
        case StandardWebhooks():
            message_id = headers.get(scheme.id_header) or new_id()
            signature = macs.standard_webhooks(key, message_id, seconds, body)
            proof = {scheme.id_header: message_id, scheme.timestamp_header: seconds}
            return {**proof, scheme.signature_header: signature}
        case PlainToken():
            return {scheme.header: secret.reveal()}
        case BearerJwt():
            claims = {"iat": int(seconds), "exp": int(seconds) + TOKEN_LIFETIME_SECONDS}
            return {"Authorization": f"Bearer {jwt.encode(claims, key, algorithm=JWT_ALGORITHM)}"}
