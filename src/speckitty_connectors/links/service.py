"""Layer 2: links members to their own identities, in conversations with the provider's plugin."""

from __future__ import annotations

from collections.abc import Mapping

from attrs import evolve
from sqlalchemy import Connection

from ..credentials.apps import Apps
from ..credentials.grants import GRANT, LINK_GRANT, seal_grant
from ..credentials.oauth import TokenAnswer
from ..credentials.sessions import Sessions
from ..credentials.vault import Vault
from ..errors import ConflictError
from ..http.session import Transport
from ..identifiers import new_id
from ..installations import repository as installations
from ..installations.attempts import Attempt, Purpose
from ..installations.conversations import Conversations
from ..installations.establishing import forget_unused, share_grant
from ..installations.granting import Granting
from ..installations.refusals import Refusal
from ..installations.steps import SendBrowser
from ..installations.turns import CallbackUrl, Turn
from ..installations.types import Installation
from ..providers.accounts import ExternalIdentity
from ..providers.conversations import Linked
from ..providers.registry import Registry
from ..store.audit import record
from ..store.engine import Store
from . import repository
from .types import LinkDone, LinkStatus, UserLink


class Links:
    """Links members; many under one installation, each with a grant of their own that nobody else depends on.

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
        self._apps = apps
        self._vault = vault
        self._granting = Granting(store, registry, vault, sessions, transport)
        self._conversations = Conversations(store, registry, apps, vault, self._granting, callback_url)

    def begin(self, *, workspace: str, member: str, session: str, installation_id: str) -> SendBrowser:
        """Begin to link a member under an installation.

        Args:
            workspace: the workspace.
            member: who links, as the host knows them.
            session: a value that only this browser session has; whoever comes back without it is refused.
            installation_id: the installation.

        Raises:
            NotFoundError: the workspace has no such installation.
            ConflictError: the installation isn't connected any more, or not yet.
            ConfigurationError: the workspace, the member or the browser session is empty.
            OnboardingRefusedError: the plugin refused.
        """
        with self._store.reading() as connection:
            installation = installations.get(connection, workspace=workspace, installation_id=installation_id)
            app = self._apps.of(connection, installation)
        if not installation.is_live:
            raise ConflictError(
                f"the installation is {installation.status}, so nobody can link under it",
                subject=installation.subject,
                remedy="connect the account first",
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

        The member becomes the identity that the grant proves, whatever was linked to them before.

        Args:
            provider: provider key in the callback URL.
            session: the browser session of whoever came back.
            parameters: the query of the URL; one in which a parameter stands twice must be refused before.
            host: host in the callback URL; the provider's own where not given.

        Raises:
            OnboardingRefusedError: anything isn't as it was begun, or another member has that identity.
            ApiError: the provider didn't answer; the person has to start again.
        """
        turn = self._conversations.resume(
            purpose=Purpose.LINK, provider=provider, host=host, session=session, parameters=parameters
        )
        sent = self._conversations.send(turn)
        if sent is not None:
            return sent
        if not isinstance(turn.answer, Linked) or turn.tokens is None or not turn.answer.identity.id:
            raise self._conversations.refused(turn.attempt, Refusal.UNPROVEN)
        with self._store.transaction() as connection:
            link = self._link(connection, turn, turn.answer.identity, turn.tokens)
        if link is None:
            raise self._conversations.refused(turn.attempt, Refusal.ALREADY_LINKED)
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
        """End a link and forget its grant; the installation and everybody else's links stay as they are.

        Raises:
            NotFoundError: the workspace has no such link.
        """
        now = self._store.now()
        with self._store.transaction() as connection:
            link = repository.get(connection, workspace=workspace, link_id=link_id)
            if link.status is LinkStatus.REVOKED and not link.credential_id:
                return link
            revoked = evolve(
                link, status=LinkStatus.REVOKED, status_reason=reason, credential_id="", updated_at=now
            )
            repository.save(connection, revoked)
            self._forget(connection, link)
            self._record(connection, revoked, "revoked", actor, link)
        return revoked

    def _link(
        self, connection: Connection, turn: Turn, identity: ExternalIdentity, tokens: TokenAnswer
    ) -> UserLink | None:
        """Write the link, or return None where the identity is another member's."""
        attempt, now = turn.attempt, self._store.now()
        scope = {"workspace": attempt.workspace, "installation_id": attempt.installation_id}
        # Links under one installation are written one by one.
        installation = installations.get(connection, **scope, lock=True)
        holder = repository.find_identity(connection, **scope, external_id=identity.id)
        if holder is not None and holder.member != attempt.member:
            if holder.status is not LinkStatus.REVOKED:
                return None
            repository.remove(connection, holder)
            self._forget(connection, holder)
        known = repository.find_member(connection, **scope, member=attempt.member)
        link = evolve(
            known or self._blank(attempt, identity),
            external_id=identity.id,
            external_name=identity.name,
            status=LinkStatus.ACTIVE,
            status_reason="",
            credential_id=self._keep(connection, turn, installation, identity, tokens),
            updated_at=now,
        )
        if known is None:
            repository.add(connection, link)
        else:
            repository.save(connection, link)
            self._forget(connection, known)
        self._record(connection, link, "linked", f"member:{attempt.member}", known)
        return link

    def _blank(self, attempt: Attempt, identity: ExternalIdentity) -> UserLink:
        now = self._store.now()
        return UserLink(
            workspace=attempt.workspace,
            id=new_id(),
            installation_id=attempt.installation_id,
            member=attempt.member,
            provider=attempt.provider,
            host=attempt.host,
            external_id=identity.id,
            created_at=now,
            updated_at=now,
        )

    def _keep(
        self,
        connection: Connection,
        turn: Turn,
        installation: Installation,
        identity: ExternalIdentity,
        tokens: TokenAnswer,
    ) -> str:
        """Seal the tokens, or hand them to the installation where it speaks with the same person's one grant."""
        one_grant = self._granting.rules(turn.attempt, turn.app).one_grant_per_person
        renews = one_grant and installation.granted_by == identity.id
        credential_id = seal_grant(
            connection,
            self._vault,
            workspace=turn.attempt.workspace,
            app=turn.app,
            kind=GRANT if renews else LINK_GRANT,
            redirect_uri=turn.attempt.redirect_uri,
            tokens=tokens,
        )
        if not renews:
            return credential_id
        renewed = evolve(installation, credential_id=credential_id)
        share_grant(connection, renewed, actor=f"member:{turn.attempt.member}", now=self._store.now())
        forget_unused(connection, self._vault, installation.workspace)
        return ""

    def _forget(self, connection: Connection, link: UserLink) -> None:
        if link.credential_id:
            self._vault.forget(connection, workspace=link.workspace, credential_id=link.credential_id)

    def _record(
        self, connection: Connection, link: UserLink, verb: str, actor: str, before: UserLink | None
    ) -> None:
        record(
            connection,
            workspace=link.workspace,
            at=self._store.now(),
            actor=actor,
            verb=f"link.{verb}",
            entity="link",
            entity_id=link.id,
            reason=link.status_reason,
            before={"status": before.status, "identity": before.external_id} if before else None,
            after={"status": link.status, "identity": link.external_id, "member": link.member},
        )
