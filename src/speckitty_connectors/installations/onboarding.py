"""Layer 1: connects accounts to workspaces, in conversations with the provider's plugin."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from attrs import evolve
from sqlalchemy import Connection

from ..credentials.apps import Apps
from ..credentials.grants import GRANT, seal_grant
from ..credentials.oauth import TokenAnswer
from ..credentials.sessions import Sessions
from ..credentials.vault import Vault
from ..http.session import Transport
from ..providers.conversations import AwaitApproval, ChooseAccount, Connected
from ..providers.registry import Registry
from ..store.engine import Store
from . import repository
from .attempts import Purpose
from .conversations import Conversations
from .establishing import await_approval, connect, disconnect, forget_unused, share_grant
from .granting import Granting
from .refusals import Refusal
from .steps import Done, SendBrowser, Step, Waiting
from .turns import CallbackUrl, Turn
from .types import Follow, Installation, Leave, follow_nothing, leave_nothing


class Onboarding:
    """Connects accounts: the host shows each step to the person and comes back with what their browser brings.

    Every state is good for one use, for ten minutes, and in one browser session. An account is connected only
    once a grant of the person proves that they control it; ids in a URL prove nothing.

    Args:
        store: the database.
        registry: the plugins.
        apps: the registered apps.
        vault: seals grants.
        sessions: opens the API.
        transport: carries token requests.
        callback_url: where providers send browsers back to.
        follow: brings the layers above in line, in the same transaction.
        leave: takes back what was made at the provider for an installation that is disconnected.
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
        *,
        follow: Follow = follow_nothing,
        leave: Leave = leave_nothing,
    ) -> None:
        self._store = store
        self._registry = registry
        self._vault = vault
        self._follow = follow
        self._leave = leave
        self._granting = Granting(store, registry, vault, sessions, transport)
        self._conversations = Conversations(store, registry, apps, vault, self._granting, callback_url)

    def begin(
        self, *, workspace: str, member: str, session: str, provider: str, host: str | None = None
    ) -> SendBrowser:
        """Begin to connect an account; no project is asked for.

        Args:
            workspace: the workspace that connects.
            member: who connects, as the host knows them.
            session: a value that only this browser session has; whoever comes back without it is refused.
            provider: provider key.
            host: the provider's host, where more than its own is registered.

        Raises:
            NotFoundError: no app is registered there.
            ConfigurationError: the workspace, the member or the browser session is empty.
            OnboardingRefusedError: the plugin refused.
        """
        app = self._conversations.find_app(workspace, provider, host)
        return self._conversations.begin(
            purpose=Purpose.INSTALL, workspace=workspace, member=member, session=session, app=app
        )

    def reauthorise(self, *, workspace: str, member: str, session: str, installation_id: str) -> SendBrowser:
        """Begin to authorise a connected account again; it ends with the same account or not at all.

        Raises:
            NotFoundError: the workspace has no such installation, or no app is registered at its host any more.
            ConfigurationError: the workspace, the member or the browser session is empty.
            OnboardingRefusedError: the plugin refused.
        """
        with self._store.reading() as connection:
            known = repository.get(connection, workspace=workspace, installation_id=installation_id)
        app = self._conversations.find_app(workspace, known.provider, known.host)
        return self._conversations.begin(
            purpose=Purpose.INSTALL,
            workspace=workspace,
            member=member,
            session=session,
            app=app,
            installation_id=installation_id,
        )

    def claim(
        self,
        *,
        workspace: str,
        member: str,
        session: str,
        provider: str,
        parameters: Mapping[str, str],
        host: str | None = None,
    ) -> SendBrowser:
        """Begin for a browser that comes from the provider's own pages, with no state of ours.

        An owner approved there, or the app was installed there and isn't shown here. What the URL says is only
        remembered: the signed-in member proves by a grant of their own that they control the account.

        Raises:
            NotFoundError: no app is registered there.
            ConfigurationError: the workspace, the member or the browser session is empty.
            OnboardingRefusedError: the plugin refused.
        """
        app = self._conversations.find_app(workspace, provider, host)
        return self._conversations.begin(
            purpose=Purpose.INSTALL,
            workspace=workspace,
            member=member,
            session=session,
            app=app,
            parameters=parameters,
        )

    def complete(
        self, *, provider: str, session: str, parameters: Mapping[str, str], host: str | None = None
    ) -> Step:
        """Go on with what a browser brought back from the provider.

        Args:
            provider: provider key in the callback URL.
            session: the browser session of whoever came back.
            parameters: the query of the URL; one in which a parameter stands twice must be refused before.
            host: host in the callback URL; the provider's own where not given.

        Raises:
            OnboardingRefusedError: anything isn't as it was begun; `refusal` says what, and the audit too.
            ApiError: the provider didn't answer; the person has to start again.
        """
        return self._act(
            self._conversations.resume(
                purpose=Purpose.INSTALL, provider=provider, host=host, session=session, parameters=parameters
            )
        )

    def choose(self, *, session: str, state: str, account_ids: Sequence[str]) -> Step:
        """Go on with what a person picked.

        Args:
            session: the browser session of whoever picked.
            state: of the `PickAccount`.
            account_ids: the ids of the picked accounts.

        Raises:
            OnboardingRefusedError: the state isn't this browser's, or what was picked wasn't there to choose.
            ApiError: the provider didn't answer; the person has to start again.
        """
        return self._act(self._conversations.choose(session=session, state=state, account_ids=account_ids))

    def disconnect(self, *, workspace: str, member: str, installation_id: str) -> Installation:
        """Stop routing from an account and forget its grant; mappings and links are kept for a new connection.

        The webhooks that were made for it are removed. Nothing else is said to the provider: another workspace
        may share the account, and an app is uninstalled in the provider's own pages.

        Raises:
            NotFoundError: the workspace has no such installation.
        """
        self._leave(workspace=workspace, installation_id=installation_id)
        with self._store.transaction() as connection:
            removed = disconnect(
                connection,
                workspace=workspace,
                installation_id=installation_id,
                member=member,
                now=self._store.now(),
                follow=self._follow,
            )
            forget_unused(connection, self._vault, workspace)
        return removed

    def _act(self, turn: Turn) -> Step:
        """Do what the plugin's answer says."""
        sent = self._conversations.send(turn)
        if sent is not None:
            return sent
        match turn.answer:
            case ChooseAccount() if turn.tokens is not None:
                return self._conversations.offer(turn, turn.answer, turn.tokens)
            case AwaitApproval() if turn.tokens is not None or turn.answer.requester is None:
                return self._wait(turn, turn.answer)
            case Connected() if turn.tokens is not None and turn.answer.accounts:
                return self._connect(turn, turn.answer, turn.tokens)
        raise self._conversations.refused(turn.attempt, Refusal.UNPROVEN)

    def _wait(self, turn: Turn, answer: AwaitApproval) -> Waiting:
        now = self._store.now()
        with self._store.transaction() as connection:
            waiting = await_approval(
                connection,
                attempt=turn.attempt,
                answer=answer,
                credential_id=self._sealed(connection, turn),
                now=now,
            )
            forget_unused(connection, self._vault, turn.attempt.workspace)
        return Waiting(installation=waiting, reason=waiting.status_reason)

    def _connect(self, turn: Turn, answer: Connected, tokens: TokenAnswer) -> Done:
        if turn.expected is not None and turn.expected.id not in {account.id for account in answer.accounts}:
            raise self._conversations.refused(turn.attempt, Refusal.ACCOUNT_MISMATCH)
        granted = evolve(answer, scopes=answer.scopes or tokens.scopes)
        one_grant = self._granting.rules(turn.attempt, turn.app).one_grant_per_person
        granted_by = answer.connected_by.id if one_grant and answer.connected_by else ""
        with self._store.transaction() as connection:
            installations = connect(
                connection,
                attempt=turn.attempt,
                connected=granted,
                credential_id=self._sealed(connection, turn),
                now=self._store.now(),
                granted_by=granted_by,
                follow=self._follow,
            )
            if granted_by:
                share_grant(
                    connection, installations[0], actor=f"member:{turn.attempt.member}", now=self._store.now()
                )
            forget_unused(connection, self._vault, turn.attempt.workspace)
        return Done(installations=installations)

    def _sealed(self, connection: Connection, turn: Turn) -> str:
        """Seal the grant, once for all of its accounts; an app that mints its own tokens keeps none of a person."""
        manifest = self._registry.provider(turn.attempt.provider).manifest
        if turn.tokens is None or manifest.app_tokens is not None:
            return ""
        return seal_grant(
            connection,
            self._vault,
            workspace=turn.attempt.workspace,
            app=turn.app,
            kind=GRANT,
            redirect_uri=turn.attempt.redirect_uri,
            tokens=turn.tokens,
        )
