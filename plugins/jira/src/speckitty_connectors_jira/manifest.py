"""What core needs to know of Jira, each wire fact once and with the page that states it.

Page names without a site are pages of Atlassian's developer documentation; those of Data Center say so.
"""

from __future__ import annotations

from speckitty_connectors.plugin import (
    BaseUrls,
    BearerJwt,
    Budget,
    Capability,
    EnteredTokenRules,
    HexHmac,
    Hosts,
    Manifest,
    OAuthRules,
    RateLimitDialect,
    RefreshRules,
    ResetUnit,
    ResourceKind,
    SubscriptionRules,
    SubscriptionScope,
    Support,
    TokenEncoding,
    WebhookRules,
)

from .policy import JiraPolicy

PROJECT = "project"
"""The one kind of resource that can be mapped."""

DELIVERY_HEADER = "X-Atlassian-Webhook-Identifier"
"""The same on each retry, and unique within one site ("Webhooks", section "Webhook delivery")."""

PAGE_SIZE = 100
"""The most projects a page may have; a request for more gets this ("Get projects paginated")."""

HOSTS = Hosts(
    default="atlassian.net",
    urls=BaseUrls(
        # "OAuth 2.0 (3LO) apps": people authorise at one address, the API of every site is behind another. A token
        # isn't accepted on the site's own domain.
        web="https://auth.atlassian.com",
        api="https://api.atlassian.com",
        account_api="https://api.atlassian.com/ex/jira/{account}",
    ),
    # Data Center: pages, OAuth and API below one base URL, which may have a context path.
    self_managed=BaseUrls(web="{base}", api="{base}"),
)

DATA_CENTER_OAUTH = OAuthRules(
    # Data Center, "Jira OAuth 2.0 provider API"; the client is an "incoming link" that an administrator makes.
    authorize_url="{web}/rest/oauth2/latest/authorize",
    token_url="{web}/rest/oauth2/latest/token",  # noqa: S106 - an address, not a token
    scopes=("READ",),
    refresh=RefreshRules(rotates=True, grace_seconds=0, sends_redirect_uri=True),
    one_grant_per_person=True,  # not said there; to share the newest tokens is right either way
)

OAUTH = OAuthRules(
    # "OAuth 2.0 (3LO) apps": both parameters are required, PKCE isn't known, and a token request is JSON.
    authorize_url="{web}/authorize",
    token_url="{web}/oauth/token",  # noqa: S106 - an address, not a token
    authorize_parameters={"audience": "api.atlassian.com", "prompt": "consent"},
    pkce=False,
    token_encoding=TokenEncoding.JSON,
    # "Jira scopes": what is read, and what the webhooks of an app need. "User identity API": who it is. Without the
    # last one there is no refresh token.
    scopes=("read:jira-work", "read:jira-user", "manage:jira-webhook", "read:me", "offline_access"),
    required_scopes=("read:jira-work",),
    # "OAuth 2.0 (3LO) apps", section "Refresh tokens": each use gives a new one, the old one works for ten minutes.
    refresh=RefreshRules(
        rotates=True, grace_seconds=600, refusals=frozenset({"invalid_grant", "unauthorized_client"})
    ),
    # The same page: one grant for each app and person; a later consent replaces the scopes of the earlier one. So
    # accounts and people are asked for the same.
    one_grant_per_person=True,
    self_managed=DATA_CENTER_OAUTH,
)

WEBHOOKS = WebhookRules(
    schemes={
        # "Webhooks", section "Secure admin webhooks": ``method=signature`` of the raw body. Other methods may come;
        # none but this one is accepted. Data Center's are alike ("Managing webhooks").
        "admin": HexHmac(header="X-Hub-Signature", prefix="sha256="),
        # The same page: webhooks of an app have no signature, but a bearer token signed with the client secret.
        "app": BearerJwt(),
    },
    client_secret_scheme="app",  # noqa: S106 - the name above
    delivery_id_header=DELIVERY_HEADER,
    delivery_id_per_account=True,
    # The same page: an app has one address. Its webhooks end after 30 days, and nobody tells.
    subscriptions=SubscriptionRules(
        scopes=(SubscriptionScope.RESOURCES,), own_endpoint=False, renew_before_seconds=15 * 24 * 3600
    ),
    # The same page: how often it was sent before, and whether it follows from another change.
    kept_headers=("X-Atlassian-Webhook-Retry", "X-Atlassian-Webhook-Flow"),
)

RATE_LIMITS = RateLimitDialect(
    # "Rate limiting": 429 alone, but a 503 may ask to wait too; resets are in ISO 8601. The hourly points of an app
    # are shared by all sites, others are one site's; the burst limit is that of the one request.
    statuses=frozenset({429}),
    conditional_statuses=frozenset({503}),
    remaining="x-ratelimit-remaining",
    reset="x-ratelimit-reset",
    reset_unit=ResetUnit.ISO_8601,
    budget_header="ratelimit-reason",
    budgets={"jira-quota-global-based": Budget.APP, "jira-quota-tenant-based": Budget.ACCOUNT},
)

MANIFEST = Manifest(
    provider="jira",
    title="Jira",
    summary="Routes what happens to issues of Jira Cloud and Jira Data Center projects.",
    documentation="https://developer.atlassian.com/cloud/jira/platform/oauth-2-3lo-apps/",
    hosts=HOSTS,
    capabilities={
        Capability.INSTALL: Support.full(),
        Capability.LINK_USER: Support.full(),
        Capability.LIST_RESOURCES: Support.full(),
        Capability.SUGGEST_MAPPINGS: Support.full(),
        Capability.SUBSCRIBE: Support.partial("Data Center has admin webhooks only, which a person enters"),
        Capability.ROUTE_EVENT: Support.partial(
            "Jira tells apps nothing of projects, people or their own removal; listing and admin webhooks do"
        ),
    },
    resource_kinds=(ResourceKind(name=PROJECT, title="Project"),),
    webhooks=WEBHOOKS,
    install_oauth=OAUTH,
    link_oauth=OAUTH,
    # Data Center, "Using personal access tokens": all that their person may do. On Cloud, Atlassian's rules for
    # apps forbid to ask customers for tokens ("OAuth 2.0 (3LO) apps").
    entered_tokens=EnteredTokenRules(title="Personal access token", self_managed_only=True),
    rate_limits=RATE_LIMITS,
    api_headers={"Accept": "application/json"},
    api_page_size=PAGE_SIZE,
    policy=JiraPolicy,
)
