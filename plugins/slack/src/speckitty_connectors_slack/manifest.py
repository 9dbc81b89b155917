"""What core needs to know of Slack, each wire fact once and with the page that states it.

Page names without a site are pages of Slack's developer documentation (docs.slack.dev).
"""

from __future__ import annotations

from http import HTTPStatus

from speckitty_connectors.plugin import (
    BaseUrls,
    BodyHandshake,
    Capability,
    FailureDialect,
    FormProbe,
    Hosts,
    IdentityTokenRules,
    Manifest,
    OAuthRules,
    RefreshRules,
    ResourceKind,
    RevocationReach,
    Support,
    TimestampedHmac,
    WebhookRules,
)

from .policy import SlackPolicy

CHANNEL = "channel"
"""The one kind of resource that can be mapped: public or private, told by a flag and never by the id's prefix."""

WORKSPACE = "workspace"
ORGANIZATION = "organization"
"""The kinds of accounts: a workspace, or an Enterprise organization whose admins add workspaces later
("Developing apps for Enterprise orgs")."""

INSTALLERS = "installers"
MEMBERS = "members"
"""A setting of an app, and its value where any member may connect a workspace that Slack lets add the app."""

USER_SCOPES = "user_scopes"
CHANNELS = "channels"
ALL_CHANNELS = "all"
"""Settings of an app, and the value of `CHANNELS` that also lists public channels in which the app is no member."""

PRIVATE_CHANNELS = "groups:read"
"""The scope without which private channels aren't listed ("conversations.list")."""

JSON = "application/json"
FORM = "application/x-www-form-urlencoded"

PAGE_SIZE = 200
"""How many channels are asked for at once: at most 1000, and "no more than 200" is recommended ("Pagination")."""

HOSTS = Hosts(
    default="slack.com",
    urls=BaseUrls(web="https://slack.com", api="https://slack.com/api"),
    # GovSlack is another host with the same paths ("GovSlack").
    self_managed=BaseUrls(web="{base}", api="{base}/api"),
)

INSTALL_OAUTH = OAuthRules(
    # "Installing with OAuth": scopes are separated by commas, errors come with status 200.
    authorize_url="{web}/oauth/v2/authorize",
    token_url="{api}/oauth.v2.access",  # noqa: S106 - an address, not a token
    scopes=(
        "app_mentions:read",
        "channels:history",
        "channels:read",
        "chat:write",
        "commands",
        "groups:history",
        PRIVATE_CHANNELS,
        "reactions:read",
        "team:read",
        "users:read",
    ),
    # All others may be declared optional in the app's manifest, and then be declined.
    required_scopes=("channels:read",),
    scope_separator=",",
    # "Using PKCE": it would make the app a public client for good.
    pkce=False,
    kept_fields=("team", "enterprise", "is_enterprise_install", "authed_user"),
    # "Token rotation", where the app has it: a used refresh token dies "after a short grace period" of unknown
    # length, so none is relied on; of the access tokens, which live twelve hours, the newest two are good. Slack's
    # own SDK renews two hours before the end.
    refresh=RefreshRules(
        rotates=True,
        grace_seconds=0,
        live_tokens=2,
        margin_seconds=7200,
        refusals=frozenset({"invalid_refresh_token", "token_expired", "token_revoked"}),
    ),
    # "auth.revoke": without token rotation all who added the app to a workspace have the same token.
    revoke_url="{api}/auth.revoke",
    revokes=RevocationReach.ACCOUNT,
)

LINK_OAUTH = OAuthRules(
    # "Sign in with Slack"; its scopes can't be mixed with an app's in one flow.
    authorize_url="{web}/openid/connect/authorize",
    token_url="{api}/openid.connect.token",  # noqa: S106 - an address, not a token
    scopes=("openid", "profile"),
    required_scopes=(),
    pkce=False,
    identity_token=IdentityTokenRules(keys_url="{web}/openid/connect/keys", issuer="{web}"),
    # A person has one token for the app, however often they sign in.
    revoke_url="{api}/auth.revoke",
    revokes=RevocationReach.PERSON,
)

WEBHOOKS = WebhookRules(
    # "Verifying requests from Slack": HMAC-SHA256 of "v0:time:body", the time at most five minutes away.
    schemes={
        "signing_secret": TimestampedHmac(
            header="X-Slack-Signature", timestamp_header="X-Slack-Request-Timestamp", version="v0"
        )
    },
    # "The Events API": each retry repeats the event's id. A retry may be the first that arrives.
    delivery_id_field="event_id",
    # Events are JSON; interactions are a form with the document in "payload", slash commands a form of fields
    # ("Handling user interaction", "Slash commands").
    content_types=(JSON, FORM),
    form_field="payload",
    # What a form is answered with is shown to the person, or read as an instruction ("Slash commands").
    bare_answers=frozenset({FORM}),
    # "url_verification": signed like any event.
    handshake=BodyHandshake(field="type", value="url_verification", answer_field="challenge"),
    # "Slash commands": Slack looks at times whether the address answers over TLS.
    probe=FormProbe(field="ssl_check", value="1"),
)

UNKNOWN_CODE = 400
"""The status of every error code that isn't among the following, such as ``unknown_method``, ``invalid_cursor``."""

FAILURES = FailureDialect(
    # "Web API": every answer says whether it is "ok", with status 200 either way.
    success_field="ok",
    statuses={
        **dict.fromkeys(
            ("account_inactive", "invalid_auth", "not_authed", "token_expired", "token_revoked"),
            HTTPStatus.UNAUTHORIZED,
        ),
        **dict.fromkeys(
            (
                "access_denied",
                "missing_scope",
                "no_permission",
                "not_allowed_token_type",
                "team_access_not_granted",
                "user_not_visible",
            ),
            HTTPStatus.FORBIDDEN,
        ),
        **dict.fromkeys(("channel_not_found", "team_not_found", "user_not_found"), HTTPStatus.NOT_FOUND),
        "ratelimited": HTTPStatus.TOO_MANY_REQUESTS,
        **dict.fromkeys(
            ("fatal_error", "internal_error", "request_timeout", "service_unavailable", "team_added_to_org"),
            HTTPStatus.SERVICE_UNAVAILABLE,
        ),
    },
)

MANIFEST = Manifest(
    provider="slack",
    title="Slack",
    summary="Routes what happens in channels of Slack workspaces and Enterprise organizations.",
    documentation="https://docs.slack.dev/authentication/installing-with-oauth",
    hosts=HOSTS,
    capabilities={
        Capability.INSTALL: Support.full(),
        Capability.LINK_USER: Support.full(),
        Capability.LIST_RESOURCES: Support.partial(
            "Slack shows an app only those private channels it is a member of"
        ),
        Capability.SUGGEST_MAPPINGS: Support.unsupported("a channel has no git remote"),
        Capability.ROUTE_EVENT: Support.partial(
            "Slack reports an event once, for one of the installations that see a shared channel, and not at all "
            "while the app isn't a member"
        ),
    },
    resource_kinds=(ResourceKind(name=CHANNEL, title="Channel"),),
    webhooks=WEBHOOKS,
    install_oauth=INSTALL_OAUTH,
    link_oauth=LINK_OAUTH,
    failures=FAILURES,
    # Rate limits are 429 with Retry-After, a method and workspace at a time ("Rate limits"): the default dialect.
    optional_settings={
        CHANNELS: f"which channels are listed: 'joined' (the default), or '{ALL_CHANNELS}' for public ones as well "
        "in which the app is no member and hears nothing",
        INSTALLERS: "who may connect a workspace: its 'admins' and owners (the default), or any of its "
        f"'{MEMBERS}' whom Slack lets add the app",
        USER_SCOPES: "scopes that the installing person is asked for themselves, separated by commas",
    },
    api_page_size=PAGE_SIZE,
    policy=SlackPolicy,
)
