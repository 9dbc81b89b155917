"""What core needs to know of Linear, each wire fact once and with the page that states it.

Page names without a site are pages of Linear's developer documentation (linear.app/developers).
"""

from __future__ import annotations

from http import HTTPStatus

from attrs import evolve

from speckitty_connectors.plugin import (
    BaseUrls,
    BodyTimestamp,
    Capability,
    FailureDialect,
    HexHmac,
    Hosts,
    Manifest,
    OAuthRules,
    RateLimitDialect,
    RefreshRules,
    ResetUnit,
    ResourceKind,
    RevocationReach,
    Support,
    WebhookRules,
)

from .policy import LinearPolicy

PROJECT = "project"
TEAM = "team"
"""The kinds of resources that can be mapped. Teams may nest, but none contains a project: it is several teams' own,
and each event names those that are meant."""

GRAPHQL = "/graphql"
"""The API's one address ("Getting started", GraphQL)."""

PAGE_SIZE = 50
"""How many nodes a connection gives where nothing is asked for; the most isn't documented ("Pagination")."""

THROTTLED = "RATELIMITED"
"""The code of a request that comes too fast, in an answer of status 400 ("Rate limiting")."""

INSTALL_OAUTH = OAuthRules(
    # "OAuth 2.0 authentication": scopes are separated by commas; they come back separated by blanks, or as an array
    # for old apps. The page of consent has to be forced where a person adds a further workspace.
    authorize_url="{web}/oauth/authorize",
    token_url="{api}/oauth/token",  # noqa: S106 - an address, not a token
    scopes=("read",),
    required_scopes=("read",),
    scope_separator=",",
    # "OAuth actor authorization": the app is installed as a user of its own, by an admin.
    authorize_parameters={"actor": "app", "prompt": "consent"},
    # "OAuth 2.0 authentication", section "Refresh tokens": a token lives a day, each refresh gives a new pair, and
    # the very same refresh may be repeated for half an hour.
    refresh=RefreshRules(rotates=True, grace_seconds=1800),
    # No `revoke_url`: the app is in a workspace of Linear's once, and all who connected it would lose it.
)

LINK_OAUTH = evolve(
    INSTALL_OAUTH,
    authorize_parameters={"actor": "user", "prompt": "consent"},
    # The same page: one authorisation of one person, beside the app's own.
    revoke_url="{api}/oauth/revoke",
    revokes=RevocationReach.TOKEN,
)

LAST_RETRY_SECONDS = 60 + 3_600 + 6 * 3_600
"""How late the last of three retries may be: after a minute, an hour and six hours ("Webhooks")."""

TOLERANCE_SECONDS = 8 * 3_600
"""How far a signed time may be from ours.

Linear advises a minute, but doesn't say that retries are stamped anew: one that keeps its time is good, too.
"""

WEBHOOKS = WebhookRules(
    schemes={
        # "Webhooks", section "Securing webhooks": plain hex, over a body that holds the time in milliseconds. The
        # header with a time isn't signed, so it says nothing.
        "signing_secret": HexHmac(
            header="Linear-Signature",
            body_timestamp=BodyTimestamp(field="webhookTimestamp", unit=1000, tolerance=TOLERANCE_SECONDS),
        )
    },
    # The same page: the kind equals the body's "type"; the id is the same on each of three retries.
    kind_header="Linear-Event",
    delivery_id_header="Linear-Delivery",
)

RATE_LIMITS = RateLimitDialect(
    # "Rate limiting": requests, their complexity and single endpoints are counted apart; ends in milliseconds.
    remaining="x-ratelimit-requests-remaining",
    reset="x-ratelimit-requests-reset",
    further_limits={
        "x-ratelimit-complexity-remaining": "x-ratelimit-complexity-reset",
        "x-ratelimit-endpoint-requests-remaining": "x-ratelimit-endpoint-requests-reset",
    },
    reset_unit=ResetUnit.EPOCH_MILLISECONDS,
    error_code=THROTTLED,
)

FAILURES = FailureDialect(
    # "Getting started", GraphQL, section "Errors": errors may come with status 200, and with some of the data.
    errors_field="errors",
    statuses={
        "AUTHENTICATION_ERROR": HTTPStatus.UNAUTHORIZED,
        "FORBIDDEN": HTTPStatus.FORBIDDEN,
        "INTERNAL_SERVER_ERROR": HTTPStatus.SERVICE_UNAVAILABLE,
        THROTTLED: HTTPStatus.TOO_MANY_REQUESTS,
    },
)

MANIFEST = Manifest(
    provider="linear",
    title="Linear",
    summary="Routes what happens in teams and projects of Linear workspaces.",
    documentation="https://linear.app/developers/oauth-2-0-authentication",
    hosts=Hosts(default="linear.app", urls=BaseUrls(web="https://linear.app", api="https://api.linear.app")),
    capabilities={
        Capability.INSTALL: Support.full(),
        Capability.LINK_USER: Support.full(),
        Capability.LIST_RESOURCES: Support.partial("Linear shows an app no private team that it wasn't added to"),
        Capability.SUGGEST_MAPPINGS: Support.full(),
        Capability.ROUTE_EVENT: Support.partial(
            "Linear has no webhooks of teams and workspaces, and leaves the team out of some events; listing finds "
            "the former, and a person places the latter"
        ),
    },
    resource_kinds=(
        ResourceKind(name=PROJECT, title="Project"),
        ResourceKind(name=TEAM, title="Team", parent=TEAM, aliases=("linear_team",)),
    ),
    webhooks=WEBHOOKS,
    install_oauth=INSTALL_OAUTH,
    link_oauth=LINK_OAUTH,
    rate_limits=RATE_LIMITS,
    failures=FAILURES,
    api_page_size=PAGE_SIZE,
    policy=LinearPolicy,
)
