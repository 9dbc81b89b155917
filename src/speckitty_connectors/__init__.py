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
from .providers.deliveries import (
    Change,
    Delivery,
    Event,
    GitFacts,
    Handshake,
    Ignored,
    Lifecycle,
    Outcome,
)
from .providers.failures import FailureDialect
from .providers.issue_key_suggestions import suggest_by_issue_keys
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
from .providers.remote_suggestions import suggest_by_remotes
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
from .providers.standin import (
    SampleDelivery,
    StandIn,
    StandInFactory,
    StandInRegistration,
    StandInWebhook,
    SubscribedStandIn,
)
from .providers.standin_codes import StandInCodes
from .providers.standin_web import StandInAnswer, StandInRequest, StandInResponse, StandInWeb, page_of
from .providers.subscriptions import (
    Subscribed,
    Subscription,
    SubscriptionAnswer,
    SubscriptionRules,
    SubscriptionScope,
    SubscriptionStep,
    Unsubscribed,
)
from .providers.suggestions import Confidence, Evidence, Signal, Suggestion, SuggestionRequest, Target

if TYPE_CHECKING:
    from .configuration import AppSettings, PluginSettings, Settings
    from .connectors import Connectors
    from .credentials.key_services import KeyService, ServiceKeys
    from .credentials.keyring import KeyRing
    from .credentials.renewing import ReconnectRequiredError
    from .credentials.secret import Secret
    from .dispatch.types import Dispatch
    from .installations.types import Installation
    from .links.types import UserLink
    from .mappings.files import FileForm, MappingFile
    from .mappings.signals import SignalReport
    from .mappings.suggestions_types import ResourceSuggestion, SuggestionState
    from .mappings.types import Direction, ResourceMapping, Selector
    from .overrides.types import EffectivePolicy, PolicyOverride, PolicyScope
    from .providers.registry import Registry
    from .routing.ignoring import IgnoreConditions
    from .routing.review import ReviewItem, ReviewState
    from .routing.simulation import Proposal, ProposedMapping, ProposedPolicy
    from .web.application import Application
    from .web.visitors import Visitor

logging.getLogger(__name__).addHandler(logging.NullHandler())

_FOR_HOSTS = {
    "AppSettings": ".configuration",
    "Application": ".web.application",
    "Connectors": ".connectors",
    "Direction": ".mappings.types",
    "Dispatch": ".dispatch.types",
    "EffectivePolicy": ".overrides.types",
    "FileForm": ".mappings.files",
    "IgnoreConditions": ".routing.ignoring",
    "Installation": ".installations.types",
    "KeyRing": ".credentials.keyring",
    "MappingFile": ".mappings.files",
    "PluginSettings": ".configuration",
    "PolicyOverride": ".overrides.types",
    "PolicyScope": ".overrides.types",
    "Proposal": ".routing.simulation",
    "ProposedMapping": ".routing.simulation",
    "ProposedPolicy": ".routing.simulation",
    "KeyService": ".credentials.key_services",
    "ReconnectRequiredError": ".credentials.renewing",
    "Registry": ".providers.registry",
    "ResourceMapping": ".mappings.types",
    "ResourceSuggestion": ".mappings.suggestions_types",
    "ReviewItem": ".routing.review",
    "ReviewState": ".routing.review",
    "Secret": ".credentials.secret",
    "Selector": ".mappings.types",
    "ServiceKeys": ".credentials.key_services",
    "Settings": ".configuration",
    "SignalReport": ".mappings.signals",
    "SuggestionState": ".mappings.suggestions_types",
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
