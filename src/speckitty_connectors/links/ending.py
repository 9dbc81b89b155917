"""Ends links: at once here, and then, as far as the provider can, on its side."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from attrs import evolve
from sqlalchemy import Connection

from ..credentials.apps import Apps
from ..credentials.oauth import Revocation
from ..credentials.secret import Secret
from ..credentials.vault import CredentialUnreadableError, Vault
from ..errors import NotFoundError
from ..installations import repository as installations
from ..installations.attempts import Purpose
from ..installations.granting import Granting
from ..providers.statuses import PluginUnavailableError
from ..store.audit import record
from ..store.engine import Store
from . import repository
from .types import LinkStatus, RevokedLink, UserLink
from .writing import forget, record_change


class Ending:
    """Ends links and takes their grants back.

    Args:
        store: the database.
        apps: the registered apps.
        vault: opens grants once more, and forgets them.
        granting: speaks to the provider.
    """

    def __init__(self, store: Store, apps: Apps, vault: Vault, granting: Granting) -> None:
        self._store = store
        self._apps = apps
        self._vault = vault
        self._granting = granting

    def end(self, links: Iterable[UserLink], *, actor: str, reason: str) -> tuple[RevokedLink, ...]:
        """End all of these in one transaction; only then ask the provider to take each grant back.

        Whoever it is called for, nobody can act with any of the grants from the moment of the commit.
        """
        with self._store.transaction() as connection:
            ended = [self._end(connection, link, actor, reason) for link in links]
        return tuple(
            RevokedLink(link=link, revocation=self._take_back(former, values, actor))
            for link, former, values in ended
        )

    def _end(
        self, connection: Connection, known: UserLink, actor: str, reason: str
    ) -> tuple[UserLink, UserLink, Mapping[str, Secret]]:
        link = repository.get(connection, workspace=known.workspace, link_id=known.id)
        if link.status is LinkStatus.REVOKED and not link.credential_id:
            return link, link, {}
        values = self._values(connection, link)
        now = self._store.now()
        revoked = evolve(link, status=LinkStatus.REVOKED, status_reason=reason, credential_id="", updated_at=now)
        repository.save(connection, revoked)
        forget(connection, self._vault, link)
        record_change(connection, revoked, verb="revoked", actor=actor, before=link, now=now)
        return revoked, link, values

    def _values(self, connection: Connection, link: UserLink) -> Mapping[str, Secret]:
        if not link.credential_id:
            return {}
        try:
            opened = self._vault.open(connection, workspace=link.workspace, credential_id=link.credential_id)
        except (CredentialUnreadableError, NotFoundError):
            return {}
        return opened.values

    def _take_back(self, former: UserLink, values: Mapping[str, Secret], actor: str) -> Revocation:
        if not former.credential_id:
            return Revocation.NOTHING_KEPT
        revocation = self._ask(former, values) if values else Revocation.FAILED
        with self._store.transaction() as connection:
            record(
                connection,
                workspace=former.workspace,
                at=self._store.now(),
                actor=actor,
                verb="credential.given_up",
                entity="credential",
                entity_id=former.credential_id,
                reason=revocation,
                before={"link": former.id, **values},
            )
        return revocation

    def _ask(self, former: UserLink, values: Mapping[str, Secret]) -> Revocation:
        try:
            with self._store.reading() as connection:
                installation = installations.get(
                    connection, workspace=former.workspace, installation_id=former.installation_id
                )
                app = self._apps.of(connection, installation)
            return self._granting.revoke(app, Purpose.LINK, values)
        except (NotFoundError, PluginUnavailableError):
            return Revocation.FAILED
