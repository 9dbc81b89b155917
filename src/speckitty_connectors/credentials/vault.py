"""Everything secret is sealed row by row in the table `credentials`, and opened only here."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Final

import msgspec
from attrs import field, frozen
from sqlalchemy import Connection, Row, delete, insert, select, update

from ..errors import ConnectorsError, NotFoundError
from ..identifiers import Clock, new_id, utc_now
from ..store.rows import from_row, is_row
from .sealing import Keys, SealedPlace, UnsealError, key_id_of, seal, unseal
from .secret import Secret
from .tables import credentials

SECRET: Final = "secret"  # noqa: S105 - the name of a value
"""Name of the value of a credential that has only one."""


class CredentialUnreadableError(ConnectorsError):
    """A stored credential can't be opened: it was changed, moved, or sealed with a key that is missing."""

    code = "credential_unreadable"


@frozen(kw_only=True)
class OpenCredential:
    """A credential, opened.

    `version` counts its replacements, from 1; moments are in UTC.
    """

    workspace: str
    id: str
    provider: str
    host: str
    kind: str
    version: int
    expires_at: datetime | None
    updated_at: datetime
    values: Mapping[str, Secret]

    @property
    def secret(self) -> Secret:
        """The one value of a credential that was stored as ``{SECRET: …}``."""
        return self.values[SECRET]


@frozen(kw_only=True)
class Resealed:
    """A credential's unchanged content, sealed with the active key, and the sealed value that it replaces."""

    workspace: str
    id: str
    version: int
    former: bytes = field(repr=False)
    sealed: bytes = field(repr=False)


class Vault:
    """Seals, opens, replaces and forgets credentials, in the caller's transaction.

    >>> from sqlalchemy import create_engine
    >>> from speckitty_connectors.credentials.keyring import KeyRing
    >>> engine = create_engine("sqlite://")
    >>> credentials.create(engine)
    >>> vault = Vault(KeyRing.from_configuration({"2026": KeyRing.new_key()}))
    >>> with engine.begin() as connection:
    ...     place = {"workspace": "w1", "provider": "acme", "host": "acme.example", "kind": "grant"}
    ...     credential_id = vault.seal_new(connection, **place, values={"access_token": Secret("t")})
    ...     vault.open(connection, workspace="w1", credential_id=credential_id).values
    {'access_token': Secret(hidden)}
    >>> engine.dispose()
    """

    def __init__(self, keys: Keys, clock: Clock = utc_now) -> None:
        self._keys = keys
        self._clock = clock

    def seal_new(
        self,
        connection: Connection,
        *,
        workspace: str,
        provider: str,
        host: str,
        kind: str,
        values: Mapping[str, Secret | str],
        expires_at: datetime | None = None,
    ) -> str:
        """Store a new credential and return its id."""
        credential_id = new_id()
        place = _place(workspace, credential_id, provider, host, kind, version=1)
        row = {"workspace_id": workspace, "id": credential_id, "provider": provider, "host": host, "kind": kind}
        sealed = self._sealed(place, values, expires_at)
        connection.execute(insert(credentials).values(created_at=self._clock(), **row, **sealed))
        return credential_id

    def open(self, connection: Connection, *, workspace: str, credential_id: str) -> OpenCredential:
        """Return a credential.

        Raises:
            NotFoundError: the workspace has no such credential.
            CredentialUnreadableError: it isn't what was sealed for this row.
        """
        row = _find(connection, workspace, credential_id)
        if row is None:
            raise NotFoundError.of("credential", credential_id, "connect again, or register the app again")
        return from_row(OpenCredential, row, values=self._opened(row))

    def newest(
        self, connection: Connection, opened: OpenCredential | None, *, workspace: str, credential_id: str
    ) -> OpenCredential:
        """Return a credential, and what was `opened` of it before where it is still the same version; as `open`."""
        if opened is not None:
            version = self.version(connection, workspace=workspace, credential_id=credential_id)
            if (opened.workspace, opened.id, opened.version) == (workspace, credential_id, version):
                return opened
        return self.open(connection, workspace=workspace, credential_id=credential_id)

    def version(self, connection: Connection, *, workspace: str, credential_id: str) -> int:
        """Return the version of a credential without opening it; 0 where there is none."""
        row = _find(connection, workspace, credential_id)
        return 0 if row is None else row.version

    def replace(
        self,
        connection: Connection,
        *,
        workspace: str,
        credential_id: str,
        expected_version: int,
        values: Mapping[str, Secret | str],
        expires_at: datetime | None = None,
    ) -> bool:
        """Replace what a credential holds if it still has the expected version; return whether it had."""
        row = _find(connection, workspace, credential_id)
        if row is None:
            return False
        place = _place(workspace, credential_id, row.provider, row.host, row.kind, version=expected_version + 1)
        replaced = connection.execute(
            update(credentials)
            .where(is_row(credentials, workspace, credential_id), credentials.c.version == expected_version)
            .values(**self._sealed(place, values, expires_at))
        )
        return replaced.rowcount == 1

    def reseal(self, connection: Connection, *, workspace: str, credential_id: str) -> Resealed | None:
        """Seal a credential with the active key, for `put`; None if it already is, or is gone.

        Raises:
            CredentialUnreadableError: it can't be opened.
        """
        row = _find(connection, workspace, credential_id)
        if row is None or row.key_id == self._keys.active:
            return None
        place = _place(workspace, credential_id, row.provider, row.host, row.kind, version=row.version)
        sealed = seal(self._keys, place, self._content(row))
        return Resealed(workspace=workspace, id=row.id, version=row.version, former=row.sealed, sealed=sealed)

    def put(self, connection: Connection, resealed: Resealed) -> bool:
        """Write what `reseal` made unless the credential was changed meanwhile; return whether it was written.

        Its version stays: only the key is new, and a renewal at the same moment must win.
        """
        written = connection.execute(
            update(credentials)
            .where(
                is_row(credentials, resealed.workspace, resealed.id),
                credentials.c.version == resealed.version,
                credentials.c.sealed == resealed.former,
            )
            .values(key_id=key_id_of(resealed.sealed), sealed=resealed.sealed)
        )
        return written.rowcount == 1

    def forget(self, connection: Connection, *, workspace: str, credential_id: str) -> None:
        """Forget a credential, and with its row the only copy of its data key."""
        connection.execute(delete(credentials).where(is_row(credentials, workspace, credential_id)))

    def _sealed(
        self, place: SealedPlace, values: Mapping[str, Secret | str], expires_at: datetime | None
    ) -> dict[str, object]:
        content = msgspec.json.encode({name: Secret(value).reveal() for name, value in values.items()})
        sealed = seal(self._keys, place, content)
        return {
            "version": place.version,
            "key_id": key_id_of(sealed),
            "sealed": sealed,
            "expires_at": expires_at,
            "updated_at": self._clock(),
        }

    def _opened(self, row: Row[tuple[object, ...]]) -> Mapping[str, Secret]:
        values = msgspec.json.decode(self._content(row), type=dict[str, str])
        return {name: Secret(value) for name, value in values.items()}

    def _content(self, row: Row[tuple[object, ...]]) -> bytes:
        try:
            return self._unsealed(row)
        except UnsealError:
            raise CredentialUnreadableError(
                "a stored credential can't be opened",
                subject=f"{row.kind} {row.id} of {row.provider}",
                remedy="check that its key is configured and its row unchanged; else connect or register again",
            ) from None

    def _unsealed(self, row: Row[tuple[object, ...]]) -> bytes:
        if key_id_of(row.sealed) != row.key_id:
            raise UnsealError
        place = _place(row.workspace_id, row.id, row.provider, row.host, row.kind, version=row.version)
        return unseal(self._keys, place, row.sealed)


def _find(connection: Connection, workspace: str, credential_id: str) -> Row[tuple[object, ...]] | None:
    return connection.execute(
        select(credentials).where(is_row(credentials, workspace, credential_id))
    ).one_or_none()


def _place(workspace: str, credential_id: str, provider: str, host: str, kind: str, *, version: int) -> SealedPlace:
    return SealedPlace(
        table=credentials.name,
        column=credentials.c.sealed.name,
        row_id=credential_id,
        workspace=workspace,
        provider=provider,
        host=host,
        kind=kind,
        version=version,
    )
