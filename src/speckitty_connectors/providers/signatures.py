"""How providers sign what they send, as data: core's verifier reads it, plugins only fill it in.

Which scheme verifies a request is fixed by the secret that was stored for the endpoint, never by what the
request claims; a missing header is a refusal.
"""

from __future__ import annotations

import attrs
from attrs import evolve, frozen
from attrs.validators import ge, min_len

DEFAULT_TOLERANCE_SECONDS = 300
"""How far a signed time may be from ours, as the Standard Webhooks libraries and Slack's SDK have it."""


@frozen(kw_only=True)
class BodyTimestamp:
    """The time of sending, inside the signed JSON document.

    Attributes:
        field: name of the top-level field. It is no part of what a delivery says: a retry may be stamped anew.
        unit: how many of it make a second; 1000 for milliseconds.
        tolerance: seconds it may differ from now; more than the last retry is late where retries keep the time.

    >>> BodyTimestamp(field="webhookTimestamp", unit=1000, tolerance=60).unit
    1000
    """

    field: str
    unit: int = 1
    tolerance: int = attrs.field(default=DEFAULT_TOLERANCE_SECONDS, validator=ge(1))


@frozen(kw_only=True)
class HexHmac:
    """Hex HMAC-SHA256 of the raw body in one header, behind a fixed prefix.

    GitHub and Jira's admin webhooks use the prefix ``sha256=``; Linear uses none and a time in the body.

    >>> HexHmac(header="X-Hub-Signature-256", prefix="sha256=").prefix
    'sha256='
    """

    header: str = attrs.field(validator=min_len(1))
    prefix: str = ""
    body_timestamp: BodyTimestamp | None = None


@frozen(kw_only=True)
class TimestampedHmac:
    """Hex HMAC-SHA256 of ``version:timestamp:body``, the time in a header of its own (Slack's ``v0``).

    >>> TimestampedHmac(header="X-Slack-Signature", timestamp_header="X-Slack-Request-Timestamp").version
    'v0'
    """

    header: str = attrs.field(validator=min_len(1))
    timestamp_header: str = attrs.field(validator=min_len(1))
    version: str = "v0"
    tolerance: int = attrs.field(default=DEFAULT_TOLERANCE_SECONDS, validator=ge(1))


@frozen(kw_only=True)
class StandardWebhooks:
    """A space-separated list of ``v1,<base64>`` over ``id.timestamp.body`` (Standard Webhooks; GitLab).

    The secret is ``whsec_`` and the base64 of the key.

    >>> StandardWebhooks().signature_header
    'webhook-signature'
    """

    id_header: str = "webhook-id"
    timestamp_header: str = "webhook-timestamp"
    signature_header: str = "webhook-signature"
    tolerance: int = attrs.field(default=DEFAULT_TOLERANCE_SECONDS, validator=ge(1))


@frozen(kw_only=True)
class PlainToken:
    """The secret itself in a header, the body unauthenticated (GitLab's legacy ``X-Gitlab-Token``).

    >>> PlainToken(header="X-Gitlab-Token").header
    'X-Gitlab-Token'
    """

    header: str = attrs.field(validator=min_len(1))


@frozen(kw_only=True)
class BearerJwt:
    """An HS256 JSON Web Token in ``Authorization: Bearer``, signed with the secret (Jira's dynamic webhooks).

    It authenticates the sender, not the body. ``exp`` and ``iat`` are required.

    >>> BearerJwt().leeway
    60
    """

    leeway: int = attrs.field(default=60, validator=ge(0))


SignatureScheme = HexHmac | TimestampedHmac | StandardWebhooks | PlainToken | BearerJwt
"""Any of the schemes above."""


def with_tolerance(scheme: SignatureScheme, seconds: int) -> SignatureScheme:
    """Return a scheme whose signed time may be that far from ours; one that signs no time stays as it is.

    >>> with_tolerance(StandardWebhooks(), 900).tolerance
    900
    >>> with_tolerance(PlainToken(header="X-Token"), 900)
    PlainToken(header='X-Token')
    """
    match scheme:
        case TimestampedHmac() | StandardWebhooks():
            return evolve(scheme, tolerance=seconds)
        case HexHmac(body_timestamp=BodyTimestamp() as stamp):
            return evolve(scheme, body_timestamp=evolve(stamp, tolerance=seconds))
        case _:
            return scheme
