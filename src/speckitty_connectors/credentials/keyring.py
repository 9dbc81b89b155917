"""The keys that seal credentials, in the memory of this process."""

from __future__ import annotations

import base64
import binascii
import os
import re
from collections.abc import Mapping
from typing import Final

from ..errors import ConfigurationError
from .sealing import KEY_BYTES, UnsealError, decrypt, encrypt
from .secret import Secret

KEY_ID: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", re.ASCII)
"""What a key id looks like."""


class KeyRing:
    """Keys by id: the active one seals, and all of them open.

    >>> keys = KeyRing.from_configuration({"2026": KeyRing.new_key()})
    >>> keys.active
    '2026'
    """

    def __init__(self, keys: Mapping[str, Secret], active: str) -> None:
        self._keys = dict(keys)
        self._active = active

    @property
    def active(self) -> str:
        """Id of the key that seals from now on."""
        return self._active

    @property
    def ids(self) -> frozenset[str]:
        """Ids of all keys of the ring."""
        return frozenset(self._keys)

    @classmethod
    def from_configuration(cls, keys: Mapping[str, Secret | str], *, active: str = "") -> KeyRing:
        """Return the ring of a configuration.

        Args:
            keys: key id → base64 of 32 random bytes, as `new_key` makes them.
            active: id of the key that seals; may be empty where there is only one key.

        Raises:
            ConfigurationError: there is no key, a key or an id isn't well formed, two keys are the same, or the
                active one is missing.
        """
        if not keys:
            raise _unusable(
                "no key is configured", "run 'speckitty-connectors keys new' and configure what it prints"
            )
        ring: dict[str, Secret] = {}
        for key_id, encoded in keys.items():
            key = _decoded(key_id, Secret(encoded))
            if any(key == other for other in ring.values()):
                raise _unusable(f"the key {key_id!r} is the same as another", "make a new key for each id")
            ring[key_id] = key
        active = active or (next(iter(ring)) if len(ring) == 1 else "")
        if active not in ring:
            raise _unusable(
                f"the active key {active!r} isn't among the keys"
                if active
                else "none of the keys is the active one",
                f"name one of these as the active key: {', '.join(sorted(ring))}",
            )
        return cls(ring, active)

    @staticmethod
    def new_key() -> Secret:
        """Return a fresh key for the configuration: base64 of 32 random bytes."""
        return Secret(base64.b64encode(os.urandom(KEY_BYTES)))

    def wrap(self, key_id: str, data_key: bytes, bound: bytes) -> bytes:
        """Return nonce, wrapped key and tag (NIST SP 800-38D); see `sealing.Keys`."""
        return encrypt(self._keys[key_id].reveal_bytes(), data_key, bound)

    def unwrap(self, key_id: str, wrapped: bytes, bound: bytes) -> bytes:
        """Return the data key; see `sealing.Keys`.

        Raises:
            UnsealError: there is no such key, or it didn't wrap this.
        """
        key = self._keys.get(key_id)
        if key is None:
            raise UnsealError
        return decrypt(key.reveal_bytes(), wrapped, bound)


def _decoded(key_id: str, encoded: Secret) -> Secret:
    if not KEY_ID.fullmatch(key_id):
        raise _unusable(
            f"the key id {key_id!r} isn't well formed", "use letters, digits, '.', '_' and '-', at most 64 of them"
        )
    try:
        key = Secret(base64.b64decode(encoded.reveal_bytes().strip(), validate=True))
    except binascii.Error:
        key = Secret(b"")
    if len(key.reveal_bytes()) != KEY_BYTES:
        raise _unusable(
            f"the key {key_id!r} isn't base64 of {KEY_BYTES} bytes", "copy it whole, or make one with 'keys new'"
        )
    return key


def _unusable(what: str, remedy: str) -> ConfigurationError:
    return ConfigurationError(what, subject="the keys that seal credentials", remedy=remedy)
