"""What core needs to know of GitLab, each wire fact once and with the page that states it.

Page names are those of GitLab Docs.
"""

from __future__ import annotations

from speckitty_connectors.plugin import (
    BaseUrls,
    Capability,
    EnteredTokenRules,
    Hosts,
    Manifest,
    OAuthRules,
    PlainToken,
    RateLimitDialect,
    RefreshRules,
    ResetUnit,
    ResourceKind,
    RevocationReach,
    StandardWebhooks,
    SubscriptionRules,
    SubscriptionScope,
    Support,
    WebhookRules,
)

from .policy import GitLabPolicy

TITLE = "GitLab"
"""The name for people."""

HOST = "gitlab.com"

PROJECT = "project"
GROUP = "group"
"""The kinds of resources. A project belongs to a group, a group to a group, to any depth."""

SIGNING_TOKEN = "signing_token"  # noqa: S105 - the name of a scheme
SECRET_TOKEN = "secret_token"  # noqa: S105 - the name of a scheme
"""The two ways a webhook can prove itself ("Webhooks": "Signing tokens", "Secret tokens")."""

INSTANCE_HEADER = "X-Gitlab-Instance"
"""Which GitLab sends, by the address that it is configured with ("Webhooks": "Delivery headers")."""

PAGE_SIZE = 100
"""The most entries a page may have ("REST API": "Pagination"; the default is 20)."""

HOSTS = Hosts(
    default=HOST,
    # "REST API". A self-managed GitLab may have a relative root ("Install GitLab under a relative URL").
    urls=BaseUrls(web=f"https://{HOST}", api=f"https://{HOST}/api/v4"),
    self_managed=BaseUrls(web="{base}", api="{base}/api/v4"),
)

REFRESH = RefreshRules(
    # "OAuth 2.0 identity provider API": a refresh repeats the redirect URI, and kills the old pair at once.
    rotates=True,
    grace_seconds=0,
    sends_redirect_uri=True,
)

INSTALL_OAUTH = OAuthRules(
    # "OAuth 2.0 identity provider API", "Authorization code with Proof Key for Code Exchange (PKCE)".
    authorize_url="{web}/oauth/authorize",
    token_url="{web}/oauth/token",  # noqa: S106 - an address, not a token
    # "OAuth 2.0 identity provider API", "Revoke a token": that token, and the one beside it.
    revoke_url="{web}/oauth/revoke",
    revokes=RevocationReach.TOKEN,
    # No lesser scope may make webhooks ("Access token scopes").
    scopes=("api",),
    pkce=True,
    refresh=REFRESH,
)

LINK_OAUTH = OAuthRules(
    authorize_url="{web}/oauth/authorize",
    token_url="{web}/oauth/token",  # noqa: S106 - an address, not a token
    revoke_url="{web}/oauth/revoke",
    revokes=RevocationReach.TOKEN,
    # Who it is, and what they may see of a group; nothing can be changed with it ("Access token scopes").
    scopes=("read_api",),
    pkce=True,
    refresh=REFRESH,
)

ENTERED_TOKENS = EnteredTokenRules(
    # "Group access tokens": it belongs to a bot of the group, ends within a year, and is taken as a bearer.
    title="Group access token",
    url="{web}/dashboard/groups",
)

WEBHOOKS = WebhookRules(
    schemes={SIGNING_TOKEN: StandardWebhooks(), SECRET_TOKEN: PlainToken(header="X-Gitlab-Token")},
    # "Webhooks", section "Delivery headers". The header X-Gitlab-Event-UUID is shared by hooks that set each other
    # off, and X-Gitlab-Webhook-UUID is new for every request: neither is the id of a delivery.
    kind_header="X-Gitlab-Event",
    delivery_id_header="webhook-id",
    former_id_header="Idempotency-Key",  # the same id, since 17.4
    kept_headers=(INSTANCE_HEADER,),
    # "GitLab.com settings": larger payloads aren't delivered.
    body_limit=25 * 1024 * 1024,
    # Group hooks need a paid plan ("Group webhooks"); projects have theirs in every plan.
    subscriptions=SubscriptionRules(scopes=(SubscriptionScope.ACCOUNT, SubscriptionScope.RESOURCE)),
)

RATE_LIMITS = RateLimitDialect(
    # "User and IP rate limits": 429 with the plain text "Retry later". Limits of an application aren't reflected in
    # the remaining count, so what Retry-After says comes first.
    statuses=frozenset({429}),
    remaining="ratelimit-remaining",
    reset="ratelimit-reset",
    reset_unit=ResetUnit.EPOCH_SECONDS,
    fallback_seconds=60,
)

MANIFEST = Manifest(
    provider="gitlab",
    title=TITLE,
    summary="Routes what happens in projects and groups of GitLab.com and self-managed GitLab.",
    documentation="https://docs.gitlab.com/user/project/integrations/webhooks/",
    hosts=HOSTS,
    capabilities={
        Capability.INSTALL: Support.full(),
        Capability.LINK_USER: Support.full(),
        Capability.LIST_RESOURCES: Support.full(),
        Capability.SUGGEST_MAPPINGS: Support.full(),
        Capability.ROUTE_EVENT: Support.partial(
            "GitLab.com tells neither of renamed nor of transferred projects and groups; listing finds them"
        ),
        Capability.SUBSCRIBE: Support.full(),
    },
    resource_kinds=(
        ResourceKind(name=PROJECT, title="Project", git=True, parent=GROUP, aliases=("gitlab_project",)),
        ResourceKind(name=GROUP, title="Group", parent=GROUP, aliases=("gitlab_group",)),
    ),
    webhooks=WEBHOOKS,
    install_oauth=INSTALL_OAUTH,
    link_oauth=LINK_OAUTH,
    entered_tokens=ENTERED_TOKENS,
    rate_limits=RATE_LIMITS,
    api_headers={"Accept": "application/json"},
    api_page_size=PAGE_SIZE,
    policy=GitLabPolicy,
)
