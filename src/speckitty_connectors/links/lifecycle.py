"""Links end, by a person here or by a withdrawal on the provider's side; nobody else's do."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime

from attrs import evolve
from sqlalchemy import Connection

from ..apps.service import Apps
from ..conversations.attempts import Purpose
from ..conversations.oauth_step import Granting
from ..credentials.secret import Secret
from ..credentials.vault import CredentialUnreadableError, Vault
from ..errors import NotFoundError
from ..identifiers import InstallationKey
from ..installations import repository as installations
from ..loading.statuses import PluginUnavailableError
from ..providers.deliveries import Lifecycle
from ..providers.oauth import RevocationReach
from ..store.audit import record_change
from ..store.confinement import across_workspaces
from ..store.engine import Store
from ..tokens.grants import get_grant, note_given_up
from ..tokens.oauth import Revocation
from . import repository
from .changes import forget, record_identity
from .types import LinkStatus, RevokedLink, UserLink


class Ending:
    """Ends links and takes their grants back."""

    def __init__(self, store: Store, apps: Apps, vault: Vault, granting: Granting) -> None:
        self._store = store
        self._apps = apps
        self._vault = vault
        self._granting = granting

    def end(self, links: Iterable[UserLink], *, actor: str, reason: str) -> tuple[RevokedLink, ...]:
        """End all of these in one transaction; only then ask the provider to take each grant back.

        From the moment of the commit, nobody can act with any of the grants.
        """
        with self._store.transaction() as connection:
            ended = [self._end(connection, link, actor, reason) for link in links]
        return tuple(
            RevokedLink(link=link, revocation=self._take_back(former, values, actor))
            for link, former, values in ended
        )

    def _end(
        self, connection: Connection, known: UserLink, actor: str, reason: str
    ) -> tuple[UserLink, UserLink, Mapping[str, Secret] | None]:
        link = repository.get(connection, workspace=known.workspace, link_id=known.id)
        if link.status is LinkStatus.REVOKED and not link.credential_id:
            return link, link, {}
        values = None if self._is_shared(connection, link) else self._values(connection, link)
        now = self._store.now()
        revoked = evolve(link, status=LinkStatus.REVOKED, status_reason=reason, credential_id="", updated_at=now)
        repository.save(connection, revoked)
        forget(connection, self._vault, link)
        record_identity(connection, link, revoked, "revoked", actor=actor, now=now)
        return revoked, link, values

    def _values(self, connection: Connection, link: UserLink) -> Mapping[str, Secret]:
        if not link.credential_id:
            return {}
        try:
            opened = self._vault.open(connection, workspace=link.workspace, credential_id=link.credential_id)
        except (CredentialUnreadableError, NotFoundError):
            return {}
        return opened.values

    def _is_shared(self, connection: Connection, link: UserLink) -> bool:
        """Return whether revoking a link's grant would end another link of the same person, in any workspace."""
        if not link.credential_id:
            return False
        with across_workspaces(connection):
            same = repository.find_everywhere(
                connection, provider=link.provider, host=link.host, external_id=link.external_id
            )
        if not any(each.credential_id and each.id != link.id for each in same):
            return False
        try:
            grant = get_grant(connection, workspace=link.workspace, credential_id=link.credential_id)
            app = self._apps.of(connection, grant)
        except (NotFoundError, PluginUnavailableError):
            return False
        return self._granting.reach(app, Purpose.LINK) is not RevocationReach.TOKEN

    def _take_back(self, former: UserLink, values: Mapping[str, Secret] | None, actor: str) -> Revocation:
        if not former.credential_id:
            return Revocation.NOTHING_KEPT
        if values is None:
            return Revocation.STILL_USED
        revocation = self._ask(former, values) if values else Revocation.FAILED
        with self._store.transaction() as connection:
            note_given_up(connection, former, revocation, values, actor=actor, at=self._store.now())
        return revocation

    def _ask(self, former: UserLink, values: Mapping[str, Secret]) -> Revocation:
        try:
            with self._store.reading() as connection:
                installation = installations.get(connection, InstallationKey.of(former))
                app = self._apps.of(connection, installation)
            return self._granting.revoke(app, Purpose.LINK, values)
        except (NotFoundError, PluginUnavailableError):
            return Revocation.FAILED


REASON = "the authorisation was withdrawn on the provider's side"


def revoke(
    connection: Connection,
    lifecycle: Lifecycle,
    provider: str,
    host: str,
    *,
    now: datetime,
    installation_id: str = "",
) -> list[UserLink]:
    """Revoke the links of the people that a lifecycle names; return those that changed.

    Such a delivery may name no installation at all, so the immutable ids of the people find the links, in every
    workspace; where it names the account, only links under that account are meant, and where a customer's own
    credential reports it, only those under that installation. A link that was made after the withdrawal stays.
    """
    at = min(lifecycle.occurred_at or now, now)
    account_id = lifecycle.account.id if lifecycle.account else ""
    return [
        _revoke_one(connection, link, now)
        for person in lifecycle.identities
        for link in repository.find_everywhere(
            connection, provider=provider, host=host, external_id=person.id, account_id=account_id
        )
        if link.status is not LinkStatus.REVOKED
        and link.updated_at <= at
        and installation_id in {"", link.installation_id}
    ]


def _revoke_one(connection: Connection, link: UserLink, now: datetime) -> UserLink:
    revoked = evolve(link, status=LinkStatus.REVOKED, status_reason=REASON, updated_at=now)
    repository.save(connection, revoked)
    actor = f"provider:{link.provider}"
    record_change(connection, link, revoked, "revoked", actor=actor, at=now, reason=REASON)
    return revoked
