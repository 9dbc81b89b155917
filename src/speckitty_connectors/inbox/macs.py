"""The header values with which providers prove who they are, computed from the secret and the raw body."""

from __future__ import annotations

import binascii
import hmac

from ..credentials.secret import WEBHOOK_SECRET_PREFIX
from ..providers.signatures import HexHmac, TimestampedHmac

DIGEST = "sha256"
"""The only digest of every scheme; SHA-1 is neither made nor read."""

STANDARD_WEBHOOKS_VERSION = "v1"
STANDARD_WEBHOOKS_SECRET_PREFIX = WEBHOOK_SECRET_PREFIX.encode()
STANDARD_WEBHOOKS_MINIMUM_KEY = 24
"""Standard Webhooks specification, section "Signature scheme": base64 behind ``whsec_``, at least 24 bytes."""


def hex_hmac(scheme: HexHmac, key: bytes, body: bytes) -> str:
    """Return the prefix and the lower-case hex HMAC of the body.

    GitHub: "Validating webhook deliveries". Jira: "Webhooks", "Secure admin webhooks". Linear: "Webhooks".
    """
    return scheme.prefix + hmac.digest(key, body, DIGEST).hex()


def timestamped_hmac(scheme: TimestampedHmac, key: bytes, timestamp: str, body: bytes) -> str:
    """Return the version and the lower-case hex HMAC of ``version:timestamp:body``.

    Slack: "Verifying requests from Slack".
    """
    message = f"{scheme.version}:{timestamp}:".encode() + body
    return f"{scheme.version}={hmac.digest(key, message, DIGEST).hex()}"


def standard_webhooks(secret: bytes, message_id: str, timestamp: str, body: bytes) -> str:
    """Return ``v1,`` and the base64 HMAC of ``id.timestamp.body`` (Standard Webhooks; GitLab: "Webhooks").

    Raises:
        ValueError: the secret isn't ``whsec_`` and the base64 of a long enough key.
    """
    prefix, encoded = secret[: len(STANDARD_WEBHOOKS_SECRET_PREFIX)], secret[len(STANDARD_WEBHOOKS_SECRET_PREFIX) :]
    key = binascii.a2b_base64(encoded, strict_mode=True)
    if prefix != STANDARD_WEBHOOKS_SECRET_PREFIX or len(key) < STANDARD_WEBHOOKS_MINIMUM_KEY:
        raise ValueError("the secret isn't one of Standard Webhooks")
    digest = hmac.digest(key, f"{message_id}.{timestamp}.".encode() + body, DIGEST)
    return f"{STANDARD_WEBHOOKS_VERSION},{binascii.b2a_base64(digest, newline=False).decode()}"
