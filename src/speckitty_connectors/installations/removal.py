"""Gives up an installation: its grant is taken back at the provider, as far as the provider can, and forgotten."""

from __future__ import annotations

from collections.abc import Mapping

from attrs import frozen
from sqlalchemy import Connection, func, select

from ..apps.service import Apps
from ..conversations.attempts import Purpose
from ..conversations.oauth_step import Granting
from ..credentials.secret import Secret
from ..credentials.vault import CredentialUnreadableError, Vault
from ..errors import NotFoundError
from ..identifiers import InstallationKey
from ..loading.statuses import PluginUnavailableError
from ..store.engine import Store
from ..tokens.grants import find_grant, note_given_up
from ..tokens.oauth import Revocation
from . import grants, repository
from .activation import disconnect
from .tables import installations
from .types import Follow, Installation, Leave


@frozen(kw_only=True)
class Removed:
    """What became of an installation, and of its grant on the provider's side.

    Attributes:
        installation: as it is now; mappings and links wait for the account to come back.
        revocation: what the provider said. Unless it is `revoked`, a person may have to end the authorisation in
            the provider's own pages; an app that is installed there is uninstalled there in any case.
    """

    installation: Installation
    revocation: Revocation


class Removal:
    """Removes installations.

    Args:
        store: the database.
        apps: the registered apps.
        vault: opens the grant once more, and forgets it.
        granting: speaks to the provider.
        follow: brings the layers above in line, in the same transaction.
        leave: takes back what was made at the provider for it, before its grant is forgotten.
    """

    def __init__(
        self, store: Store, apps: Apps, vault: Vault, granting: Granting, follow: Follow, leave: Leave
    ) -> None:
        self._store = store
        self._apps = apps
        self._vault = vault
        self._granting = granting
        self._follow = follow
        self._leave = leave

    def remove(self, key: InstallationKey, *, actor: str) -> Removed:
        """Take back what was made for it, stop routing, and forget the grant; only then is that taken back, too.

        Raises:
            NotFoundError: the workspace has no such installation.
        """
        self._leave(workspace=key.workspace, installation_id=key.id)
        now = self._store.now()
        with self._store.transaction() as connection:
            known = repository.get(connection, key, lock=True)
            values, revocation = self._last_look(connection, known)
            removed = disconnect(connection, key, actor=actor, now=now, follow=self._follow)
            grants.forget_unused(connection, workspace=key.workspace)
        if values:
            revocation = self._take_back(known, values)
            with self._store.transaction() as connection:
                note_given_up(connection, known, revocation, values, actor=actor, at=now)
        return Removed(installation=removed, revocation=revocation)

    def _last_look(self, connection: Connection, known: Installation) -> tuple[Mapping[str, Secret], Revocation]:
        """Return the tokens to take back, or why there are none."""
        if not known.credential_id:
            return {}, Revocation.NOTHING_KEPT
        if _holders(connection, known) > 1:
            return {}, Revocation.STILL_USED
        grant = find_grant(connection, workspace=known.workspace, credential_id=known.credential_id)
        if grant is not None and not grant.redirect_uri:
            return {}, Revocation.UNSUPPORTED  # an admin made this token, and only an admin can end it
        try:
            opened = self._vault.open(connection, workspace=known.workspace, credential_id=known.credential_id)
        except (CredentialUnreadableError, NotFoundError):
            return {}, Revocation.FAILED
        return opened.values, Revocation.FAILED

    def _take_back(self, known: Installation, values: Mapping[str, Secret]) -> Revocation:
        try:
            with self._store.reading() as connection:
                app = self._apps.of(connection, known)
            return self._granting.revoke(app, Purpose.INSTALL, values)
        except (NotFoundError, PluginUnavailableError):
            return Revocation.FAILED


def _holders(connection: Connection, known: Installation) -> int:
    """Return how many installations of the workspace share the grant of this one."""
    return connection.execute(
        select(func.count()).where(
            installations.c.workspace_id == known.workspace,
            installations.c.credential_id == known.credential_id,
        )
    ).scalar_one()
