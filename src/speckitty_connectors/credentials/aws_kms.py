"""Keys in AWS KMS; needs the extra ``kms``.

The host makes the client, with its region, credentials and time limits.
"""

from __future__ import annotations

import base64
from collections.abc import Callable
from hashlib import sha256
from typing import Any, Final, Protocol

from botocore.exceptions import BotoCoreError, ClientError  # type: ignore[import-untyped]  # it has no stubs

from .sealing import KeyServiceUnavailableError, UnsealError

WRONG: Final = frozenset({"IncorrectKeyException", "InvalidCiphertextException"})
"""How KMS refuses another key, another context or a changed value ("Decrypt", AWS KMS API Reference)."""

PLACE: Final = "place"
"""The one pair of the encryption context. KMS logs it in plain text, so it holds a digest."""


class KmsClient(Protocol):
    """The part of ``boto3.client("kms")`` that is used."""

    def encrypt(self, **parameters: Any) -> Any:
        """Encrypt up to 4096 bytes."""
        ...

    def decrypt(self, **parameters: Any) -> Any:
        """Decrypt what `encrypt` made."""
        ...


class AwsKms:
    """Encrypts with symmetric keys of AWS KMS; implements `key_services.KeyService`.

    >>> import boto3
    >>> from speckitty_connectors.credentials.key_services import ServiceKeys
    >>> client = boto3.client("kms", region_name="eu-central-1")
    >>> ServiceKeys(AwsKms(client), {"2026": "alias/connectors"}).active
    '2026'

    `client` is ``boto3.client("kms")``, allowed ``kms:Encrypt`` and ``kms:Decrypt``.
    """

    def __init__(self, client: KmsClient) -> None:
        self._client = client

    def encrypt(self, key: str, content: bytes, bound: bytes) -> bytes:
        """Return the ciphertext blob; see `key_services.KeyService`."""
        answer = _asked(
            lambda: self._client.encrypt(KeyId=key, Plaintext=content, EncryptionContext=_context(bound))
        )
        return bytes(answer["CiphertextBlob"])

    def decrypt(self, key: str, encrypted: bytes, bound: bytes) -> bytes:
        """Return the content; see `key_services.KeyService`."""
        answer = _asked(
            lambda: self._client.decrypt(KeyId=key, CiphertextBlob=encrypted, EncryptionContext=_context(bound))
        )
        return bytes(answer["Plaintext"])


def _context(bound: bytes) -> dict[str, str]:
    return {PLACE: base64.b64encode(sha256(bound).digest()).decode()}


def _asked(ask: Callable[[], Any]) -> Any:
    try:
        return ask()
    except ClientError as error:
        reason = str(error.response.get("Error", {}).get("Code", ""))
    except BotoCoreError as error:
        reason = type(error).__name__
    # Raised here, so that it isn't chained to an error that holds the request.
    if reason in WRONG:
        raise UnsealError
    raise KeyServiceUnavailableError(
        "the key service gave no usable response",
        subject=f"AWS KMS ({reason})",
        remedy="check that the key is enabled, and that our role may encrypt and decrypt with it",
    )
