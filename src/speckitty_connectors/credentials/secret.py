"""A value that hides itself wherever a program writes values down."""

from __future__ import annotations

import base64
import hmac
import secrets
from typing import Any, NoReturn, SupportsIndex, final

from ..errors import ConfigurationError

HIDDEN = "Secret(hidden)"
"""What every accidental rendering of a secret shows."""

SHORTEST_WEBHOOK_SECRET = 16
"""Fewest bytes of a webhook secret; a shorter one could be guessed."""


WEBHOOK_SECRET_PREFIX = "whsec_"  # noqa: S105 - a prefix of secrets, not one
"""Prefix of the base64 of a key (Standard Webhooks specification, "Signature scheme")."""


@final
class Secret:
    """A secret text; only `reveal` shows it.

    Its repr, str and format are a fixed text, it can't be pickled, written as JSON or used as a key of a
    dictionary, and a copy is the same object. Two secrets compare in constant time.

    >>> secret = Secret("correct horse battery staple")
    >>> f"{secret} {secret!r}"
    'Secret(hidden) Secret(hidden)'
    >>> secret == Secret("correct horse battery staple"), secret.reveal()[:7]
    (True, 'correct')

    Raises:
        ValueError: the text can't be written as UTF-8; the error doesn't show it.
    """

    __slots__ = ("__value",)
    __hash__ = None  # type: ignore[assignment]  # a hash would let a secret be looked up by its content

    def __init__(self, value: str | bytes | Secret) -> None:
        self.__value: bytes = _bytes_of(value)

    def reveal(self) -> str:
        """Return the secret as text.

        Raises:
            ValueError: it was made of bytes that aren't UTF-8; the error doesn't show them.
        """
        try:
            return self.__value.decode()
        except UnicodeDecodeError:
            pass
        # Raised here, so that it isn't chained to an error that holds the bytes.
        raise ValueError("the secret isn't text")

    def reveal_bytes(self) -> bytes:
        """Return the secret as bytes."""
        return self.__value

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Secret):
            return NotImplemented
        return hmac.compare_digest(self.__value, other.__value)

    def __repr__(self) -> str:
        return HIDDEN

    def __str__(self) -> str:
        return HIDDEN

    def __format__(self, _: str) -> str:
        return HIDDEN

    def __bool__(self) -> bool:
        return bool(self.__value)

    def __copy__(self) -> Secret:
        return self

    def __deepcopy__(self, _: dict[int, Any]) -> Secret:
        return self

    def __reduce_ex__(self, _: SupportsIndex) -> NoReturn:
        raise TypeError("a secret can't be pickled; store it through the vault")

    def __getstate__(self) -> NoReturn:
        raise TypeError("a secret shows no state; reveal it, or store it through the vault")


def new_webhook_secret() -> Secret:
    """Return 256 random bits with `WEBHOOK_SECRET_PREFIX`, which is a valid secret for every scheme."""
    return Secret(f"{WEBHOOK_SECRET_PREFIX}{base64.b64encode(secrets.token_bytes(32)).decode()}")


def check_webhook_secret(secret: Secret, *, subject: str) -> Secret:
    """Return the secret if it is long enough to verify anything.

    Raises:
        ConfigurationError: it is empty, blank or shorter than `SHORTEST_WEBHOOK_SECRET` bytes.
    """
    if len(secret.reveal_bytes().strip()) < SHORTEST_WEBHOOK_SECRET:
        raise ConfigurationError(
            f"the webhook secret has fewer than {SHORTEST_WEBHOOK_SECRET} bytes",
            subject=subject,
            remedy="make a random one, for example with 'openssl rand -hex 32', and enter it on both sides",
        )
    return secret


def _bytes_of(value: str | bytes | Secret) -> bytes:
    if isinstance(value, Secret):
        return value.reveal_bytes()
    if isinstance(value, bytes):
        return value
    try:
        return value.encode()
    except UnicodeEncodeError:
        pass
    raise ValueError("the secret has characters that can't be written as UTF-8")
