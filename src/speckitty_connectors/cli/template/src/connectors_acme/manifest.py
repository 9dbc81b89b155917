"""What the plugin declares of Acme.

Each fact comes from a page of the provider's documentation; name it beside the fact.
"""

from speckitty_connectors.plugin import (
    BaseUrls,
    Capability,
    HexHmac,
    Hosts,
    Manifest,
    OAuthRules,
    RefreshRules,
    ResourceKind,
    Support,
    WebhookRules,
)

BOARD = "board"
"""The only kind of resource that can be mapped."""

MANIFEST = Manifest(
    provider="acme",
    title="Acme",
    summary="Routes what happens on boards.",
    documentation="https://acme.example/connectors",
    hosts=Hosts(
        default="acme.example",
        urls=BaseUrls(
            web="https://acme.example",
            api="https://api.acme.example",
        ),
    ),
    capabilities={
        Capability.INSTALL: Support.full(),
        Capability.LINK_USER: Support.unsupported("not written yet"),
        Capability.LIST_RESOURCES: Support.full(),
        Capability.SUGGEST_MAPPINGS: Support.unsupported("not written yet"),
        Capability.ROUTE_EVENT: Support.full(),
    },
    resource_kinds=(ResourceKind(name=BOARD, title="Board"),),
    webhooks=WebhookRules(
        schemes={
            "secret": HexHmac(header="X-Acme-Signature", prefix="sha256="),
        },
        kind_header="X-Acme-Event",
        delivery_id_header="X-Acme-Delivery",
    ),
    install_oauth=OAuthRules(
        authorize_url="{web}/oauth/authorize",
        token_url="{web}/oauth/token",
        scopes=("boards:read",),
        required_scopes=("boards:read",),
        kept_fields=("account",),
        refresh=RefreshRules(),
    ),
)
"""Signed webhooks, an OAuth flow whose token answer names the account, and boards."""
