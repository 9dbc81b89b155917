"""Layer 2: links members to their own identities, in conversations with the provider's plugin."""

from __future__ import annotations

from attrs import evolve
from sqlalchemy import Connection

from ..apps.service import Apps
from ..conversations.attempts import LINKING, CallbackUrl, Purpose, Turn
from ..conversations.driver import Conversations
from ..conversations.oauth_step import Granting
from ..conversations.refusals import Refusal
from ..conversations.states import purpose_of
from ..conversations.steps import SendBrowser
from ..conversations.visitors import Callback, Visitor
from ..credentials.vault import Vault
from ..errors import ConflictError, NotFoundError
from ..http.session import Transport
from ..identifiers import InstallationKey
from ..installations import repository as installations
from ..loading.registry import Registry
from ..providers.accounts import ExternalIdentity
from ..providers.conversations import Linked
from ..store.engine import Store
from ..tokens.oauth import TokenAnswer
from ..tokens.sessions import Sessions
from . import repository
from .act_as import ActingAs
from .changes import FREE, IdentityTakenError, LinkRequest, link_member, link_on_word
from .grants import keep_grant
from .lifecycle import Ending
from .types import Acting, LinkDone, LinkStatus, RevokedLink, UserLink


class Links:
    """Links members; many under one installation, each with a grant of their own that nobody else depends on.

    Attributes:
        ending: ends several links at once.
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
        self._conversations = Conversations(
            store, registry, apps, vault, self._granting, callback_url, installations.account_of
        )
        self._acting = ActingAs(store, sessions)
        self.ending = Ending(store, apps, vault, self._granting)

    def begin(self, *, visitor: Visitor, installation_id: str, take_over: bool = False) -> SendBrowser:
        """Begin to link a member under an installation.

        Args:
            visitor: who links, in which browser; the callback of another browser is refused.
            installation_id: the installation.
            take_over: whether to take the identity from another member who has it, because it is one's own: the
                way out of `already_linked`.

        Raises:
            NotFoundError: the workspace has no such installation.
            ConflictError: the installation isn't connected any more, or not yet.
            OnboardingRefusedError: the plugin refused.
        """
        with self._store.reading() as connection:
            key = InstallationKey(workspace=visitor.workspace, id=installation_id)
            installation = installations.get(connection, key)
            app = self._apps.of(connection, installation)
        if not installation.is_live:
            raise ConflictError(
                f"the installation is {installation.status}, so nobody can link under it",
                subject=installation.subject,
                remedy=installation.next_step.text,
            )
        return self._conversations.begin(
            purpose=Purpose.TAKE_OVER if take_over else Purpose.LINK,
            visitor=visitor,
            app=app,
            installation_id=installation_id,
        )

    def owns(self, state: str) -> bool:
        """Return whether a state that a browser brought back is a link's; a shared callback then asks here."""
        with self._store.reading() as connection:
            return purpose_of(connection, state=state) in LINKING

    def complete(self, *, visitor: Visitor, callback: Callback) -> SendBrowser | LinkDone:
        """Go on with what a browser brought back from the provider.

        The member becomes the identity that the grant proves, whatever was linked to them before.

        Raises:
            OnboardingRefusedError: anything isn't as it was begun, or another member has that identity.
            ApiError: the provider didn't answer; the person has to start again.
        """
        turn = self._conversations.resume(LINKING, visitor, callback)
        sent = self._conversations.send(turn)
        if sent is not None:
            return sent
        if not isinstance(turn.answer, Linked) or turn.tokens is None or not turn.answer.identity.id:
            raise self._conversations.refused(turn.attempt, Refusal.UNPROVEN)
        try:
            return LinkDone(link=self._link(turn, turn.answer.identity, turn.tokens))
        except IdentityTakenError as taken:
            raise self._conversations.refused(
                turn.attempt, Refusal.ALREADY_LINKED, detail=taken.holder.member
            ) from None

    def suggest(
        self, *, workspace: str, installation_id: str, member: str, identity: ExternalIdentity, actor: str
    ) -> UserLink:
        """Note who a member probably is, for a person to confirm; nothing is done in anybody's name meanwhile.

        That both sides verified the same e-mail address is a reason to suggest, never to link. None is stored.

        Raises:
            NotFoundError: the workspace has no such installation.
            ConflictError: the member is linked already, or another member has that identity.
        """
        with self._store.transaction() as connection:
            key = InstallationKey(workspace=workspace, id=installation_id)
            request = _request(connection, key, member, identity, LinkStatus.SUGGESTED, "suggested", actor)
            known = repository.find_member(connection, key, member)
            if known is not None and known.status not in FREE:
                raise ConflictError(
                    f"{member} is linked to {known.external_name or known.external_id} already",
                    subject=known.subject,
                    remedy="end that link first, if it is the wrong one",
                )
            return link_on_word(connection, self._vault, request, now=self._store.now())

    def confirm(
        self,
        *,
        workspace: str,
        installation_id: str,
        member: str,
        actor: str,
        identity: ExternalIdentity | None = None,
    ) -> UserLink:
        """Link a member to an identity, or to the suggested one, on the word of an admin, without any token.

        To act in the member's name, they link themselves. What a grant of their own proved is never overruled.

        Raises:
            NotFoundError: the workspace has no such installation, or nothing was suggested.
            ConflictError: the member proved to be somebody else, or another member has that identity.
        """
        key = InstallationKey(workspace=workspace, id=installation_id)
        with self._store.transaction() as connection:
            known = repository.find_member(connection, key, member)
            wanted = identity or _suggested(known, member, key)
            request = _request(connection, key, member, wanted, LinkStatus.ACTIVE, "confirmed", actor)
            if known is not None and known.credential_id:
                return _as_proved(known, wanted)
            return link_on_word(connection, self._vault, request, now=self._store.now())

    def act_as(self, *, workspace: str, installation_id: str, member: str) -> Acting:
        """Return a session with the member's own grant, else with the installation's; see `ActingAs.act_as`."""
        return self._acting.act_as(InstallationKey(workspace=workspace, id=installation_id), member)

    def list(
        self, *, workspace: str, installation_id: str | None = None, member: str | None = None
    ) -> tuple[UserLink, ...]:
        """Return the workspace's links, oldest first, under one installation or of one member where asked."""
        with self._store.reading() as connection:
            found = repository.list_all(
                connection, workspace=workspace, installation_id=installation_id, member=member
            )
        return tuple(found)

    def revoke(self, *, workspace: str, link_id: str, actor: str, reason: str = "") -> RevokedLink:
        """End a link and forget its grant; the installation and everybody else's links stay as they are.

        Raises:
            NotFoundError: the workspace has no such link.
        """
        with self._store.reading() as connection:
            link = repository.get(connection, workspace=workspace, link_id=link_id)
        (ended,) = self.ending.end([link], actor=actor, reason=reason)
        return ended

    def _link(self, turn: Turn, identity: ExternalIdentity, tokens: TokenAnswer) -> UserLink:
        attempt, now = turn.attempt, self._store.now()
        actor, key = f"member:{attempt.member}", InstallationKey.of(attempt)
        with self._store.transaction() as connection:
            request = _request(connection, key, attempt.member, identity, LinkStatus.ACTIVE, "linked", actor)
            one_grant = self._granting.rules(attempt, turn.app).one_grant_per_person
            credential_id = keep_grant(
                connection, self._vault, turn, request, tokens, one_grant_per_person=one_grant, now=now
            )
            takes_over = attempt.purpose is Purpose.TAKE_OVER
            request = evolve(request, credential_id=credential_id, takes_over=takes_over)
            return link_member(connection, self._vault, request, now=now)


def _request(
    connection: Connection,
    key: InstallationKey,
    member: str,
    identity: ExternalIdentity,
    status: LinkStatus,
    verb: str,
    actor: str,
) -> LinkRequest:
    installation = installations.get(connection, key, lock=True)
    return LinkRequest(
        installation=installation, member=member, identity=identity, status=status, verb=verb, actor=actor
    )


def _suggested(known: UserLink | None, member: str, key: InstallationKey) -> ExternalIdentity:
    if known is not None and known.status is LinkStatus.SUGGESTED:
        return known.identity
    raise NotFoundError(
        f"nothing is suggested for {member}",
        subject=f"installation {key.id}",
        remedy="name the identity by the provider's immutable id",
    )


def _as_proved(known: UserLink, wanted: ExternalIdentity) -> UserLink:
    """Return the link that a grant proves, where it is to the wanted identity."""
    if known.external_id == wanted.id:
        return known
    raise ConflictError(
        f"{known.member} proved to be {known.external_name or known.external_id}",
        subject=known.subject,
        remedy="end that link first, if it is the wrong one",
    )
