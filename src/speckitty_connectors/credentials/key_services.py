"""Keys in a key service: they wrap and unwrap there, and never enter this process."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from hashlib import sha256
from typing import Final, Protocol

from sqlalchemy import insert, select
from sqlalchemy.exc import IntegrityError

from ..errors import ConfigurationError
from ..store.engine import Store
from .keyring import KEY_ID
from .sealing import Keys, SealedPlace, UnsealError, seal, unseal
from .tables import credentials, key_checks

CHECKED: Final = b"these are the right keys"
"""What each key seals once, so that another key under the same id is noticed."""

KEEP_KEY: Final = (
    "put the former key back under this id; a key must stay for as long as something is sealed with it"
)


def verify_keys(keys: Keys, store: Store) -> None:
    """Refuse to start with keys that don't match the database; write a check for each new key.

    Raises:
        ConfigurationError: a key isn't the one that its id had before, or one that seals a credential is missing.
        KeyServiceUnavailableError: the key service doesn't respond.
    """
    _leave_checks(keys, store, compare_keys(keys, store))


def compare_keys(keys: Keys, store: Store) -> Sequence[str]:
    """Compare keys with the database, write nothing, and return the ids of those that it doesn't know yet.

    Raises:
        ConfigurationError: a key isn't the one that its id had before, or one that seals a credential is missing.
        KeyServiceUnavailableError: the key service doesn't respond.
    """
    with store.reading() as connection:
        checks = {row.key_id: row.sealed for row in connection.execute(select(key_checks))}
        used = set(connection.scalars(select(credentials.c.key_id).distinct()))
    missing = sorted(used - keys.ids)
    if missing:
        raise _unusable(f"credentials are sealed with keys that aren't configured: {', '.join(missing)}")
    for key_id in sorted(checks.keys() & keys.ids):
        if not _opens(keys, key_id, checks[key_id]):
            raise _unusable(f"the key {key_id!r} isn't the one that this id had before")
    return sorted(keys.ids - checks.keys())


def _opens(keys: Keys, key_id: str, sealed: bytes) -> bool:
    try:
        return unseal(keys, _place(key_id), sealed) == CHECKED
    except UnsealError:
        return False


def _leave_checks(keys: Keys, store: Store, key_ids: Sequence[str]) -> None:
    for key_id in key_ids:
        sealed = seal(keys, _place(key_id), CHECKED, key_id=key_id)
        try:
            with store.transaction() as connection:
                connection.execute(insert(key_checks).values(key_id=key_id, sealed=sealed))
        except IntegrityError:
            # Another process wrote its check first; compare the keys again.
            verify_keys(keys, store)


def _place(key_id: str) -> SealedPlace:
    return SealedPlace(table=key_checks.name, column=key_checks.c.sealed.name, row_id=key_id)


def _unusable(what: str) -> ConfigurationError:
    return ConfigurationError(what, subject="the keys that seal credentials", remedy=KEEP_KEY)


KEPT: Final = 1000
"""How many unwrapped data keys are kept in memory; one for each open credential, so the service is rarely asked."""

KEPT_SECONDS: Final = 300.0
"""For how long, in seconds: a process still opens credentials for that long after the service ended its access."""


class KeyService(Protocol):
    """A service that encrypts and decrypts with keys that it holds; see `hashicorp_vault` and `aws_kms`."""

    def encrypt(self, key: str, content: bytes, bound: bytes) -> bytes:
        """Return the content, encrypted with the key of this name at the service, and bound to `bound`.

        Raises:
            KeyServiceUnavailableError: the service doesn't respond, or refuses us.
        """
        ...

    def decrypt(self, key: str, encrypted: bytes, bound: bytes) -> bytes:
        """Return the content.

        Raises:
            UnsealError: this key didn't encrypt it, or not for `bound`.
            KeyServiceUnavailableError: the service doesn't respond, or refuses us.
        """
        ...


class ServiceKeys:
    """The keys of a service, as the vault uses them; implements `sealing.Keys`.

    Sealing asks the service once, and so does opening a credential whose data key isn't in memory. Both may happen
    inside a transaction, so give the service's client short time limits.

    >>> class Reversing:
    ...     def encrypt(self, key, content, bound): return content[::-1]
    ...     def decrypt(self, key, encrypted, bound): return encrypted[::-1]
    >>> keys = ServiceKeys(Reversing(), {"2026": "connectors"})
    >>> keys.active, keys.unwrap("2026", keys.wrap("2026", b"data key", b""), b"")
    ('2026', b'data key')

    Args:
        service: holds the keys.
        keys: our key id → the service's name of the key. An id always means the same key.
        active: id of the key that seals; may be empty where there is only one key.
        former: further keys that only open, such as the ring of a host that moves to a service, until a rotation
            is complete.
        kept_seconds: how long an unwrapped data key is kept in memory; 0 asks the service each time.
        monotonic: a clock that never goes back, in seconds.

    Raises:
        ConfigurationError: there is no key, an id isn't well formed, or the active one is missing.
    """

    def __init__(
        self,
        service: KeyService,
        keys: Mapping[str, str],
        *,
        active: str = "",
        former: Keys | None = None,
        kept_seconds: float = KEPT_SECONDS,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        active = active or (next(iter(keys)) if len(keys) == 1 else "")
        if active not in keys or not all(KEY_ID.fullmatch(key_id) for key_id in keys):
            raise ConfigurationError(
                "the key ids aren't well formed, or none of them is the active one",
                subject="the keys of a key service",
                remedy="name each key by letters, digits, '.', '_' and '-', and one of them as the active key",
            )
        self._service = service
        self._keys = dict(keys)
        self._active = active
        self._former = former
        self._kept_seconds = kept_seconds
        self._monotonic = monotonic
        self._kept: OrderedDict[bytes, tuple[bytes, float]] = OrderedDict()
        self._lock = threading.Lock()

    @property
    def active(self) -> str:
        """Id of the key that seals from now on."""
        return self._active

    @property
    def ids(self) -> frozenset[str]:
        """Ids of all keys, the former ones included."""
        return frozenset(self._keys) | (self._former.ids if self._former else frozenset())

    def wrap(self, key_id: str, data_key: bytes, bound: bytes) -> bytes:
        """Return the data key wrapped by the service; see `sealing.Keys`."""
        if self._former is not None and key_id not in self._keys:
            return self._former.wrap(key_id, data_key, bound)
        return self._service.encrypt(self._keys[key_id], data_key, bound)

    def unwrap(self, key_id: str, wrapped: bytes, bound: bytes) -> bytes:
        """Return the data key, from memory where it was unwrapped recently; see `sealing.Keys`."""
        if self._former is not None and key_id not in self._keys:
            return self._former.unwrap(key_id, wrapped, bound)
        if key_id not in self._keys:
            raise UnsealError
        place = sha256(len(wrapped).to_bytes(4, "big") + wrapped + bound).digest()
        kept = self._remembered(place)
        if kept is not None:
            return kept
        data_key = self._service.decrypt(self._keys[key_id], wrapped, bound)
        self._remember(place, data_key)
        return data_key

    def _remembered(self, place: bytes) -> bytes | None:
        with self._lock:
            data_key, end = self._kept.get(place, (None, 0.0))
            return data_key if end > self._monotonic() else None

    def _remember(self, place: bytes, data_key: bytes) -> None:
        with self._lock:
            self._kept[place] = (data_key, self._monotonic() + self._kept_seconds)
            self._kept.move_to_end(place)
            while len(self._kept) > KEPT:
                self._kept.popitem(last=False)
