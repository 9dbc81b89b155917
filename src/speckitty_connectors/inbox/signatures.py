"""Decide whether a provider sent these bytes: each scheme of the manifest, over the raw body, in constant time.

A header value is compared whole with the one the provider would have sent. Nothing that a stranger wrote is
decoded first, so a short, padded or otherwise spelled signature is simply another text.
"""

from __future__ import annotations

import binascii
import hmac
import re
from collections.abc import Callable, Mapping
from datetime import datetime

import jwt
from jwt.utils import base64url_decode, base64url_encode

from ..credentials.secret import SHORTEST_WEBHOOK_SECRET, WEBHOOK_SECRET_PREFIX, Secret
from ..providers.signatures import (
    DEFAULT_TOLERANCE_SECONDS,
    BearerJwt,
    BodyTimestamp,
    HexHmac,
    PlainToken,
    SignatureScheme,
    StandardWebhooks,
    TimestampedHmac,
)
from .request import read_members
from .responses import DocumentRefusedError, VerificationRefusedError

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


MINIMUM_JWT_SECRET_BYTES = 32
"""HS256 needs a key as long as its digest (RFC 7518, section 3.2)."""

JWT_ALGORITHM = "HS256"

BEARER_HEADER = "authorization"

STANDARD_WEBHOOKS_SIGNATURES = re.compile(r"v\d\w*,[A-Za-z0-9+/=]+( v\d\w*,[A-Za-z0-9+/=]+)*", re.ASCII)
"""What the signature header holds (Standard Webhooks specification, "Webhook headers")."""

MAXIMUM_TIMESTAMP_DIGITS = 15
"""Enough for milliseconds until the year 33658, and little enough to be exact everywhere."""

Headers = Mapping[str, str]

KeyCheck = Callable[[bytes], bool]


def verify(
    scheme: SignatureScheme, secrets: Mapping[str, Secret], headers: Headers, body: bytes, now: datetime
) -> str:
    """Return the id of the secret that proves the request; every other outcome is one error.

    Args:
        scheme: the scheme that the endpoint's secrets are for.
        secrets: credential id → secret, several while one replaces the other.
        headers: the request's headers by lower-case name.
        body: the raw body.
        now: the present moment.

    Raises:
        VerificationRefusedError: whatever the headers and the body hold, if they prove nothing.

    >>> from datetime import UTC, datetime
    >>> scheme = HexHmac(header="X-Hub-Signature-256", prefix="sha256=")
    >>> headers = {"x-hub-signature-256":
    ...            "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"}
    >>> verify(scheme, {"current": Secret("It's a Secret to Everybody")}, headers, b"Hello, World!",
    ...        datetime.now(UTC))
    'current'
    """
    matches = _matcher(scheme, headers, body, now)
    for credential_id, secret in secrets.items():
        key = secret.reveal_bytes()
        if len(key.strip()) >= SHORTEST_WEBHOOK_SECRET and matches(key):
            return credential_id
    raise VerificationRefusedError("no secret of the endpoint made this signature")


def headers_read(scheme: SignatureScheme) -> tuple[str, ...]:
    """Return the headers that a scheme reads, in lower case; the first carries the proof and is never kept.

    >>> headers_read(BearerJwt())
    ('authorization',)
    """
    match scheme:
        case HexHmac() | PlainToken():
            names: tuple[str, ...] = (scheme.header,)
        case TimestampedHmac():
            names = (scheme.header, scheme.timestamp_header)
        case StandardWebhooks():
            names = (scheme.signature_header, scheme.id_header, scheme.timestamp_header)
        case BearerJwt():
            names = (BEARER_HEADER,)
    return tuple(name.lower() for name in names)


def covers_body(scheme: SignatureScheme) -> bool:
    """Say whether a proof is one of the body's very bytes, and not of its sender alone.

    >>> covers_body(StandardWebhooks()), covers_body(BearerJwt())
    (True, False)
    """
    return not isinstance(scheme, PlainToken | BearerJwt)


def is_replayable(scheme: SignatureScheme) -> bool:
    """Say whether a signature proves the bytes but neither an id nor a recent time, so that it can be sent again.

    Where the proof doesn't cover the body at all (`PlainToken`, `BearerJwt`), looking for the same bytes again
    would protect nobody: who has the proof can write other bytes.
    """
    if not isinstance(scheme, HexHmac):
        return False
    return scheme.body_timestamp is None or scheme.body_timestamp.tolerance > DEFAULT_TOLERANCE_SECONDS


def _matcher(scheme: SignatureScheme, headers: Headers, body: bytes, now: datetime) -> KeyCheck:
    """Return a function that says whether a secret proves the request."""
    match scheme:
        case HexHmac():
            return _matches_hex_hmac(scheme, headers, body, now)
        case TimestampedHmac():
            return _matches_timestamped(scheme, headers, body, now)
        case StandardWebhooks():
            return _matches_standard_webhooks(scheme, headers, body, now)
        case PlainToken():
            token = _value(headers, scheme.header).encode()
            return lambda key: hmac.compare_digest(key, token)
        case BearerJwt():
            return _matches_bearer(scheme, headers, now)


def _matches_hex_hmac(scheme: HexHmac, headers: Headers, body: bytes, now: datetime) -> KeyCheck:
    proof = _value(headers, scheme.header)

    def matches(key: bytes) -> bool:
        same = _same(proof, hex_hmac(scheme, key, body))
        if same and scheme.body_timestamp:
            _check_body_age(scheme.body_timestamp, body, now)
        return same

    return matches


def _matches_timestamped(scheme: TimestampedHmac, headers: Headers, body: bytes, now: datetime) -> KeyCheck:
    proof, timestamp = _value(headers, scheme.header), _value(headers, scheme.timestamp_header)
    _check_age(timestamp, tolerance=scheme.tolerance, now=now)
    return lambda key: _same(proof, timestamped_hmac(scheme, key, timestamp, body))


def _matches_standard_webhooks(scheme: StandardWebhooks, headers: Headers, body: bytes, now: datetime) -> KeyCheck:
    proof = _value(headers, scheme.signature_header)
    message_id, timestamp = _value(headers, scheme.id_header), _value(headers, scheme.timestamp_header)
    _check_age(timestamp, tolerance=scheme.tolerance, now=now)
    # Servers join a header that appears twice with a comma and a blank; such a list is none of the provider's.
    if not STANDARD_WEBHOOKS_SIGNATURES.fullmatch(proof):
        raise VerificationRefusedError("the signatures aren't a list of versions and base64")
    # The specification warns of full stops in the id: they would move the borders between the signed parts.
    if "." in message_id:
        raise VerificationRefusedError("the message id holds a full stop")

    def matches(key: bytes) -> bool:
        try:
            expected = standard_webhooks(key, message_id, timestamp, body)
        except ValueError:
            return False
        return any(_same(signature, expected) for signature in proof.split(" "))

    return matches


def _matches_bearer(scheme: BearerJwt, headers: Headers, now: datetime) -> KeyCheck:
    kind, _, token = _value(headers, BEARER_HEADER).partition(" ")
    if kind.lower() != "bearer":
        raise VerificationRefusedError("the Authorization header holds no bearer token")

    def matches(key: bytes) -> bool:
        claims = _claims(token, key)
        if claims is None:
            return False
        _check_claims(claims, scheme.leeway, int(now.timestamp()))
        return True

    return matches


def _claims(token: str, key: bytes) -> dict[str, object] | None:
    """Return the claims of a token that this key signed with HS256, else None."""
    if len(key) < MINIMUM_JWT_SECRET_BYTES:
        return None
    try:
        # The MAC's text is compared too: a base64 decoder would also take other spellings of the same bytes.
        signature = token.rpartition(".")[2].encode()
        if base64url_encode(base64url_decode(signature)) != signature:
            return None
        decoded = jwt.decode_complete(
            token,
            key=key,
            algorithms=[JWT_ALGORITHM],
            options={
                "require": ["exp", "iat"],
                # PyJWT would compare with a clock of its own; `_check_claims` does it with ours.
                "verify_exp": False,
                "verify_iat": False,
                "verify_nbf": False,
                "verify_aud": False,
            },
        )
    except (jwt.PyJWTError, ValueError, TypeError, RecursionError):
        return None
    return None if "crit" in decoded["header"] else decoded["payload"]


def _check_claims(claims: Mapping[str, object], leeway: int, now: int) -> None:
    """Refuse a token from the future or the past; its times must be whole numbers (``True`` is none)."""
    issued, expires = claims["iat"], claims["exp"]
    if type(issued) is not int or type(expires) is not int:
        raise VerificationRefusedError("the token's times aren't whole numbers")
    if not issued - leeway <= now < expires + leeway:
        raise VerificationRefusedError("the token isn't valid now")


def _value(headers: Headers, name: str) -> str:
    """Return a header that must be there, and be ASCII so that it can be compared byte for byte."""
    value = headers.get(name.lower(), "")
    if not value or not value.isascii():
        raise VerificationRefusedError(f"the header {name} is missing, empty or not ASCII")
    return value


def _check_body_age(rule: BodyTimestamp, body: bytes, now: datetime) -> None:
    """Refuse a signed document whose own time is missing, not a whole number, or too far from now."""
    try:
        stamp = bytes(read_members(body)[rule.field])
    except (KeyError, DocumentRefusedError):
        raise VerificationRefusedError("the signed document states no time") from None
    _check_age(stamp.decode("ascii", "replace"), tolerance=rule.tolerance, unit=rule.unit, now=now)


def _check_age(stamp: str, *, tolerance: int, now: datetime, unit: int = 1) -> None:
    """Refuse a time that isn't plain ASCII digits, or is too far from now; integers only, so NaN can't pass."""
    if not (stamp.isascii() and stamp.isdigit() and len(stamp) <= MAXIMUM_TIMESTAMP_DIGITS):
        raise VerificationRefusedError("the time isn't a number of plain digits")
    if abs(int(stamp) - int(now.timestamp() * unit)) > tolerance * unit:
        raise VerificationRefusedError("the time is too far from now")


def _same(given: str, expected: str) -> bool:
    return hmac.compare_digest(given.encode(), expected.encode())
