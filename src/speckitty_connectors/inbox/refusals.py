"""Why a delivery is refused: one error class for each answer, so that every hostile request ends in a typed 4xx."""

from __future__ import annotations

from typing import ClassVar

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
    """A header that decides something stands twice, is too long or isn't printable ASCII, or there are too many."""

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
    """Nothing proves that the provider sent these bytes to this end point.

    An end point that doesn't exist is refused with the same answer. The text says why, for our log; the
    answer doesn't repeat it.
    """

    code = "signature_refused"
    status = 403
