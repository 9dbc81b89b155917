"""Layer 1: connects accounts to workspaces, in conversations with the provider's plugin."""

from __future__ import annotations

from collections.abc import Sequence

from attrs import evolve
from sqlalchemy import Connection

from ..apps.service import Apps
from ..conversations.attempts import CONNECTING, CallbackUrl, Purpose, Turn
from ..conversations.driver import Conversations
from ..conversations.oauth_step import Granting
from ..conversations.refusals import Refusal
from ..conversations.steps import SendBrowser
from ..conversations.visitors import Callback, Visitor
from ..credentials.vault import Vault
from ..http.session import Transport
from ..identifiers import InstallationKey
from ..loading.registry import Registry
from ..providers.conversations import AwaitApproval, ChooseAccount, Connected
from ..store.engine import Store
from ..tokens.grants import GRANT, seal_grant
from ..tokens.oauth import TokenAnswer
from ..tokens.sessions import Sessions
from . import grants, repository
from .activation import AccountTakenError, await_approval, connect, note_claim
from .approvals import PendingApprovals
from .consent import as_it_stands
from .removal import Removal, Removed
from .statuses import GONE, InstallationStatus
from .steps import Done, Step, Waiting
from .types import Follow, Leave, follow_nothing, leave_nothing


class Answers:
    """Acts on what plugins answer to `install`.

    Args:
        store: the database.
        registry: the plugins.
        vault: seals grants.
        granting: knows the rules of a grant.
        conversations: sends browsers on.
        follow: brings the layers above in line, in the same transaction.
        exclusive_accounts: whether an account may be connected to one workspace only.
    """

    def __init__(
        self,
        store: Store,
        registry: Registry,
        vault: Vault,
        granting: Granting,
        conversations: Conversations,
        *,
        follow: Follow,
        exclusive_accounts: bool,
    ) -> None:
        self._store = store
        self._registry = registry
        self._vault = vault
        self._granting = granting
        self._conversations = conversations
        self._follow = follow
        self._exclusive = exclusive_accounts

    def act(self, turn: Turn) -> Step:
        """Do it, or return what the host does next.

        Raises:
            OnboardingRefusedError: the plugin refused, or took for proven what no grant proves.
        """
        sent = self._conversations.send(turn)
        if sent is not None:
            return sent
        match turn.answer:
            case ChooseAccount() if turn.tokens is not None:
                return self._choice(turn, turn.answer, turn.tokens)
            case AwaitApproval() if turn.tokens is not None or turn.answer.requester is None:
                return self._wait(turn, turn.answer)
            case Connected() if turn.tokens is not None and turn.answer.accounts:
                return self._connect(turn, self._meant(turn, turn.answer), turn.tokens)
        raise self._conversations.refused(turn.attempt, Refusal.UNPROVEN)

    def _choice(self, turn: Turn, answer: ChooseAccount, tokens: TokenAnswer) -> Step:
        """Let the person choose; who authorises an account again has chosen before."""
        wanted = _wanted(turn)
        if not wanted:
            return self._conversations.offer(turn, answer, tokens)
        if wanted not in {account.id for account in answer.accounts} or wanted in turn.choice:
            raise self._conversations.refused(turn.attempt, Refusal.ACCOUNT_MISMATCH)
        return self.act(self._conversations.pick(turn, answer, wanted))

    def _meant(self, turn: Turn, answer: Connected) -> Connected:
        """Return the answer without the accounts that were not to be authorised again."""
        wanted = _wanted(turn)
        if not wanted:
            return answer
        accounts = tuple(account for account in answer.accounts if account.id == wanted)
        if not accounts:
            raise self._conversations.refused(turn.attempt, Refusal.ACCOUNT_MISMATCH)
        return evolve(answer, accounts=accounts)

    def _wait(self, turn: Turn, answer: AwaitApproval) -> Waiting:
        with self._store.transaction() as connection:
            waiting = await_approval(
                connection,
                attempt=turn.attempt,
                answer=answer,
                credential_id=self._sealed(connection, turn),
                exclusive=self._exclusive,
                now=self._store.now(),
            )
            grants.forget_unused(connection, workspace=turn.attempt.workspace)
        return Waiting(installation=waiting, reason=waiting.explanation)

    def _connect(self, turn: Turn, answer: Connected, tokens: TokenAnswer) -> Done:
        granted = evolve(answer, scopes=answer.scopes or tokens.scopes)
        one_grant = self._granting.rules(turn.attempt, turn.app).one_grant_per_person
        granted_by = answer.connected_by.id if one_grant and answer.connected_by else ""
        try:
            with self._store.transaction() as connection:
                installations = connect(
                    connection,
                    attempt=turn.attempt,
                    connected=granted,
                    credential_id=self._sealed(connection, turn),
                    exclusive=self._exclusive,
                    now=self._store.now(),
                    follow=self._follow,
                    granted_by=granted_by,
                )
                actor = f"member:{turn.attempt.member}"
                grants.share(connection, installations[0], actor=actor, now=self._store.now())
                grants.forget_unused(connection, workspace=turn.attempt.workspace)
        except AccountTakenError as taken:
            with self._store.transaction() as connection:
                note_claim(connection, turn.attempt, taken.account, "contested", now=self._store.now())
            raise self._conversations.refused(turn.attempt, Refusal.ACCOUNT_UNAVAILABLE) from None
        return Done(installations=tuple(as_it_stands(each, self._registry) for each in installations))

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


def _wanted(turn: Turn) -> str:
    """Return the id of the account that is authorised again, or empty where any may be connected."""
    return turn.expected.id if turn.expected else ""


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
        pending: asks about requests that wait for an owner.
        follow: brings the layers above in line, in the same transaction.
        leave: takes back what was made at the provider for an installation that is removed.
        exclusive_accounts: whether an account may be connected to one workspace only.
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
        pending: PendingApprovals,
        *,
        follow: Follow = follow_nothing,
        leave: Leave = leave_nothing,
        exclusive_accounts: bool = False,
    ) -> None:
        self._store = store
        self._registry = registry
        self._apps = apps
        granting = Granting(store, registry, vault, sessions, transport)
        self._conversations = Conversations(
            store, registry, apps, vault, granting, callback_url, repository.account_of
        )
        self._answers = Answers(
            store,
            registry,
            vault,
            granting,
            self._conversations,
            follow=follow,
            exclusive_accounts=exclusive_accounts,
        )
        self._removal = Removal(store, apps, vault, granting, follow, leave)
        self._pending = pending

    def hosts(self, *, workspace: str, provider: str) -> tuple[str, ...]:
        """Return the hosts at which an account can be connected; where there are several, ask which one first."""
        apps = [*self._apps.list(workspace=workspace), *self._apps.list()]
        return tuple(sorted({each.app.host for each in apps if each.app.provider == provider}))

    def begin(self, *, visitor: Visitor, provider: str, host: str | None = None) -> SendBrowser:
        """Begin to connect an account; no project is asked for.

        Args:
            visitor: who connects, in which browser; the callback of another browser is refused.
            provider: provider key.
            host: one of `hosts`, where there are several.

        Raises:
            NotFoundError: no app is registered there.
            OnboardingRefusedError: the plugin refused.
        """
        app = self._conversations.find_app(visitor.workspace, provider, host)
        return self._conversations.begin(purpose=Purpose.INSTALL, visitor=visitor, app=app)

    def reauthorise(self, *, visitor: Visitor, installation_id: str) -> SendBrowser:
        """Begin to authorise a connected account again, with a fresh grant of the person who does it.

        It ends with the same account or not at all. Who does it becomes who connected it: that is also how a
        leaver's connection is handed over.

        Raises:
            NotFoundError: the workspace has no such installation, or no app is registered at its host any more.
            OnboardingRefusedError: the plugin refused.
        """
        with self._store.reading() as connection:
            known = repository.get(connection, InstallationKey(workspace=visitor.workspace, id=installation_id))
        app = self._conversations.find_app(visitor.workspace, known.provider, known.host)
        return self._conversations.begin(
            purpose=Purpose.REAUTHORISE, visitor=visitor, app=app, installation_id=installation_id
        )

    def claim(self, *, visitor: Visitor, callback: Callback) -> SendBrowser:
        """Begin for a browser that comes from the provider's own pages, with no state of ours.

        An owner approved there, or the app was installed there and isn't shown here. What the URL says is only
        remembered: the signed-in member proves by a grant of their own that they control the account. Call it for a
        button that they pressed on a page of yours, never for the landing alone, to which anybody can send them.

        Raises:
            NotFoundError: no app is registered there.
            OnboardingRefusedError: the plugin refused.
        """
        app = self._conversations.find_app(visitor.workspace, callback.provider, callback.host or None)
        return self._conversations.begin(
            purpose=Purpose.INSTALL, visitor=visitor, app=app, parameters=callback.parameters
        )

    def complete(self, *, visitor: Visitor, callback: Callback) -> Step:
        """Go on with what a browser brought back from the provider.

        Raises:
            OnboardingRefusedError: anything isn't as it was begun; `refusal` says what, and the audit too.
            ApiError: the provider didn't answer; the person has to start again.
        """
        return self._answers.act(self._conversations.resume(CONNECTING, visitor, callback))

    def choose(self, *, visitor: Visitor, state: str, account_ids: Sequence[str]) -> Step:
        """Go on with what a person picked.

        Args:
            visitor: who picked.
            state: of the `PickAccount`.
            account_ids: the ids of the picked accounts.

        Raises:
            OnboardingRefusedError: the state isn't this browser's, or what was picked wasn't there to choose.
            ApiError: the provider didn't answer; the person has to start again.
        """
        return self._answers.act(self._conversations.choose(visitor, state, account_ids))

    def check_now(self, *, visitor: Visitor, installation_id: str) -> Step:
        """Ask the provider whether a request was approved, while the person who wants to know waits.

        Where the provider can't tell us, the browser is sent there, and the person proves it.

        Raises:
            NotFoundError: the workspace has no such installation.
            OnboardingRefusedError: the plugin refused.
            ApiError: the provider didn't answer.
        """
        with self._store.reading() as connection:
            known = repository.get(connection, InstallationKey(workspace=visitor.workspace, id=installation_id))
        if known.status is InstallationStatus.PENDING_APPROVAL:
            answer = self._pending.ask(known, actor=f"member:{visitor.member}")
            if answer is None:
                return self.begin(visitor=visitor, provider=known.provider, host=known.host)
            known = answer
        if known.status is InstallationStatus.PENDING_APPROVAL or known.status in GONE:
            return Waiting(installation=known, reason=known.explanation)
        return Done(installations=(as_it_stands(known, self._registry),))

    def remove(self, *, workspace: str, installation_id: str, actor: str, uninstall: bool = False) -> Removed:
        """Stop routing from an account, forget its grant, and ask the provider to revoke the grant.

        Mappings, links and policies are kept for the day the account is connected again. Nothing that another
        workspace still needs is revoked or uninstalled at the provider; `Removed.revocation` says what was done.

        Args:
            workspace: the workspace.
            installation_id: the installation.
            actor: who does it, for the audit: ``member:<id>`` or ``operator``.
            uninstall: whether the app is to be uninstalled at the provider as well, where it can do that itself.
                Get that person's consent: only the account's owner can install it again.

        Raises:
            NotFoundError: the workspace has no such installation.
        """
        key = InstallationKey(workspace=workspace, id=installation_id)
        return self._removal.remove(key, actor=actor, uninstall=uninstall)
