"""Rotation of the keys: every credential is sealed again with the active key, while hosts read and renew them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from attrs import field, frozen
from sqlalchemy import func, select, tuple_

from ..store.engine import Store
from .sealing import Keys
from .tables import credentials
from .vault import CredentialUnreadableError, Resealed, Vault

BATCH: Final = 100
"""How many credentials are written in one transaction; few, so that nobody waits long for it."""


@frozen(kw_only=True)
class Progress:
    """How far a rotation has come.

    Attributes:
        total: how many credentials were sealed with another key when it began.
        done: how many of them no longer are: sealed again, by us or by a renewal, or forgotten.
        unreadable: ids of those that can't be opened; they are left unchanged.

    >>> Progress(total=3, done=2, unreadable=("c3",)).is_complete
    False
    """

    total: int
    done: int = 0
    unreadable: tuple[str, ...] = field(default=())

    @property
    def is_complete(self) -> bool:
        """Whether this rotation left nothing that is sealed with another key."""
        return not self.unreadable


@frozen(kw_only=True)
class KeyUse:
    """A key, and how many credentials need it.

    Attributes:
        id: its id.
        is_active: whether it seals from now on.
        credentials: how many credentials are sealed with it; with none, a key that isn't active may be removed.
    """

    id: str
    is_active: bool
    credentials: int


class KeyRotation:
    """Seals credentials again with the active key.

    First add the new key to the settings of every process, then make it the active one, then rotate. A former key
    can be removed once `list` counts 0 for it. A rotation that was killed continues where it stopped when it is
    started again, because each row names its key; several rotations may run at once.

    >>> from speckitty_connectors.credentials.keyring import KeyRing
    >>> store, ring = Store("sqlite://"), KeyRing.from_configuration({"2026": KeyRing.new_key()})
    >>> with store.transaction() as connection:
    ...     credentials.create(connection)
    >>> rotation = KeyRotation(store, ring, Vault(ring))
    >>> rotation.rotate().total, [(key.id, key.credentials) for key in rotation.list()]
    (0, [('2026', 0)])
    >>> store.close()
    """

    def __init__(self, store: Store, keys: Keys, vault: Vault) -> None:
        self._store = store
        self._keys = keys
        self._vault = vault

    def rotate(self, progress: Callable[[Progress], object] = lambda _: None) -> Progress:
        """Seal again what another key sealed; return how far it came.

        `progress` is called with how far it has come after each batch.

        Raises:
            StoreUnavailableError: the database or the key service can't be reached; start it again later.
        """
        total = sum(key.credentials for key in self.list() if not key.is_active)
        reached = Progress(total=total)
        place = ("", "")
        while batch := self._batch_after(place):
            place = batch[-1]
            unreadable = self._rotate_batch(batch)
            reached = Progress(
                total=total,
                done=min(total, reached.done + len(batch) - len(unreadable)),
                unreadable=(*reached.unreadable, *unreadable),
            )
            progress(reached)
        return reached

    def _batch_after(self, place: tuple[str, str]) -> list[tuple[str, str]]:
        """Return the workspaces and ids of the next credentials that another key sealed."""
        columns = credentials.c
        query = (
            select(columns.workspace_id, columns.id)
            .where(columns.key_id != self._keys.active, tuple_(columns.workspace_id, columns.id) > tuple_(*place))
            .order_by(columns.workspace_id, columns.id)
            .limit(BATCH)
        )
        with self._store.reading() as connection:
            return [(row.workspace_id, row.id) for row in connection.execute(query)]

    def _rotate_batch(self, batch: list[tuple[str, str]]) -> list[str]:
        """Seal a batch again, and once more what was replaced meanwhile; return the ids of the unreadable."""
        unreadable: list[str] = []
        while batch:
            resealed: list[Resealed] = []
            with self._store.reading() as connection:  # nothing is locked while a key service is asked
                for workspace, credential_id in batch:
                    try:
                        found = self._vault.reseal(connection, workspace=workspace, credential_id=credential_id)
                    except CredentialUnreadableError:
                        unreadable.append(credential_id)
                    else:
                        resealed += [found] if found is not None else []
            with self._store.transaction() as connection:
                batch = [(each.workspace, each.id) for each in resealed if not self._vault.put(connection, each)]
        return unreadable

    def list(self) -> tuple[KeyUse, ...]:
        """Return all keys, missing ones that are needed included, with how many credentials each has sealed."""
        query = select(credentials.c.key_id, func.count()).group_by(credentials.c.key_id)
        with self._store.reading() as connection:
            used = {str(row[0]): int(row[1]) for row in connection.execute(query)}
        return tuple(
            KeyUse(id=key_id, is_active=key_id == self._keys.active, credentials=used.get(key_id, 0))
            for key_id in sorted(used.keys() | self._keys.ids)
        )
