"""Layer 2: links members to their own identities, in the same conversations that connect accounts."""

from __future__ import annotations

from collections.abc import Mapping

from attrs import evolve
from sqlalchemy import Connection

from ..credentials.apps import Apps
from ..credentials.sessions import Sessions
from ..credentials.vault import Vault
from ..errors import ConflictError
from ..http.session import Transport
from ..identifiers import new_id
from ..installations import repository as installations
from ..installations.attempts import Purpose
from ..installations.conversations import CallbackUrl, Conversations, Turn
from ..installations.granting import Granting
from ..installations.refusals import Refusal
from ..installations.steps import SendBrowser
from ..providers.accounts import ExternalIdentity
from ..providers.conversations import Linked
from ..providers.registry import Registry
from ..store.audit import record
from ..store.engine import Store
from . import repository
from .types import LinkDone, LinkStatus, UserLink

GRANT = "link_grant"
"""What the vault calls a member's own grant."""


class Links:
    """Links members; it is optional, and nothing that the workspace shares depends on it.

    Args:
        store: the database.
        registry: the plugins.
        apps: the registered apps.
        vault: seals grants.
        sessions: opens the API.
        transport: carries token requests.
        callback_url: where providers send browsers back to.
    """

    def __init__(
        self,
        store: Store,
        registry: Registry,
        apps: Apps,
        vault: Vault,
        sessions: Sessions,
        transport: Transport,
        callback_url: CallbackUrl,
    ) -> None:
        self._store = store
        self._vault = vault
        self._apps = apps
        granting = Granting(store, registry, vault, sessions, transport)
        self._conversations = Conversations(store, registry, apps, vault, granting, callback_url)

    def begin(self, *, workspace: str, member: str, session: str, installation_id: str) -> SendBrowser:
        """Begin to link a member under an installation.

        Raises:
            NotFoundError: the workspace has no such installation.
            ConflictError: the installation is gone.
            OnboardingRefusedError: the plugin refused.
        """
        with self._store.reading() as connection:
            installation = installations.get(connection, workspace=workspace, installation_id=installation_id)
            app = self._apps.of(connection, installation)
        if not installation.is_live:
            raise ConflictError(
                f"the installation is {installation.status}",
                subject=installation.subject,
                remedy="connect the account again, then link",
            )
        return self._conversations.begin(
            purpose=Purpose.LINK,
            workspace=workspace,
            member=member,
            session=session,
            app=app,
            installation_id=installation_id,
        )

    def complete(
        self, *, provider: str, session: str, parameters: Mapping[str, str], host: str | None = None
    ) -> SendBrowser | LinkDone:
        """Go on with what a browser brought back from the provider.

        Raises:
            OnboardingRefusedError: anything isn't as it was begun, or the identity is another member's.
            ApiError: the provider didn't answer; the person has to start again.
        """
        turn = self._conversations.resume(
            purpose=Purpose.LINK, provider=provider, host=host, session=session, parameters=parameters
        )
        sent = self._conversations.send(turn)
        if sent is not None:
            return sent
        if not isinstance(turn.answer, Linked) or turn.tokens is None:
            self._conversations.refuse(turn.attempt, Refusal.UNPROVEN)
        with self._store.transaction() as connection:
            link = self._link(connection, turn, turn.answer.identity)
        if link is None:
            self._conversations.refuse(turn.attempt, Refusal.ALREADY_LINKED)
        return LinkDone(link=link)

    def list(
        self, *, workspace: str, installation_id: str | None = None, member: str | None = None
    ) -> tuple[UserLink, ...]:
        """Return the workspace's links, oldest first, under one installation or of one member where asked."""
        with self._store.reading() as connection:
            found = repository.list_all(
                connection, workspace=workspace, installation_id=installation_id, member=member
            )
        return tuple(found)

    def revoke(self, *, workspace: str, link_id: str, actor: str, reason: str = "") -> UserLink:
        """End a link and forget its token; the installation and everybody else's links stay.

        Raises:
            NotFoundError: the workspace has no such link.
        """
        with self._store.transaction() as connection:
            link = repository.get(connection, workspace=workspace, link_id=link_id)
            if link.status is LinkStatus.REVOKED:
                return link
            if link.credential_id:
                self._vault.forget(connection, workspace=workspace, credential_id=link.credential_id)
            now = self._store.now()
            revoked = evolve(
                link, status=LinkStatus.REVOKED, status_reason=reason, credential_id="", updated_at=now
            )
            repository.save(connection, revoked)
            self._record(connection, revoked, "link.revoked", actor, reason=reason, before=link)
            return revoked

    def _link(self, connection: Connection, turn: Turn, identity: ExternalIdentity) -> UserLink | None:
        """Write the link and return it; None where another member holds the identity."""
        attempt, now = turn.attempt, self._store.now()
        scope = {"workspace": attempt.workspace, "installation_id": attempt.installation_id}
        holder = repository.find_identity(connection, external_id=identity.id, **scope)
        if holder is not None and holder.member != attempt.member:
            if holder.status is not LinkStatus.REVOKED:
                return None
            repository.remove(connection, holder)
        known = repository.find_member(connection, member=attempt.member, **scope)
        if known is not None and known.credential_id:
            self._vault.forget(connection, workspace=attempt.workspace, credential_id=known.credential_id)
        link = UserLink(
            workspace=attempt.workspace,
            id=known.id if known else new_id(),
            installation_id=attempt.installation_id,
            member=attempt.member,
            provider=attempt.provider,
            host=attempt.host,
            external_id=identity.id,
            external_name=identity.name,
            credential_id=self._sealed(connection, turn),
            created_at=known.created_at if known else now,
            updated_at=now,
        )
        (repository.save if known else repository.add)(connection, link)
        self._record(connection, link, "link.made", f"member:{link.member}", before=known)
        return link

    def _sealed(self, connection: Connection, turn: Turn) -> str:
        if turn.tokens is None:
            return ""
        return self._vault.seal_new(
            connection,
            workspace=turn.attempt.workspace,
            provider=turn.attempt.provider,
            host=turn.attempt.host,
            kind=GRANT,
            values=turn.tokens.values,
            expires_at=turn.tokens.expires_at,
        )

    def _record(
        self,
        connection: Connection,
        link: UserLink,
        verb: str,
        actor: str,
        *,
        reason: str = "",
        before: UserLink | None = None,
    ) -> None:
        record(
            connection,
            workspace=link.workspace,
            at=link.updated_at,
            actor=actor,
            verb=verb,
            entity="link",
            entity_id=link.id,
            reason=reason,
            before={"status": before.status, "external_id": before.external_id} if before else {},
            after={"status": link.status, "external_id": link.external_id},
        )
