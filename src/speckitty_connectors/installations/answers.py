"""Does what a plugin's answer says: sends the browser on, lets a person choose, waits, or connects."""

from __future__ import annotations

from attrs import evolve
from sqlalchemy import Connection

from ..credentials.grants import GRANT, seal_grant
from ..credentials.oauth import TokenAnswer
from ..credentials.vault import Vault
from ..providers.conversations import AwaitApproval, ChooseAccount, Connected
from ..providers.registry import Registry
from ..store.engine import Store
from . import grants
from .conversations import Conversations
from .establishing import AccountTakenError, await_approval, connect
from .granting import Granting
from .noting import note_contest
from .refusals import Refusal
from .standing import as_it_stands
from .steps import Done, Step, Waiting
from .turns import Turn
from .types import Follow


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
                note_contest(connection, turn.attempt, taken.account, now=self._store.now())
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
