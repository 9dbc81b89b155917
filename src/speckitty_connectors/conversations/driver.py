"""Drives conversations with plugins: makes and consumes states, and asks the plugin again with what came back.

`Onboarding` and `Links` both talk through this. No transaction is ever open while the provider is asked.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Final

from attrs import evolve
from sqlalchemy import Connection

from ..apps.service import Apps, RegisteredApp
from ..credentials.secret import Secret
from ..credentials.vault import Vault
from ..errors import NotFoundError
from ..identifiers import InstallationKey
from ..loading.registry import Registry
from ..providers.accounts import Account
from ..providers.conversations import Authorize, ChooseAccount, Conversation, Redirect, Refused
from ..store.engine import Store
from ..tokens.oauth import OAuthRefusedError, TokenAnswer, new_verifier
from .attempts import (
    CONNECTING,
    CORE_PARAMETERS,
    LIFETIME,
    NOTHING,
    RETURNS,
    VERIFIER,
    Attempt,
    AttemptStage,
    CallbackUrl,
    Purpose,
    Turn,
    Visit,
    digest,
    new_state,
)
from .oauth_step import Granting
from .offers import Offer
from .refusals import OnboardingRefusedError, Refusal
from .states import forget_expired, keep, note_refusal, take
from .steps import PickAccount, SendBrowser
from .visitors import Callback, Visitor

ERROR_CODE: Final = re.compile(r"[a-z_]{1,64}", re.ASCII)
"""An error code that may be repeated to the person (RFC 6749, section 4.1.2.1)."""


AccountOf = Callable[[Connection, InstallationKey], Account]
"""Returns the account of an installation."""


class Conversations:
    """Takes one step of a conversation at a time.

    Args:
        store: the database.
        registry: the plugins.
        apps: the registered apps.
        vault: seals verifiers, and grants that wait for a choice.
        granting: speaks OAuth.
        callback_url: where providers send browsers back to.
        account_of: returns the account of the installation that a conversation is about.
    """

    def __init__(
        self,
        store: Store,
        registry: Registry,
        apps: Apps,
        vault: Vault,
        granting: Granting,
        callback_url: CallbackUrl,
        account_of: AccountOf,
    ) -> None:
        self._store = store
        self._registry = registry
        self._apps = apps
        self._vault = vault
        self._granting = granting
        self._callback_url = callback_url
        self._account_of = account_of

    def begin(
        self,
        *,
        purpose: Purpose,
        visitor: Visitor,
        app: RegisteredApp,
        installation_id: str = "",
        parameters: Mapping[str, str] = NOTHING,
    ) -> SendBrowser:
        """Ask the plugin its first question, and send the browser where it says.

        Raises:
            OnboardingRefusedError: the plugin refused, or took for proven what no grant proves.
        """
        attempt = Attempt(
            workspace=visitor.workspace,
            member=visitor.member,
            session_digest=digest(visitor.session.reveal()),
            purpose=purpose,
            provider=app.app.provider,
            host=app.app.host,
            app_id=app.id,
            redirect_uri=self._callback_url(app.app.provider, app.app.host),
            installation_id=installation_id,
            expires_at=self._store.now() + LIFETIME,
        )
        sent = self.send(self._ask(attempt, app, parameters=parameters))
        if sent is None:
            raise self.refused(attempt, Refusal.UNPROVEN)
        return sent

    def find_app(self, workspace: str, provider: str, host: str | None) -> RegisteredApp:
        """Return the app at a host: the workspace's own, or else the operator's.

        Raises:
            NotFoundError: there is neither.
        """
        with self._store.reading() as connection:
            try:
                return self._apps.find(connection, provider=provider, host=host, workspace=workspace)
            except NotFoundError:
                return self._apps.find(connection, provider=provider, host=host)

    def resume(self, purposes: Collection[Purpose], visitor: Visitor, callback: Callback) -> Turn:
        """Consume the state that a browser brought back, exchange its code if it has one, and ask the plugin.

        Raises:
            OnboardingRefusedError: anything isn't as it was begun, or the provider or the plugin refused.
        """
        host = callback.host or self._registry.provider(callback.provider).manifest.hosts.default
        parameters = callback.parameters
        visit = Visit(
            visitor=visitor,
            purposes=purposes,
            stages=RETURNS,
            state=parameters.get("state", ""),
            callback=evolve(callback, host=host),
        )
        attempt, unsealed = self._take(visit)
        with self._store.reading() as connection:
            app = self._apps.of(connection, attempt)
        self._check_answer(attempt, app, parameters)
        tokens = None
        if attempt.stage is AttemptStage.CODE:
            tokens = self._exchange(attempt, app, parameters.get("code", ""), unsealed[VERIFIER])
        return self._ask(attempt, app, parameters=parameters, tokens=tokens)

    def choose(self, visitor: Visitor, state: str, account_ids: Sequence[str]) -> Turn:
        """Consume the state of a choice, and ask the plugin again with what was picked.

        Raises:
            OnboardingRefusedError: the state isn't this browser's, or what was picked wasn't there to choose.
        """
        visit = Visit(visitor=visitor, purposes=CONNECTING, stages=(AttemptStage.CHOICE,), state=state)
        attempt, unsealed = self._take(visit)
        offer = Offer.from_sealed(unsealed)
        if not offer.allows(account_ids):
            raise self.refused(attempt, Refusal.CHOICE_INVALID)
        with self._store.reading() as connection:
            app = self._apps.of(connection, attempt)
        return self._ask(attempt, app, tokens=offer.tokens, choice=account_ids)

    def pick(self, turn: Turn, answer: ChooseAccount, account_id: str) -> Turn:
        """Ask the plugin again as if the person had picked that account, because only one can be meant."""
        attempt = evolve(turn.attempt, remembered=dict(answer.remember))
        return self._ask(attempt, turn.app, tokens=turn.tokens, choice=(account_id,))

    def send(self, turn: Turn) -> SendBrowser | None:
        """Send the browser where the plugin's answer says; None where it says something else.

        Raises:
            OnboardingRefusedError: the plugin refused.
        """
        match turn.answer:
            case Redirect():
                self._keep(turn, turn.answer.remember, stage=AttemptStage.LANDING, state=turn.state, sealed={})
                return SendBrowser(url=turn.answer.url)
            case Authorize():
                state, verifier = new_state(), new_verifier()
                url = self._granting.authorize_url(
                    turn.attempt, turn.app, turn.answer, state=state, verifier=verifier
                )
                self._keep(
                    turn, turn.answer.remember, stage=AttemptStage.CODE, state=state, sealed={VERIFIER: verifier}
                )
                return SendBrowser(url=url)
            case Refused():
                raise self.refused(turn.attempt, turn.answer)
        return None

    def offer(self, turn: Turn, answer: ChooseAccount, tokens: TokenAnswer) -> PickAccount:
        """Let the person choose; the grant waits, sealed."""
        state = new_state()
        offer = Offer(
            tokens=tokens, offered=tuple(account.id for account in answer.accounts), several=answer.several
        )
        self._keep(turn, answer.remember, stage=AttemptStage.CHOICE, state=state, sealed=offer.to_sealed())
        return PickAccount(state=state, accounts=answer.accounts, several=answer.several)

    def refused(self, attempt: Attempt, why: Refusal | Refused, *, detail: str = "") -> OnboardingRefusedError:
        """Record a refusal, core's own or a plugin's; return the error to raise."""
        error = OnboardingRefusedError.because(why, subject=attempt.subject, detail=detail)
        with self._store.transaction() as connection:
            note_refusal(connection, attempt.id, error.refusal, attempt, now=self._store.now())
        return error

    def _ask(
        self,
        attempt: Attempt,
        app: RegisteredApp,
        *,
        parameters: Mapping[str, str] = NOTHING,
        tokens: TokenAnswer | None = None,
        choice: Sequence[str] = (),
    ) -> Turn:
        provider = self._registry.provider(attempt.provider)
        hook = provider.install if attempt.purpose in CONNECTING else provider.link_user
        state, expected = new_state(), self._expected(attempt)
        conversation = Conversation(
            app=app.app,
            state=state,
            parameters={name: value for name, value in parameters.items() if name not in CORE_PARAMETERS},
            remembered=attempt.remembered,
            grant=self._granting.grant(app, tokens) if tokens else None,
            choice=tuple(choice),
            account=expected,
        )
        return Turn(
            attempt=attempt,
            app=app,
            state=state,
            answer=hook(conversation),
            tokens=tokens,
            choice=tuple(choice),
            expected=expected,
        )

    def _expected(self, attempt: Attempt) -> Account | None:
        """Return the account that the attempt belongs to, or None where any may come."""
        if not attempt.installation_id:
            return None
        with self._store.reading() as connection:
            return self._account_of(connection, InstallationKey.of(attempt))

    def _check_answer(self, attempt: Attempt, app: RegisteredApp, parameters: Mapping[str, str]) -> None:
        """Refuse an answer that another server gave, that contradicts itself, or that says no."""
        if attempt.stage is AttemptStage.CODE:
            issuer = self._granting.issuer(attempt, app)
            if issuer and parameters.get("iss") != issuer:
                raise self.refused(attempt, Refusal.ISSUER_MISMATCH)
        if "error" in parameters:
            if parameters.get("code"):
                raise self.refused(attempt, Refusal.ANSWER_CONTRADICTORY)
            named = ERROR_CODE.fullmatch(parameters["error"])
            raise self.refused(attempt, Refusal.DENIED, detail=named.group() if named else "")

    def _exchange(self, attempt: Attempt, app: RegisteredApp, code: str, verifier: Secret) -> TokenAnswer:
        if not code:
            raise self.refused(attempt, Refusal.CODE_MISSING)
        try:
            tokens = self._granting.exchange(attempt, app, code=code, verifier=verifier)
        except OAuthRefusedError as error:
            raise self.refused(attempt, Refusal.CODE_REFUSED, detail=error.error) from None
        required = self._granting.rules(attempt, app).required_scopes
        missing = [scope for scope in required if scope not in tokens.scopes]
        if missing:
            raise self.refused(attempt, Refusal.SCOPES_MISSING, detail=", ".join(missing))
        return tokens

    def _keep(
        self,
        turn: Turn,
        remember: Mapping[str, str],
        *,
        stage: AttemptStage,
        state: str,
        sealed: Mapping[str, Secret],
    ) -> None:
        now = self._store.now()
        attempt = evolve(turn.attempt, stage=stage, remembered=dict(remember), expires_at=now + LIFETIME)
        with self._store.transaction() as connection:
            forget_expired(connection, self._vault, now=now)
            keep(connection, self._vault, attempt, state=state, sealed=sealed, now=now)

    def _take(self, visit: Visit) -> tuple[Attempt, Mapping[str, Secret]]:
        """Use up a state, and only then look whether it is of the person who brings it."""
        brought, now = digest(visit.state), self._store.now()
        with self._store.transaction() as connection:
            taken = None
            if brought:
                taken = take(connection, self._vault, state_digest=brought, code_digest=visit.code_digest, now=now)
            attempt = taken.attempt if taken else None
            if taken is None:
                refusal = Refusal.STATE_UNKNOWN if brought else Refusal.STATE_MISSING
            else:
                objection = taken.attempt.objection(visit, now=now) or taken.objection
                if objection is None:
                    return taken.attempt, taken.sealed
                refusal = objection
            note_refusal(connection, brought, refusal, attempt, now=now)
        raise OnboardingRefusedError.because(refusal, subject=attempt.subject if attempt else "a browser's return")
