"""Connect a SaaS and its customers to the services they work with: four layers, never mixed.

What a plugin needs is imported at once. What only a host needs (the database, HTTP, the web application) is
imported when it is first named, so that a plugin stays light.
"""

import logging
from importlib import import_module
from typing import TYPE_CHECKING

from .errors import ConfigurationError, ConflictError, ConnectorsError, NotFoundError
from .hookspecs import hookimpl
from .providers.accounts import Account, App, BaseUrls, ExternalIdentity
from .providers.api import (
    AccountGoneError,
    ApiError,
    ApiForbiddenError,
    ApiNotFoundError,
    ApiResponse,
    ApiSession,
    ApiThrottledError,
    ApiUnauthorizedError,
    ApiUnavailableError,
    EgressRefusedError,
    Listing,
)
from .providers.conversations import (
    Authorize,
    AwaitApproval,
    ChooseAccount,
    Connected,
    Conversation,
    Grant,
    InstallAnswer,
    LinkAnswer,
    Linked,
    PendingApproval,
    Redirect,
    Refused,
    refused_by_landing,
)
from .providers.deliveries import Change, Delivery, Event, GitFacts, Handshake, Ignored, Lifecycle, Outcome
from .providers.failures import FailureDialect
from .providers.manifest import (
    BodyHandshake,
    Budget,
    Capability,
    FormProbe,
    Hosts,
    Manifest,
    RateLimitDialect,
    ResetUnit,
    ResourceKind,
    Support,
    WebhookRules,
)
from .providers.oauth import (
    AppTokenRules,
    ClientAuthentication,
    EnteredTokenRules,
    IdentityTokenRules,
    InstallationListing,
    OAuthRules,
    RefreshRules,
    TokenEncoding,
)
from .providers.policies import CoreIssueField, CorePolicy, DoctrineMode, FieldOwner
from .providers.reading import (
    NotAList,
    NotAnObject,
    read_answer,
    read_commits,
    read_identifier,
    read_moment,
    read_ref,
    read_text,
)
from .providers.remotes import GitRemote, parse_remote, parse_slug
from .providers.resources import Resource, ResourcePage, ResourceReference
from .providers.signatures import (
    BearerJwt,
    BodyTimestamp,
    HexHmac,
    PlainToken,
    SignatureScheme,
    StandardWebhooks,
    TimestampedHmac,
)
from .providers.subscriptions import (
    Subscribed,
    Subscription,
    SubscriptionAnswer,
    SubscriptionRules,
    SubscriptionScope,
    SubscriptionStep,
    Unsubscribed,
)
from .providers.suggestions import (
    Confidence,
    Evidence,
    Signal,
    Suggestion,
    SuggestionRequest,
    Target,
    suggest_by_issue_keys,
    suggest_by_remotes,
)
from .standin.codes import StandInCodes
from .standin.protocol import (
    SampleDelivery,
    StandIn,
    StandInFactory,
    StandInRegistration,
    StandInWebhook,
    SubscribedStandIn,
)
from .standin.web import StandInAnswer, StandInRequest, StandInResponse, StandInWeb, page_of

if TYPE_CHECKING:
    from .configuration import AppSettings, PluginSettings, Settings
    from .connectors import Connectors
    from .credentials.key_services import KeyService, ServiceKeys
    from .credentials.keyring import KeyRing
    from .credentials.secret import Secret
    from .dispatch.handlers import Dispatch
    from .installations.types import Installation
    from .links.types import UserLink
    from .loading.registry import Registry
    from .mappings.files import FileForm, MappingFile
    from .mappings.types import Direction, ResourceMapping, Selector
    from .policy.types import EffectivePolicy, PolicyOverride, PolicyScope
    from .routing.review.ignore_rules import IgnoreConditions
    from .routing.review.items import ReviewItem, ReviewState
    from .routing.simulation import Proposal, ProposedMapping, ProposedPolicy
    from .signals.service import SignalReport
    from .suggestions.types import ResourceSuggestion, SuggestionState
    from .tokens.access_tokens import ReconnectRequiredError
    from .web.application import Application
    from .web.visitors import Visitor

logging.getLogger(__name__).addHandler(logging.NullHandler())

_FOR_HOSTS = {
    "AppSettings": ".configuration",
    "Application": ".web.application",
    "Connectors": ".connectors",
    "Direction": ".mappings.types",
    "Dispatch": ".dispatch.handlers",
    "EffectivePolicy": ".policy.types",
    "FileForm": ".mappings.files",
    "IgnoreConditions": ".routing.review.ignore_rules",
    "Installation": ".installations.types",
    "KeyRing": ".credentials.keyring",
    "KeyService": ".credentials.key_services",
    "MappingFile": ".mappings.files",
    "PluginSettings": ".configuration",
    "PolicyOverride": ".policy.types",
    "PolicyScope": ".policy.types",
    "Proposal": ".routing.simulation",
    "ProposedMapping": ".routing.simulation",
    "ProposedPolicy": ".routing.simulation",
    "ReconnectRequiredError": ".tokens.access_tokens",
    "Registry": ".loading.registry",
    "ResourceMapping": ".mappings.types",
    "ResourceSuggestion": ".suggestions.types",
    "ReviewItem": ".routing.review.items",
    "ReviewState": ".routing.review.items",
    "Secret": ".credentials.secret",
    "Selector": ".mappings.types",
    "ServiceKeys": ".credentials.key_services",
    "Settings": ".configuration",
    "SignalReport": ".signals.service",
    "SuggestionState": ".suggestions.types",
    "UserLink": ".links.types",
    "Visitor": ".web.visitors",
}
"""Names that are imported when they are first asked for, and where they are."""


def __getattr__(name: str) -> object:
    """Import what only hosts need (PEP 562)."""
    if name not in _FOR_HOSTS:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_FOR_HOSTS[name], __name__), name)


__all__ = [
    "Account",
    "AccountGoneError",
    "ApiError",
    "ApiForbiddenError",
    "ApiNotFoundError",
    "ApiResponse",
    "ApiSession",
    "ApiThrottledError",
    "ApiUnauthorizedError",
    "ApiUnavailableError",
    "App",
    "AppSettings",
    "AppTokenRules",
    "Application",
    "Authorize",
    "AwaitApproval",
    "BaseUrls",
    "BearerJwt",
    "BodyHandshake",
    "BodyTimestamp",
    "Budget",
    "Capability",
    "Change",
    "ChooseAccount",
    "ClientAuthentication",
    "Confidence",
    "ConfigurationError",
    "ConflictError",
    "Connected",
    "Connectors",
    "ConnectorsError",
    "Conversation",
    "CoreIssueField",
    "CorePolicy",
    "Delivery",
    "Direction",
    "Dispatch",
    "DoctrineMode",
    "EffectivePolicy",
    "EgressRefusedError",
    "EnteredTokenRules",
    "Event",
    "Evidence",
    "ExternalIdentity",
    "FailureDialect",
    "FieldOwner",
    "FileForm",
    "FormProbe",
    "GitFacts",
    "GitRemote",
    "Grant",
    "Handshake",
    "HexHmac",
    "Hosts",
    "IdentityTokenRules",
    "IgnoreConditions",
    "Ignored",
    "InstallAnswer",
    "Installation",
    "InstallationListing",
    "KeyRing",
    "KeyService",
    "Lifecycle",
    "LinkAnswer",
    "Linked",
    "Listing",
    "Manifest",
    "MappingFile",
    "NotAList",
    "NotAnObject",
    "NotFoundError",
    "OAuthRules",
    "Outcome",
    "PendingApproval",
    "PlainToken",
    "PluginSettings",
    "PolicyOverride",
    "PolicyScope",
    "Proposal",
    "ProposedMapping",
    "ProposedPolicy",
    "RateLimitDialect",
    "ReconnectRequiredError",
    "Redirect",
    "RefreshRules",
    "Refused",
    "Registry",
    "ResetUnit",
    "Resource",
    "ResourceKind",
    "ResourceMapping",
    "ResourcePage",
    "ResourceReference",
    "ResourceSuggestion",
    "ReviewItem",
    "ReviewState",
    "SampleDelivery",
    "Secret",
    "Selector",
    "ServiceKeys",
    "Settings",
    "Signal",
    "SignalReport",
    "SignatureScheme",
    "StandIn",
    "StandInAnswer",
    "StandInCodes",
    "StandInFactory",
    "StandInRegistration",
    "StandInRequest",
    "StandInResponse",
    "StandInWeb",
    "StandInWebhook",
    "StandardWebhooks",
    "Subscribed",
    "SubscribedStandIn",
    "Subscription",
    "SubscriptionAnswer",
    "SubscriptionRules",
    "SubscriptionScope",
    "SubscriptionStep",
    "Suggestion",
    "SuggestionRequest",
    "SuggestionState",
    "Support",
    "Target",
    "TimestampedHmac",
    "TokenEncoding",
    "Unsubscribed",
    "UserLink",
    "Visitor",
    "WebhookRules",
    "hookimpl",
    "page_of",
    "parse_remote",
    "parse_slug",
    "read_answer",
    "read_commits",
    "read_identifier",
    "read_moment",
    "read_ref",
    "read_text",
    "refused_by_landing",
    "suggest_by_issue_keys",
    "suggest_by_remotes",
]
