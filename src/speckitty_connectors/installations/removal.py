"""Gives up an installation: at the provider all that nobody else needs is revoked, and here it is forgotten."""

from __future__ import annotations

from collections.abc import Mapping

from attrs import field, frozen
from sqlalchemy import Connection

from ..apps.service import Apps, RegisteredApp
from ..conversations.attempts import Purpose
from ..conversations.oauth_step import Granting
from ..credentials.secret import Secret
from ..credentials.vault import CredentialUnreadableError, Vault
from ..errors import NotFoundError
from ..identifiers import InstallationKey
from ..loading.statuses import PluginUnavailableError
from ..providers.oauth import RevocationReach
from ..store.engine import Store
from ..tokens.grants import find_grant, note_given_up
from ..tokens.oauth import Revocation
from . import grants, repository
from .activation import disconnect
from .statuses import GONE, LIVE
from .types import Follow, Installation, Leave


@frozen(kw_only=True)
class Removed:
    """What became of an installation, and of what it had on the provider's side.

    Attributes:
        installation: as it is now; mappings and links wait for the account to come back.
        revocation: what was done there. After `still_installed`, `failed` and `unsupported`, a person may have to
            uninstall the app, or end the authorisation, in the provider's own pages.
    """

    installation: Installation
    revocation: Revocation


@frozen(kw_only=True)
class _Leaving:
    """What is to be done at the provider once the installation is gone here: something, or a result at once."""

    revocation: Revocation = Revocation.FAILED
    values: Mapping[str, Secret] = field(factory=dict)
    uninstalls: bool = False


class Removal:
    """Removes installations.

    Args:
        store: the database.
        apps: the registered apps.
        vault: opens the grant once more, and forgets it.
        granting: speaks to the provider.
        follow: brings the layers above in line, in the same transaction.
        leave: removes what was made at the provider for it, before its grant is forgotten.
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

    def remove(self, key: InstallationKey, *, actor: str, uninstall: bool) -> Removed:
        """Remove what was made for it, stop routing, and forget the grant; only then revoke or uninstall.

        Raises:
            NotFoundError: the workspace has no such installation.
        """
        self._leave(workspace=key.workspace, installation_id=key.id)
        app, now = self._app(key), self._store.now()
        with self._store.transaction() as connection:
            known = repository.get(connection, key)
            holders = repository.find_holders(connection, known.account, provider=known.provider, host=known.host)
            known = repository.get(connection, key, lock=True)
            others = [each for each in holders if each.app_id == known.app_id and each.id != known.id]
            leaving = self._plan(connection, app, known, others, uninstall=uninstall)
            removed = disconnect(connection, key, actor=actor, now=now, follow=self._follow)
            grants.forget_unused(connection, workspace=key.workspace)
        revocation = self._at_provider(app, known, leaving)
        if leaving.values or leaving.uninstalls:
            with self._store.transaction() as connection:
                note_given_up(connection, known, revocation, leaving.values, actor=actor, at=now)
        return Removed(installation=removed, revocation=revocation)

    def _app(self, key: InstallationKey) -> RegisteredApp | None:
        """Return the app, or None where it, or its plugin, isn't there any more."""
        with self._store.reading() as connection:
            known = repository.get(connection, key)
            try:
                return self._apps.of(connection, known)
            except (NotFoundError, PluginUnavailableError):
                return None

    def _plan(
        self,
        connection: Connection,
        app: RegisteredApp | None,
        known: Installation,
        others: list[Installation],
        *,
        uninstall: bool,
    ) -> _Leaving:
        """Return what there is to revoke, or why nothing is; what anyone else needs stays."""
        if not known.credential_id:
            return self._plan_uninstalling(app, known, others, uninstall=uninstall)
        sharing = repository.find_sharing(connection, workspace=known.workspace, credential_id=known.credential_id)
        reach = self._granting.reach(app, Purpose.INSTALL) if app else RevocationReach.ACCOUNT
        if len(sharing) > 1 or (others and reach is RevocationReach.ACCOUNT):
            return _Leaving(revocation=Revocation.STILL_USED)
        grant = find_grant(connection, workspace=known.workspace, credential_id=known.credential_id)
        if grant is not None and not grant.redirect_uri:
            return _Leaving(
                revocation=Revocation.UNSUPPORTED
            )  # an admin made this token, and only an admin can end it
        try:
            opened = self._vault.open(connection, workspace=known.workspace, credential_id=known.credential_id)
        except (CredentialUnreadableError, NotFoundError):
            return _Leaving()
        return _Leaving(values=opened.values)

    def _plan_uninstalling(
        self, app: RegisteredApp | None, known: Installation, others: list[Installation], *, uninstall: bool
    ) -> _Leaving:
        """Return whether an app that mints its own tokens is to be uninstalled, or why it isn't."""
        is_there = known.status in LIVE - GONE and known.provider_installation_id
        if app is None or not is_there or not self._granting.can_uninstall(app):
            return _Leaving(revocation=Revocation.NOTHING_KEPT)
        if others:
            return _Leaving(revocation=Revocation.STILL_USED)
        return _Leaving(revocation=Revocation.STILL_INSTALLED, uninstalls=uninstall)

    def _at_provider(self, app: RegisteredApp | None, known: Installation, leaving: _Leaving) -> Revocation:
        try:
            if app is not None and leaving.uninstalls:
                return self._granting.uninstall(app, known.provider_installation_id)
            if app is not None and leaving.values:
                return self._granting.revoke(app, Purpose.INSTALL, leaving.values)
        except (NotFoundError, PluginUnavailableError):
            return Revocation.FAILED
        return leaving.revocation
