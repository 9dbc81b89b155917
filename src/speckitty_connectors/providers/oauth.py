"""How a provider's OAuth and app tokens work, as data: core speaks the protocol, plugins only fill this in."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from enum import StrEnum

from attrs import field, frozen
from attrs.validators import ge


class ClientAuthentication(StrEnum):
    """Where the client secret goes in a token request."""

    BODY = "body"
    BASIC = "basic"


class TokenEncoding(StrEnum):
    """How a token request's body is written."""

    FORM = "form"
    JSON = "json"


class RevocationRequest(StrEnum):
    """How a provider is asked to revoke what was granted.

    ``form`` posts each token of the grant (RFC 7009); ``delete`` sends DELETE with the access token in a JSON
    document, and the app's id and secret as HTTP Basic (GitHub, "REST API endpoints for OAuth authorizations").
    """

    FORM = "form"
    DELETE = "delete"


class RevocationReach(StrEnum):
    """What ends at the provider when a token is revoked: itself, or all that the app was given.

    ``token`` ends the tokens of this grant alone, ``person`` all that the same person granted to the app, and
    ``account`` all that the app has in the account.
    """

    TOKEN = "token"  # noqa: S105 - how far it reaches, not a token
    PERSON = "person"
    ACCOUNT = "account"


@frozen(kw_only=True)
class RefreshRules:
    """How an access token is renewed.

    Attributes:
        rotates: whether each refresh returns a new refresh token and kills the one used.
        grace_seconds: how long the used one may be presented again; 0 for none.
        sends_redirect_uri: whether the refresh must repeat the redirect URI of the authorisation.
        live_tokens: how many access tokens of a grant are good at once: with 1 the one before dies at the refresh.
        margin_seconds: how long before its end a token is renewed; never more than half of its life.
        refusals: the error codes that mean that the refresh token itself isn't accepted, whatever the status of
            the answer (RFC 6749, section 5.2); any other error is a failure that may pass.

    >>> RefreshRules(grace_seconds=600).may_repeat, RefreshRules().may_repeat
    (True, False)
    """

    rotates: bool = True
    grace_seconds: int = field(default=0, validator=ge(0))
    sends_redirect_uri: bool = False
    live_tokens: int = field(default=1, validator=ge(1))
    margin_seconds: int = field(default=900, validator=ge(0))
    refusals: frozenset[str] = frozenset({"invalid_grant"})

    @property
    def may_repeat(self) -> bool:
        """Whether a refresh token may be presented again when nobody knows what became of the first time."""
        return not self.rotates or self.grace_seconds > 0


@frozen(kw_only=True)
class IdentityTokenRules:
    """How the identity token of OpenID Connect is proved, which comes with the access token.

    Core sends a nonce, fetches the key, and checks signature, issuer, audience, nonce and times; the claims are
    then in `Grant.claims`, and the token itself is dropped.

    Attributes:
        keys_url: where the provider publishes its keys (RFC 7517); a template like those of `OAuthRules`.
        issuer: the ``iss`` that the token must have; a template too.
        algorithm: the only signature algorithm that is accepted.

    >>> IdentityTokenRules(keys_url="{web}/keys", issuer="{web}").algorithm
    'RS256'
    """

    keys_url: str
    issuer: str
    algorithm: str = "RS256"


@frozen(kw_only=True)
class OAuthRules:
    """One authorisation-code flow of a provider.

    URLs are templates over the app's base URLs: ``{web}`` and ``{api}``.

    Attributes:
        authorize_url: where the person is sent.
        token_url: where the code is exchanged.
        scopes: what to ask for.
        required_scopes: those without which the connection doesn't work.
        scope_separator: between scopes in the request.
        pkce: whether S256 code challenges are sent.
        issuer: the ``iss`` that a callback must carry (RFC 9207), or empty.
        authorize_parameters: fixed further parameters of the first request.
        token_encoding: encoding of the token request.
        client_authentication: where the client secret goes.
        kept_fields: fields of the token response that `Grant.details` shows the plugin; tokens inside them are
            left out.
        identity_token: how the identity token is proved, or None where there is none.
        refresh: how the token is renewed, or None where it isn't.
        revoke_url: where a token is revoked, or empty; a template that may have ``{client_id}``, too.
        revocation: how that is asked for.
        revokes: what it ends there, which is to be stated where there is such an address. Core revokes only what
            nobody else needs, in whatever workspace; where it isn't stated, as if the whole account were meant.
        one_grant_per_person: whether all of a person's consents to the app are one grant, whose older tokens may
            end when newer ones are given. Core then lets the newest tokens serve all that the person connected in a
            workspace, and a link of that person has no tokens of its own.
        self_managed: the flow of self-managed hosts where theirs is another one, or None; see `at`.

    >>> rules = OAuthRules(authorize_url="{web}/login/oauth/authorize", token_url="{web}/login/oauth/access_token")
    >>> rules.pkce
    True
    """

    authorize_url: str
    token_url: str
    scopes: tuple[str, ...] = ()
    required_scopes: tuple[str, ...] = ()
    scope_separator: str = " "
    pkce: bool = True
    issuer: str = ""
    authorize_parameters: Mapping[str, str] = field(factory=dict)
    token_encoding: TokenEncoding = TokenEncoding.FORM
    client_authentication: ClientAuthentication = ClientAuthentication.BODY
    kept_fields: tuple[str, ...] = ()
    identity_token: IdentityTokenRules | None = None
    refresh: RefreshRules | None = None
    revoke_url: str = ""
    revocation: RevocationRequest = RevocationRequest.FORM
    revokes: RevocationReach | None = None
    one_grant_per_person: bool = False
    self_managed: OAuthRules | None = None

    def at(self, *, self_managed: bool) -> OAuthRules:
        """Return the flow that a host speaks, the provider's own or a self-managed one.

        >>> own = OAuthRules(authorize_url="{web}/old/authorize", token_url="{web}/old/token")
        >>> rules = OAuthRules(authorize_url="{web}/authorize", token_url="{web}/token", self_managed=own)
        >>> rules.at(self_managed=True).token_url
        '{web}/old/token'
        """
        return self.self_managed if self_managed and self.self_managed is not None else self


@frozen(kw_only=True)
class InstallationListing:
    """How an app lists where it is installed; fields are named with a dot between the levels.

    Attributes:
        url: where to GET the first page; a template over ``{api}``. Further pages follow the Link header.
        entries: field of the answer with the installations, or empty where the answer is the list.
        id: field with the provider's own id of the installation.
        account_id: field with the account's immutable id.
        account_name: field with what a person calls the account.
        account_kind: field with the provider's word for its kind.
        suspended: field that is set while the installation is suspended; or empty.
        scopes: field with what is granted, name → level or a list; or empty.

    >>> InstallationListing(url="{api}/app/installations").account_id
    'account.id'
    """

    url: str
    entries: str = ""
    id: str = "id"
    account_id: str = "account.id"
    account_name: str = "account.login"
    account_kind: str = "account.type"
    suspended: str = "suspended_at"
    scopes: str = "permissions"


@frozen(kw_only=True)
class EnteredTokenRules:
    """Access tokens that an admin makes in the provider's own pages and enters, in place of a person's grant.

    They are presented as bearers, end when they end, and can't be renewed; in return they outlive the person who
    connected the account. `install` proves them as it proves a grant: it is asked with a session that speaks with
    the token, and no details.

    Attributes:
        title: what the provider calls them, for example ``Group access token``.
        url: where they are made; a template over ``{web}``.
        self_managed_only: whether only self-managed hosts have them.

    >>> EnteredTokenRules(title="Group access token", url="{web}/-/user_settings").title
    'Group access token'
    """

    title: str
    url: str = ""
    self_managed_only: bool = False


@frozen(kw_only=True)
class AppTokenRules:
    """Installation tokens that the app mints for itself with a signed JWT; nothing of a person in them.

    Attributes:
        mint_url: where to POST; a template over ``{api}`` and ``{installation}``.
        algorithm: the JWT's algorithm.
        lifetime_seconds: how far ahead the JWT's ``exp`` is.
        backdate_seconds: how far back its ``iat`` is, against clock drift.
        margin_seconds: a token is replaced when it has less left than this.
        token_field: field of the answer with the token.
        expires_field: field of the answer with its end, ISO 8601.
        required_scopes: what an installation must have been granted, as `Connected.scopes` names it.
        scope_levels: the levels of a scope ``name:level``, lowest first; a higher one includes the lower ones.
        installations: how the app lists where it is installed, or None where it can't.
        uninstall_url: what the app may DELETE to uninstall itself; a template like `mint_url`, or empty.

    >>> rules = AppTokenRules(
    ...     mint_url="{api}/app/installations/{installation}/access_tokens",
    ...     required_scopes=("issues:read", "contents:read"), scope_levels=("read", "write"))
    >>> rules.missing_scopes(("issues:write",))
    ('contents:read',)
    """

    mint_url: str
    algorithm: str = "RS256"
    lifetime_seconds: int = field(default=540, validator=ge(60))
    backdate_seconds: int = field(default=60, validator=ge(0))
    margin_seconds: int = field(default=300, validator=ge(0))
    token_field: str = "token"  # noqa: S105 - a field name
    expires_field: str = "expires_at"
    required_scopes: tuple[str, ...] = ()
    scope_levels: tuple[str, ...] = ()
    installations: InstallationListing | None = None
    uninstall_url: str = ""

    def missing_scopes(self, granted: Collection[str]) -> tuple[str, ...]:
        """Return the required scopes that none of the granted ones includes."""
        return tuple(scope for scope in self.required_scopes if not self._including(scope) & set(granted))

    def _including(self, scope: str) -> set[str]:
        name, _, level = scope.rpartition(":")
        if level not in self.scope_levels:
            return {scope}
        return {f"{name}:{higher}" for higher in self.scope_levels[self.scope_levels.index(level) :]}
