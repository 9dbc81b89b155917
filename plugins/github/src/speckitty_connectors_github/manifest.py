"""What core needs to know of GitHub, each wire fact once and with the page that states it.

Page names without a site are pages of GitHub Docs.
"""

from __future__ import annotations

from speckitty_connectors.plugin import (
    AppTokenRules,
    BaseUrls,
    Capability,
    HexHmac,
    Hosts,
    InstallationListing,
    Manifest,
    OAuthRules,
    RateLimitDialect,
    RefreshRules,
    ResetUnit,
    ResourceKind,
    RevocationReach,
    RevocationRequest,
    Support,
    WebhookRules,
)

from .policy import GitHubPolicy

TITLE = "GitHub"
"""The name for people."""

REPOSITORY = "repository"
"""The one kind of resource that can be mapped."""

DELIVERY_HEADER = "X-GitHub-Delivery"
"""The event's GUID: the same on re-delivery and for every hook that reports it ("Webhook events and payloads")."""

PAGE_SIZE = 100
"""The most entries a page may have ("Using pagination in the REST API"; the default is 30)."""

HOSTS = Hosts(
    default="github.com",
    urls=BaseUrls(web="https://github.com", api="https://api.github.com"),
    # GitHub Enterprise Server ("REST API description": servers of the enterprise editions).
    self_managed=BaseUrls(web="{base}", api="{base}/api/v3"),
    # "Using SSH over the HTTPS port"; the web site answers under its "www" name with a redirect.
    aliases=("ssh.github.com", "www.github.com"),
)

OAUTH = OAuthRules(
    # "Generating a user access token for a GitHub App". A GitHub App's user tokens have no scopes: they can do what
    # both the app and the person may.
    authorize_url="{web}/login/oauth/authorize",
    token_url="{web}/login/oauth/access_token",  # noqa: S106 - an address, not a token
    pkce=True,  # S256 only; the client secret is needed all the same ("Authorizing OAuth apps")
    # A refresh kills the old pair at once ("Refreshing user access tokens").
    # Its word for a refresh token that is expired, used up or unknown is its own.
    refresh=RefreshRules(rotates=True, grace_seconds=0, refusals=frozenset({"bad_refresh_token", "invalid_grant"})),
    # "Delete an app authorization" ("REST API endpoints for OAuth authorizations"): all tokens of that person.
    revoke_url="{api}/applications/{client_id}/grant",
    revocation=RevocationRequest.DELETE,
    revokes=RevocationReach.PERSON,
)

APP_TOKENS = AppTokenRules(
    # "Generating an installation access token for a GitHub App"; tokens live an hour.
    mint_url="{api}/app/installations/{installation}/access_tokens",
    # RS256, at most ten minutes ahead, a minute back against drift ("Generating a JSON Web Token (JWT) for a
    # GitHub App").
    algorithm="RS256",
    lifetime_seconds=540,
    backdate_seconds=60,
    # Every app has it ("Permissions required for GitHub Apps"); "Permissions" of an installation are read, write or
    # admin.
    required_scopes=("metadata:read",),
    scope_levels=("read", "write", "admin"),
    # "List installations for the authenticated app".
    installations=InstallationListing(url="{api}/app/installations?per_page=100"),
    # "Delete an installation for the authenticated app".
    uninstall_url="{api}/app/installations/{installation}",
)

HOOK_OF_TYPE_HEADER = "X-GitHub-Hook-Installation-Target-Type"
HOOK_OF_ID_HEADER = "X-GitHub-Hook-Installation-Target-ID"
"""What the hook was made for: an app's own is of the type `APP`, with the app's id ("Webhook events and payloads",
"Delivery headers")."""

APP = "integration"
"""The type of an app's own hook."""

WEBHOOKS = WebhookRules(
    # "Validating webhook deliveries": HMAC-SHA256 of the raw body in lower-case hex. The SHA-1 header is not read.
    schemes={"secret": HexHmac(header="X-Hub-Signature-256", prefix="sha256=")},
    # "Webhook events and payloads", section "Delivery headers".
    kind_header="X-GitHub-Event",
    delivery_id_header=DELIVERY_HEADER,
    kept_headers=(
        DELIVERY_HEADER,
        "X-GitHub-Hook-ID",
        HOOK_OF_TYPE_HEADER,
        HOOK_OF_ID_HEADER,
    ),
    # Both content types that a hook can be set to; a form has the document in its field "payload"
    # ("Webhook events and payloads").
    content_types=("application/json", "application/x-www-form-urlencoded"),
    form_field="payload",
    # "Payload cap": GitHub doesn't deliver anything larger.
    body_limit=25 * 1024 * 1024,
    # Billing, advisories of the whole world, and the hello of a new hook: none is about a repository
    # ("Webhook events and payloads").
    unrouted_kinds=frozenset({"marketplace_purchase", "ping", "security_advisory", "sponsorship"}),
)

RATE_LIMITS = RateLimitDialect(
    # "Rate limits for the REST API": 403 or 429; retry-after first, then the reset where nothing remains, else a
    # minute, doubled each time.
    statuses=frozenset({429}),
    conditional_statuses=frozenset({403}),
    # A secondary limit may come without a header, and with quota left: then only the body's message says so
    # ("Rate limits for the REST API", "Exceeding the rate limit"); so did its older name, the abuse limit.
    phrases=("secondary rate limit", "abuse detection mechanism"),
    remaining="x-ratelimit-remaining",
    reset="x-ratelimit-reset",
    reset_unit=ResetUnit.EPOCH_SECONDS,
    fallback_seconds=60,
)

MANIFEST = Manifest(
    provider="github",
    title=TITLE,
    summary="Routes what happens in repositories of GitHub.com and GitHub Enterprise Server.",
    documentation="https://docs.github.com/en/apps/using-github-apps/about-using-github-apps",
    hosts=HOSTS,
    capabilities={
        Capability.INSTALL: Support.full(),
        Capability.LINK_USER: Support.full(),
        Capability.LIST_RESOURCES: Support.full(),
        Capability.SUGGEST_MAPPINGS: Support.full(),
        Capability.ROUTE_EVENT: Support.partial(
            "GitHub tells apps neither of deleted repositories nor of those transferred away; listing finds them"
        ),
    },
    resource_kinds=(ResourceKind(name=REPOSITORY, title="Repository", git=True, aliases=("github_repo",)),),
    webhooks=WEBHOOKS,
    install_oauth=OAUTH,
    link_oauth=OAUTH,
    app_tokens=APP_TOKENS,
    rate_limits=RATE_LIMITS,
    app_settings={"slug": "the app's name in its URL: github.com/apps/<slug>"},
    api_headers={
        # "Getting started with the REST API" recommends the media type; "API Versions" lists the versions. This one
        # is served by GitHub.com and by every supported GitHub Enterprise Server.
        "Accept": "application/vnd.github+json",
        "X-GitHub-Api-Version": "2022-11-28",
    },
    api_page_size=PAGE_SIZE,
    policy=GitHubPolicy,
)
