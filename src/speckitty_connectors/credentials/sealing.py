"""Sealing bytes for one place: a key of their own, wrapped by a key of the ring, both bound to that place.

A sealed value is: format version (1 byte), length of the key id (1 byte), key id, nonce and wrapped data key
(12 + 48 bytes), nonce and content (12 + n + 16 bytes). The cipher is AES-256-GCM with random nonces.
"""

from __future__ import annotations

import os
from typing import Final, Protocol

from attrs import frozen
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

KEY_BYTES: Final = 32
NONCE_BYTES: Final = 12
WRAPPED_BYTES: Final = NONCE_BYTES + KEY_BYTES + 16
"""A wrapped data key: nonce, key and tag (NIST SP 800-38D)."""

FORMAT: Final = 1
"""Version of the sealed form and of what it is bound to."""


class UnsealError(Exception):
    """The bytes were not sealed for this place with this key; nothing more is said."""


@frozen(kw_only=True)
class Place:
    """Where a sealed value belongs; it opens nowhere else.

    Attributes:
        table: the table.
        column: the column.
        row_id: id of the row.
        workspace: whose row it is.
        provider: provider key.
        host: the provider's host.
        kind: kind of credential.
        version: version of the credential in that row, so that an older value doesn't open again.
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
        """Return the associated data: every part behind its length, so that no two places give the same bytes."""
        texts = (
            *(purpose, self.table, self.column, self.row_id, self.workspace),
            *(self.provider, self.host, self.kind, str(self.version)),
        )
        parts = (header, *(text.encode() for text in texts))
        return b"".join(len(part).to_bytes(4, "big") + part for part in parts)


class Keys(Protocol):
    """Holds the keys that wrap data keys: a ring in memory, or a key service behind the same two calls."""

    @property
    def active(self) -> str:
        """Id of the key that wraps from now on."""
        ...

    def wrap(self, data_key: bytes, bound: bytes) -> bytes:
        """Return nonce, wrapped key and tag, made with the active key."""
        ...

    def unwrap(self, key_id: str, wrapped: bytes, bound: bytes) -> bytes:
        """Return the data key.

        Raises:
            UnsealError: there is no such key, or it didn't wrap this.
        """
        ...


def seal(keys: Keys, place: Place, content: bytes) -> bytes:
    """Return the content, readable only with the key that is active now, and only for this place."""
    key_id = keys.active.encode("ascii")
    header = bytes([FORMAT, len(key_id)]) + key_id
    data_key = os.urandom(KEY_BYTES)
    wrapped = keys.wrap(data_key, place.bound("data key", header))
    return header + wrapped + encrypt(data_key, content, place.bound("content", header))


def unseal(keys: Keys, place: Place, sealed: bytes) -> bytes:
    """Return the content; one key is tried, the one that the header names.

    Raises:
        UnsealError: it wasn't sealed for this place, was changed, or its key isn't there.
    """
    key_id = key_id_of(sealed)
    start = 2 + len(key_id)
    header, wrapped, content = sealed[:start], sealed[start:][:WRAPPED_BYTES], sealed[start + WRAPPED_BYTES :]
    data_key = keys.unwrap(key_id, wrapped, place.bound("data key", header))
    return decrypt(data_key, content, place.bound("content", header))


def key_id_of(sealed: bytes) -> str:
    """Return the id of the key that a value says it was sealed with.

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
