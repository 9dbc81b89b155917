"""What is answered to the provider."""

from __future__ import annotations

from typing import ClassVar

import msgspec
from attrs import frozen

from ..errors import ConnectorsError


class DeliveryRefusedError(ConnectorsError):
    """The request isn't a delivery that could be stored; its text never repeats what was sent.

    Attributes:
        status: the HTTP status of the answer, always 4xx.

    >>> BodyTooLargeError("the body is larger than 25 bytes").status
    413
    """

    code = "delivery_refused"
    status: ClassVar[int] = 400


class UnknownProviderError(DeliveryRefusedError):
    """No plugin for the provider in the URL is installed."""

    code = "provider_unknown"
    status = 404


class HeaderRefusedError(DeliveryRefusedError):
    """A header that matters appears twice, is too long or isn't printable ASCII, or there are too many."""

    code = "header_refused"


class BodyTooLargeError(DeliveryRefusedError):
    """The body is larger than the manifest's limit; the rest of it was not read."""

    code = "body_too_large"
    status = 413


class BodyTooSlowError(DeliveryRefusedError):
    """The body came so slowly that no provider still waits for the answer; the rest of it was not read."""

    code = "body_too_slow"
    status = 408


class MediaTypeRefusedError(DeliveryRefusedError):
    """The body is of a type that the provider doesn't send, or compressed."""

    code = "media_type_refused"
    status = 415


class DocumentRefusedError(DeliveryRefusedError):
    """The body was signed but holds no JSON object, or a form that can be read in two ways."""

    code = "document_refused"


class VerificationRefusedError(DeliveryRefusedError):
    """Nothing proves that the provider sent these bytes to this endpoint.

    An endpoint that doesn't exist is refused with the same answer. The text says why, for our log; the
    answer doesn't repeat it.
    """

    code = "signature_refused"
    status = 403


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
