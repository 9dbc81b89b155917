"""The check at the start that the keys are the right ones, wherever they are held."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from sqlalchemy import insert, select
from sqlalchemy.exc import IntegrityError

from ..errors import ConfigurationError
from ..store.engine import Store
from .sealing import Keys, Place, UnsealError, seal, unseal
from .tables import credentials, key_checks

CHECKED: Final = b"these are the right keys"
"""What every key seals once, so that another key under its id is noticed."""

KEEP_KEY: Final = (
    "put the former key back under this id; a key must stay for as long as something is sealed with it"
)


def verify_keys(keys: Keys, store: Store) -> None:
    """Refuse to start with keys that don't fit the database; leave a check for each new key.

    Raises:
        ConfigurationError: a key isn't the one that its id had before, or one that seals a credential is missing.
        KeyServiceUnavailableError: the key service doesn't answer.
    """
    _leave_checks(keys, store, compare_keys(keys, store))


def compare_keys(keys: Keys, store: Store) -> Sequence[str]:
    """Compare keys with the database, write nothing, and return the ids of those that it doesn't know yet.

    Raises:
        ConfigurationError: a key isn't the one that its id had before, or one that seals a credential is missing.
        KeyServiceUnavailableError: the key service doesn't answer.
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
            # Another process left its check a moment ago; see whether it has the same key.
            verify_keys(keys, store)


def _place(key_id: str) -> Place:
    return Place(table=key_checks.name, column=key_checks.c.sealed.name, row_id=key_id)


def _unusable(what: str) -> ConfigurationError:
    return ConfigurationError(what, subject="the keys that seal credentials", remedy=KEEP_KEY)
