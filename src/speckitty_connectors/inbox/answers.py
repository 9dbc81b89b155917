"""What is answered to the provider."""

from __future__ import annotations

import msgspec
from attrs import frozen

from .refusals import DeliveryRefusedError, VerificationRefusedError

RETRY_AFTER_SECONDS = 1
"""When a provider that retries may try again after a 503."""


@frozen(kw_only=True)
class Answer:
    """The answer to one request.

    Attributes:
        status: HTTP status: 2xx, 4xx, or 503.
        code: stable word for what became of the delivery, for example ``accepted`` or ``signature_refused``.
        body: what to send back.
        content_type: its media type.
        retry_after_seconds: value of the Retry-After header, or 0 for none.

    >>> Answer.of(202, "accepted", "the delivery is stored").body
    '{"code":"accepted","message":"the delivery is stored"}'
    """

    status: int
    code: str
    body: str
    content_type: str = "application/json"
    retry_after_seconds: int = 0

    @classmethod
    def of(cls, status: int, code: str, message: str, *, retry_after_seconds: int = 0) -> Answer:
        """Return an answer whose body is a JSON document of the code and one line for a person."""
        body = msgspec.json.encode({"code": code, "message": message}).decode()
        return cls(status=status, code=code, body=body, retry_after_seconds=retry_after_seconds)


ACCEPTED = Answer.of(202, "accepted", "the delivery is stored")
IGNORED = Answer.of(202, "ignored", "deliveries of this kind are not routed")
CONFLICT = Answer.of(202, "conflict", "stored beside another delivery of the same id with other content")
DUPLICATE = Answer.of(200, "duplicate", "the delivery was stored before")
UNAVAILABLE = Answer.of(503, "unavailable", "nothing was stored", retry_after_seconds=RETRY_AFTER_SECONDS)
PROBE = Answer(status=200, code="probe", body="", content_type="text/plain")
SIGNATURE_REFUSED = Answer.of(403, VerificationRefusedError.code, "the signature was refused")


def refused(refusal: DeliveryRefusedError) -> Answer:
    """Return the answer to a refusal; for a signature it is always the same."""
    if isinstance(refusal, VerificationRefusedError):
        return SIGNATURE_REFUSED
    return Answer.of(refusal.status, refusal.code, refusal.what)
