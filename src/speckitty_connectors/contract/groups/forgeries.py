"""Proofs that must not count: what a stranger would send instead of a genuine one."""

from __future__ import annotations

import base64
import hashlib
import hmac
import warnings
from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import Any

import jwt

from ...inbox.signing import TOKEN_LIFETIME_SECONDS
from ...inbox.verification import headers_read
from ...providers.signatures import BearerJwt, HexHmac, PlainToken, StandardWebhooks, TimestampedHmac
from ..receiving import NOW, SECRET, time_in_body
from ..rules import NotApplicableError
from ..subject import SchemeCase


def tampered(body: bytes) -> Iterator[bytes]:
    """Yield bodies that aren't this one: bits flipped, cut short, added to."""
    for place in {0, len(body) // 2, len(body) - 1} if body else ():
        for bit in range(8):
            yield body[:place] + bytes([body[place] ^ 1 << bit]) + body[place + 1 :]
    yield from {body[:-1], b"", body + b" ", b" " + body, body + body} - {body}


def tolerance(case: SchemeCase, *, future: bool = False) -> timedelta:
    """Return how far from now a scheme may sign.

    Raises:
        NotApplicableError: it states no time.
    """
    match case.scheme:
        case TimestampedHmac() | StandardWebhooks():
            return timedelta(seconds=case.scheme.tolerance)
        case BearerJwt():
            return timedelta(seconds=case.scheme.leeway + (0 if future else TOKEN_LIFETIME_SECONDS))
    in_body = time_in_body(case.scheme)
    if in_body is None:
        raise NotApplicableError("this scheme states no time")
    return timedelta(seconds=in_body.tolerance)


def downgraded(case: SchemeCase, headers: Mapping[str, str], body: bytes) -> Iterator[dict[str, str]]:
    """Yield headers with a proof that is right, but by an algorithm that must not count."""
    key = SECRET.reveal_bytes()
    name = headers_read(case.scheme)[0]
    without = {other: value for other, value in headers.items() if other != name}
    match case.scheme:
        case HexHmac() | TimestampedHmac():
            signed = body
            if isinstance(case.scheme, TimestampedHmac):
                signed = f"{case.scheme.version}:{headers[case.scheme.timestamp_header.lower()]}:".encode() + body
            for digest in ("sha1", "md5"):
                weak = hmac.new(key, signed, digest).hexdigest()
                prefix = headers[name].rpartition("=")[0]
                for proof in (f"{digest}={weak}", f"{prefix}={weak}" if prefix else weak):
                    yield {**headers, name: proof}
                    yield {**without, "x-hub-signature": proof}
        case StandardWebhooks():
            decoded = base64.b64decode(key.removeprefix(b"whsec_"))
            stem = f"{headers[case.scheme.id_header.lower()]}.{headers[case.scheme.timestamp_header.lower()]}."
            weak = base64.b64encode(hmac.digest(decoded, stem.encode() + body, "sha1")).decode()
            yield from ({**headers, name: f"{version},{weak}"} for version in ("v1", "v0"))
        case BearerJwt():
            claims = {"iat": int(NOW.timestamp()), "exp": int(NOW.timestamp()) + 60}
            keys: dict[str, Any] = {"none": None, "HS384": key, "HS512": key}
            for algorithm, used in keys.items():
                with warnings.catch_warnings(action="ignore"):  # PyJWT warns of what is tried here
                    token = jwt.encode(claims, used, algorithm=algorithm)
                yield {**headers, name: f"Bearer {token}"}
        case PlainToken():
            for digest in ("sha1", "md5", "sha256"):
                yield {**headers, name: hashlib.new(digest, key).hexdigest()}
