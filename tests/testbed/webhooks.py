"""Webhook schemes of real providers, and two signers: the library's, and one written without it."""

from __future__ import annotations

import base64
import hmac
import json
from collections.abc import Mapping
from datetime import UTC, datetime

from speckitty_connectors.credentials.secret import Secret
from speckitty_connectors.inbox.responses import VerificationRefusedError
from speckitty_connectors.inbox.signatures import verify
from speckitty_connectors.inbox.signing import sign
from speckitty_connectors.providers.signatures import (
    BearerJwt,
    BodyTimestamp,
    HexHmac,
    PlainToken,
    SignatureScheme,
    StandardWebhooks,
    TimestampedHmac,
)

GITHUB = HexHmac(header="X-Hub-Signature-256", prefix="sha256=")
JIRA = HexHmac(header="X-Hub-Signature", prefix="sha256=")
LINEAR = HexHmac(
    header="Linear-Signature", body_timestamp=BodyTimestamp(field="webhookTimestamp", unit=1000, tolerance=60)
)
SLACK = TimestampedHmac(header="X-Slack-Signature", timestamp_header="X-Slack-Request-Timestamp")
SCHEMES: dict[str, SignatureScheme] = {
    "github": GITHUB,
    "jira": JIRA,
    "linear": LINEAR,
    "slack": SLACK,
    "standard": StandardWebhooks(),
    "plain": PlainToken(header="X-Gitlab-Token"),
    "bearer": BearerJwt(),
}

NOW = datetime(2026, 3, 4, 5, 6, 7, tzinfo=UTC)
NOW_SECONDS = int(NOW.timestamp())
BODY = json.dumps({"id": 1, "webhookTimestamp": int(NOW.timestamp()) * 1000}).encode()
SECRET = Secret("whsec_" + base64.b64encode(bytes(range(32))).decode())
OTHER = Secret("whsec_" + base64.b64encode(bytes(range(1, 33))).decode())


def lowered(headers: Mapping[str, str]) -> dict[str, str]:
    return {name.lower(): value for name, value in headers.items()}


def signed(
    scheme: SignatureScheme, secret: Secret = SECRET, body: bytes = BODY, now: datetime = NOW
) -> dict[str, str]:
    return lowered(sign(scheme, secret, body, now=now))


def accepted(
    scheme: SignatureScheme,
    headers: Mapping[str, str],
    secrets: Mapping[str, Secret] | None = None,
    body: bytes = BODY,
    now: datetime = NOW,
) -> bool:
    """Say whether the request is verified; anything but one typed error fails the test."""
    try:
        return verify(scheme, {"s": SECRET} if secrets is None else secrets, headers, body, now) != ""
    except VerificationRefusedError:
        return False


def forged(scheme: SignatureScheme, key: bytes, body: bytes = BODY, digest: str = "sha256") -> dict[str, str]:
    """Sign with a key that may be worthless, by the providers' pages and without the library's help."""
    stamp = str(int(NOW.timestamp()))

    def mac(message: bytes) -> bytes:
        return hmac.new(key, message, digest).digest()

    match scheme:
        case HexHmac():
            return {scheme.header.lower(): scheme.prefix.replace("sha256", digest) + mac(body).hex()}
        case TimestampedHmac():
            proof = f"v0={mac(b'v0:' + stamp.encode() + b':' + body).hex()}"
            return {scheme.timestamp_header.lower(): stamp, scheme.header.lower(): proof}
        case StandardWebhooks():
            proof = f"v1,{base64.b64encode(mac(b'msg_1.' + stamp.encode() + b'.' + body)).decode()}"
            return {"webhook-id": "msg_1", "webhook-timestamp": stamp, "webhook-signature": proof}
        case PlainToken():
            return {scheme.header.lower(): key.decode()}
        case BearerJwt():
            token = jwt_text({"alg": "HS256"}, {"iat": int(stamp), "exp": int(stamp) + 60}, key)
            return {"authorization": f"Bearer {token}"}


def jwt_text(header: object, claims: object, key: bytes) -> str:
    parts = [unpadded(json.dumps(part).encode()) for part in (header, claims)]
    return ".".join([*parts, unpadded(hmac.new(key, ".".join(parts).encode(), "sha256").digest())])


def unpadded(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def as_secret(scheme: SignatureScheme, key: bytes) -> Secret:
    """Return the secret as the operator would have stored it."""
    return Secret(
        f"whsec_{base64.b64encode(key).decode()}" if isinstance(scheme, StandardWebhooks) else key.decode()
    )
