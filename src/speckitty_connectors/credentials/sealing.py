"""Sealing bytes for one row: each value has a data key of its own, wrapped by a key of the ring, bound to that row.

A sealed value is: format version (1 byte), length of the key id (1 byte), key id, length of the wrapped data key
(2 bytes), wrapped data key, nonce and content (12 + n + 16 bytes). The content's cipher is AES-256-GCM with random
nonces; how a data key is wrapped is up to the holder of the keys.
"""

from __future__ import annotations

import os
from typing import Final, Protocol

from attrs import frozen
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from ..errors import StoreUnavailableError

KEY_BYTES: Final = 32
NONCE_BYTES: Final = 12
LENGTH_BYTES: Final = 2
"""Bytes that the length of a wrapped data key takes."""

FORMAT: Final = 1
"""Version of this format, and of what a value is bound to."""


class UnsealError(Exception):
    """The bytes were not sealed for this place with this key; the error doesn't say which."""


class KeyServiceUnavailableError(StoreUnavailableError):
    """The key service that wraps the data keys can't be reached; a later try may succeed."""

    code = "key_service_unavailable"


@frozen(kw_only=True)
class SealedPlace:
    """The row and column that a sealed value belongs to; it opens nowhere else.

    The version of the credential is part of it, so that an older value doesn't open again.
    """

    table: str
    column: str
    row_id: str
    workspace: str = ""
    provider: str = ""
    host: str = ""
    kind: str = ""
    version: int = 1

    def bound(self, purpose: str, header: bytes) -> bytes:
        """Return the associated data: each part after its length, so that no two places give the same bytes."""
        texts = (
            *(purpose, self.table, self.column, self.row_id, self.workspace),
            *(self.provider, self.host, self.kind, str(self.version)),
        )
        parts = (header, *(text.encode() for text in texts))
        return b"".join(len(part).to_bytes(4, "big") + part for part in parts)


class Keys(Protocol):
    """Holds the keys that wrap data keys: a ring in memory, or a key service that never gives them out."""

    @property
    def active(self) -> str:
        """Id of the key that wraps from now on."""
        ...

    @property
    def ids(self) -> frozenset[str]:
        """Ids of all keys that can unwrap."""
        ...

    def wrap(self, key_id: str, data_key: bytes, bound: bytes) -> bytes:
        """Return the data key wrapped by one of the keys, and bound to `bound`; at most 65535 bytes.

        Raises:
            KeyServiceUnavailableError: the key service doesn't respond.
        """
        ...

    def unwrap(self, key_id: str, wrapped: bytes, bound: bytes) -> bytes:
        """Return the data key.

        Raises:
            UnsealError: there is no such key, or it didn't wrap this for `bound`.
            KeyServiceUnavailableError: the key service doesn't respond.
        """
        ...


def seal(keys: Keys, place: SealedPlace, content: bytes, *, key_id: str = "") -> bytes:
    """Return the content, readable only for this place and with one key: the active one where none is named."""
    key_id = key_id or keys.active
    header = bytes([FORMAT, len(key_id)]) + key_id.encode("ascii")
    data_key = os.urandom(KEY_BYTES)
    wrapped = keys.wrap(key_id, data_key, place.bound("data key", header))
    length = len(wrapped).to_bytes(LENGTH_BYTES, "big")
    return header + length + wrapped + encrypt(data_key, content, place.bound("content", header))


def unseal(keys: Keys, place: SealedPlace, sealed: bytes) -> bytes:
    """Return the content; one key is tried, the one that the header names.

    Raises:
        UnsealError: it wasn't sealed for this place, was changed, or its key isn't there.
        KeyServiceUnavailableError: the key service doesn't respond.
    """
    key_id = key_id_of(sealed)
    start = 2 + len(key_id)
    middle = start + LENGTH_BYTES
    end = middle + int.from_bytes(sealed[start:middle], "big")
    header, wrapped, content = sealed[:start], sealed[middle:end], sealed[end:]
    data_key = keys.unwrap(key_id, wrapped, place.bound("data key", header))
    return decrypt(data_key, content, place.bound("content", header))


def key_id_of(sealed: bytes) -> str:
    """Return the id of the key that a sealed value names.

    Raises:
        UnsealError: it isn't a sealed value of this format.
    """
    if (
        len(sealed) < 2
        or sealed[0] != FORMAT
        or len(sealed) < 2 + sealed[1]
        or not sealed[: 2 + sealed[1]].isascii()
    ):
        raise UnsealError
    return sealed[2 : 2 + sealed[1]].decode("ascii")


def encrypt(key: bytes, content: bytes, bound: bytes) -> bytes:
    """Return a fresh nonce, the encrypted content and its tag."""
    nonce = os.urandom(NONCE_BYTES)
    return nonce + AESGCM(key).encrypt(nonce, content, bound)


def decrypt(key: bytes, encrypted: bytes, bound: bytes) -> bytes:
    """Return the content.

    Raises:
        UnsealError: another key, other associated data, or changed bytes.
    """
    try:
        return AESGCM(key).decrypt(encrypted[:NONCE_BYTES], encrypted[NONCE_BYTES:], bound)
    except (InvalidTag, ValueError):
        raise UnsealError from None
