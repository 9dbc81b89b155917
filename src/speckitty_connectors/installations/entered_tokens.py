"""An installation that speaks with a token which an admin made and entered, in place of a person's grant."""

from __future__ import annotations

from datetime import datetime

from attrs import evolve
from sqlalchemy import Connection

from ..apps.service import Apps, RegisteredApp
from ..credentials.secret import Secret
from ..credentials.vault import Vault
from ..errors import ConfigurationError, ConflictError, ConnectorsError
from ..identifiers import InstallationKey
from ..loading.registry import Registry
from ..providers.conversations import Connected, Conversation, Grant, Refused
from ..store.audit import record_change
from ..store.engine import Store
from ..tokens.grants import GRANT, seal_grant
from ..tokens.oauth import TokenAnswer
from ..tokens.sessions import Sessions
from . import repository
from .statuses import InstallationStatus
from .types import Installation


class TokenRefusedError(ConnectorsError):
    """The entered token doesn't prove control of the installation's account, so nothing was changed."""

    code = "token_refused"


class EnteredTokens:
    """Takes tokens for installations that are connected already; their id, mappings and links stay.

    Args:
        store: the database.
        registry: the plugins.
        apps: the registered apps.
        vault: seals the tokens.
        sessions: opens the API, to prove them.
    """

    def __init__(self, store: Store, registry: Registry, apps: Apps, vault: Vault, sessions: Sessions) -> None:
        self._store = store
        self._registry = registry
        self._apps = apps
        self._vault = vault
        self._sessions = sessions

    def enter(
        self,
        *,
        workspace: str,
        installation_id: str,
        member: str,
        token: Secret | str,
        expires_at: datetime | None = None,
    ) -> Installation:
        """Let an installation speak with a token from now on; what it spoke with before is forgotten.

        Args:
            workspace: the workspace.
            installation_id: the installation.
            member: who enters it, as the host knows them.
            token: the token.
            expires_at: when it ends, in UTC; None where it has no end, or nobody said.

        Raises:
            NotFoundError: the workspace has no such installation.
            ConflictError: it isn't connected any more, or not yet.
            ConfigurationError: this provider has no such tokens.
            TokenRefusedError: the token doesn't reach the installation's account.
            ApiError: the provider didn't answer.
        """
        with self._store.reading() as connection:
            known = repository.get(connection, InstallationKey(workspace=workspace, id=installation_id))
            app = self._apps.of(connection, known)
        self._check(known)
        values = {"access_token": Secret(token)}
        person = self._prove(known, app, values)
        tokens = TokenAnswer(values=values, scopes=(), expires_at=expires_at, details={})
        with self._store.transaction() as connection:
            return self._write(connection, evolve(known, granted_by=person), app, tokens, member)

    def _check(self, known: Installation) -> None:
        manifest = self._registry.provider(known.provider).manifest
        rules, is_own = manifest.entered_tokens, known.host == manifest.hosts.default
        if rules is None or (rules.self_managed_only and is_own):
            raise ConfigurationError(
                f"{manifest.title} has no tokens that can be entered",
                subject=known.subject,
                remedy="connect the account again instead",
            )
        if not known.is_live:
            raise ConflictError(
                f"the installation is {known.status}, so it can't be given a token",
                subject=known.subject,
                remedy="connect the account first",
            )

    def _prove(self, known: Installation, app: RegisteredApp, values: dict[str, Secret]) -> str:
        """Ask the plugin what the token reaches, as it is asked for a grant; return the id of its person."""
        session = self._sessions.for_grant(app, values)
        answer = self._registry.provider(known.provider).install(
            Conversation(app=app.app, state="", grant=Grant(scopes=(), session=session), choice=(known.account_id,))
        )
        accounts = answer.accounts if isinstance(answer, Connected) else ()
        if known.account_id not in {account.id for account in accounts}:
            raise TokenRefusedError(
                answer.reason if isinstance(answer, Refused) else "the token doesn't reach the connected account",
                subject=known.subject,
                remedy=f"make it in {known.account_name or known.account_id}, with the scopes that are needed",
            )
        return answer.connected_by.id if isinstance(answer, Connected) and answer.connected_by else ""

    def _write(
        self, connection: Connection, proven: Installation, app: RegisteredApp, tokens: TokenAnswer, member: str
    ) -> Installation:
        known = repository.get(connection, proven, lock=True)
        self._check(known)
        credential_id = seal_grant(
            connection,
            self._vault,
            workspace=known.workspace,
            app=app,
            kind=GRANT,
            redirect_uri="",
            tokens=tokens,
        )
        changed = evolve(
            known, credential_id=credential_id, granted_by=proven.granted_by, updated_at=self._store.now()
        )
        if known.status in {InstallationStatus.NEEDS_REAUTHORISATION, InstallationStatus.DEGRADED}:
            changed = evolve(
                changed, status=InstallationStatus.ACTIVE, status_reason="", status_at=changed.updated_at
            )
        repository.save(connection, changed)
        self._forget_unshared(connection, known)
        actor, now = f"member:{member}", changed.updated_at
        record_change(connection, known, changed, "token_entered", actor=actor, at=now)
        return changed

    def _forget_unshared(self, connection: Connection, former: Installation) -> None:
        """Forget what the installation spoke with, unless other accounts of the same grant still do."""
        workspace, credential_id = former.workspace, former.credential_id
        shared = repository.find_sharing(connection, workspace=workspace, credential_id=credential_id)
        if credential_id and not shared:
            self._vault.forget(connection, workspace=workspace, credential_id=credential_id)
