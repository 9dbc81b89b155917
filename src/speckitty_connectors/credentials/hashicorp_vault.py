"""Keys in the transit engine of HashiCorp Vault; needs the extra ``vault``.

The host makes the client, with its address, token and time limits, and renews the token.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable
from typing import Any, Final

import hvac
from hvac.exceptions import InvalidRequest, VaultError

from .sealing import KeyServiceUnavailableError, UnsealError

MOUNT: Final = "transit"
"""Where the engine is unless an operator chose another path (Vault, "Transit secrets engine")."""


class VaultTransit:
    """Encrypts with keys of the transit engine; implements `key_services.KeyService`.

    The keys must be of an AEAD type, as the engine's default ``aes256-gcm96`` is, because each value is bound to
    its place (Vault, "Transit secrets engine (API)", ``associated_data``; since Vault 1.13). Keys that the engine
    rotates itself still open what their former versions wrapped.

    >>> import hvac
    >>> from speckitty_connectors.credentials.key_services import ServiceKeys
    >>> client = hvac.Client(url="https://vault.internal:8200", token="…", timeout=2)
    >>> ServiceKeys(VaultTransit(client), {"2026": "connectors"}).active
    '2026'

    Args:
        client: of the library ``hvac``, signed in, allowed to update ``encrypt/<key>`` and ``decrypt/<key>``.
        mount: where the engine is.
    """

    def __init__(self, client: hvac.Client, *, mount: str = MOUNT) -> None:
        self._transit = client.secrets.transit
        self._mount = mount

    def encrypt(self, key: str, content: bytes, bound: bytes) -> bytes:
        """Return Vault's ciphertext, ``vault:v1:…``; see `key_services.KeyService`."""
        answer = self._asked(
            lambda: self._transit.encrypt_data(
                name=key,
                plaintext=base64.b64encode(content).decode(),
                associated_data=base64.b64encode(bound).decode(),
                mount_point=self._mount,
            )
        )
        return str(answer["data"]["ciphertext"]).encode()

    def decrypt(self, key: str, encrypted: bytes, bound: bytes) -> bytes:
        """Return the content; see `key_services.KeyService`."""
        try:
            answer = self._asked(
                lambda: self._transit.decrypt_data(
                    name=key,
                    ciphertext=encrypted.decode("ascii"),
                    associated_data=base64.b64encode(bound).decode(),
                    mount_point=self._mount,
                )
            )
            return base64.b64decode(answer["data"]["plaintext"], validate=True)
        except (InvalidRequest, UnicodeDecodeError, binascii.Error):
            # Vault answers 400 for another key, another place and a changed value alike.
            raise UnsealError from None

    def _asked(self, ask: Callable[[], Any]) -> Any:
        try:
            return ask()
        except InvalidRequest:
            raise
        except (VaultError, OSError) as error:  # what requests raises is an OSError
            reason = type(error).__name__
        # Raised here, so that it isn't chained to an error that holds the request.
        raise KeyServiceUnavailableError(
            "the key service gave no usable response",
            subject=f"HashiCorp Vault ({reason})",
            remedy="check that Vault is unsealed and reachable, and that our token is valid and may use the key",
        )
