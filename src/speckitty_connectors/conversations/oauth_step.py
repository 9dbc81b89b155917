"""Speaks a manifest's OAuth flow for a conversation; never inside a transaction."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import quote

from ..apps.service import RegisteredApp
from ..credentials.secret import Secret
from ..credentials.vault import Vault
from ..errors import ConfigurationError
from ..http.session import Transport
from ..loading.registry import Registry
from ..providers.api import ApiError, ApiNotFoundError
from ..providers.conversations import Authorize, Grant
from ..providers.oauth import OAuthRules, RevocationReach
from ..store.engine import Store
from ..tokens.identity_tokens import prove_identity
from ..tokens.oauth import OAuthFlow, Revocation, TokenAnswer
from ..tokens.sessions import Sessions
from .attempts import CONNECTING, Attempt, Purpose


class Granting:
    """Sends people to authorise, exchanges their codes, and opens the API in the name of their grants.

    Args:
        store: the database.
        registry: the plugins.
        vault: opens the client secret.
        sessions: opens the API.
        transport: carries the token request.
    """

    def __init__(
        self, store: Store, registry: Registry, vault: Vault, sessions: Sessions, transport: Transport
    ) -> None:
        self._store = store
        self._registry = registry
        self._vault = vault
        self._sessions = sessions
        self._transport = transport

    def rules(self, attempt: Attempt, app: RegisteredApp) -> OAuthRules:
        """Return the flow of the manifest that an attempt follows at the host of its app.

        Raises:
            ConfigurationError: the manifest has none, although the plugin asks for one.
        """
        rules = self._rules_for(app, attempt.purpose)
        if rules is None:
            raise ConfigurationError(
                f"the plugin answered Authorize, but its manifest has no flow to {attempt.purpose}",
                subject=attempt.subject,
                remedy="tell the plugin's authors",
            )
        return rules

    def issuer(self, attempt: Attempt, app: RegisteredApp) -> str:
        """Return the issuer that the answer must name (RFC 9207), or empty where none is expected."""
        return app.app.urls.fill(self.rules(attempt, app).issuer)

    def authorize_url(
        self, attempt: Attempt, app: RegisteredApp, answer: Authorize, *, state: str, verifier: Secret
    ) -> str:
        """Return where the person authorises."""
        return self._flow(self.rules(attempt, app), app).authorize_url(
            state=state, redirect_uri=attempt.redirect_uri, verifier=verifier, parameters=answer.parameters
        )

    def exchange(self, attempt: Attempt, app: RegisteredApp, *, code: str, verifier: Secret) -> TokenAnswer:
        """Exchange a code at the token endpoint of the attempt's own host, with its own redirect URI.

        Raises:
            OAuthRefusedError: the provider refused, or its identity token proves nothing.
            ApiError: it didn't answer.
        """
        rules = self.rules(attempt, app)
        flow = self._flow(rules, app)
        tokens = flow.exchange(code=code, redirect_uri=attempt.redirect_uri, verifier=verifier)
        return prove_identity(self._transport, rules, app.app, tokens, verifier=verifier)

    def grant(self, app: RegisteredApp, tokens: TokenAnswer) -> Grant:
        """Return what a plugin may know of a grant: no token, but a session that speaks in its name."""
        session = self._sessions.for_grant(app, tokens.values)
        return Grant(scopes=tokens.scopes, details=tokens.details, claims=tokens.claims, session=session)

    def revoke(self, app: RegisteredApp, purpose: Purpose, values: Mapping[str, Secret]) -> Revocation:
        """Ask the provider to take back a grant that was made for a purpose; what came of it is never an error."""
        rules = self._rules_for(app, purpose)
        return Revocation.UNSUPPORTED if rules is None else self._flow(rules, app).revoke(values)

    def reach(self, app: RegisteredApp, purpose: Purpose) -> RevocationReach:
        """Return what else ends at the provider when such a grant is revoked; the worst where nobody says.

        Where nothing can be revoked, nothing else ends.
        """
        rules = self._rules_for(app, purpose)
        if rules is None or not rules.revoke_url:
            return RevocationReach.TOKEN
        return rules.revokes or RevocationReach.ACCOUNT

    def can_uninstall(self, app: RegisteredApp) -> bool:
        """Return whether an app of this provider can uninstall itself."""
        rules = self._registry.provider(app.app.provider).manifest.app_tokens
        return rules is not None and bool(rules.uninstall_url)

    def uninstall(self, app: RegisteredApp, installation: str) -> Revocation:
        """Uninstall the app at the provider, in its own name; what came of it is never an error."""
        rules = self._registry.provider(app.app.provider).manifest.app_tokens
        if rules is None or not rules.uninstall_url:
            return Revocation.UNSUPPORTED
        url = rules.uninstall_url.replace("{installation}", quote(installation, safe=""))
        try:
            self._sessions.as_app(app).delete(app.app.urls.fill(url))
        except ApiNotFoundError:
            return Revocation.UNINSTALLED  # somebody did it there
        except ApiError:
            return Revocation.FAILED
        return Revocation.UNINSTALLED

    def _rules_for(self, app: RegisteredApp, purpose: Purpose) -> OAuthRules | None:
        manifest = self._registry.provider(app.app.provider).manifest
        rules = manifest.install_oauth if purpose in CONNECTING else manifest.link_oauth
        return rules and rules.at(self_managed=app.app.self_managed)

    def _flow(self, rules: OAuthRules, app: RegisteredApp) -> OAuthFlow:
        with self._store.reading() as connection:
            opened = self._vault.open(connection, workspace=app.workspace, credential_id=app.client_secret_id)
        return OAuthFlow(rules, app.app, opened.secret, self._transport)
