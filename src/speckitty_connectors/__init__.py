"""Connect a SaaS and its customers to the services they work with: four layers, never mixed.

This is the door for hosts. A plugin is written with `speckitty_connectors.plugin`, its stand-in with
`speckitty_connectors.standin`, and both are judged by `speckitty_connectors.contract`; everything else is private.
"""

import logging
from importlib import import_module

_NAMES = {
    "apps.registration": "NewApp",
    "apps.service": "Apps BelongsToApp RegisteredApp",
    "configuration": "AppSettings PluginSettings Settings WorkerSettings",
    "connectors": "Connectors",
    "conversations.refusals": "OnboardingRefusedError Refusal",
    "conversations.steps": "PickAccount SendBrowser",
    "conversations.visitors": "Callback Visitor",
    "credentials.aws_kms": "AwsKms KmsClient",
    "credentials.hashicorp_vault": "VaultTransit",
    "credentials.key_services": "KeyService ServiceKeys",
    "credentials.keyring": "KeyRing",
    "credentials.rotation": "KeyRotation KeyUse Progress",
    "credentials.sealing": "KeyServiceUnavailableError Keys UnsealError",
    "credentials.secret": "Secret",
    "dispatch.handlers": "Dispatch EffectHandler HostHandler HostTransaction TransactionalHandler",
    "dispatch.parked": "ParkedCount ParkedFilter ParkedWork",
    "dispatch.pool": "WorkerPool",
    "dispatch.worker": "Worker",
    "errors": (
        "ConfigurationError ConflictError ConnectorsError NotFoundError StoreUnavailableError TextRefusedError"
    ),
    "identifiers": "Clock InstallationKey UnderInstallation",
    "inbox.accept": "Inbox",
    "inbox.repository": "StoredDelivery",
    "inbox.request": "Readable Request",
    "inbox.responses": "Answer",
    "installations.drift": "Difference DifferenceKind ProviderInstallation",
    "installations.entered_tokens": "EnteredTokens TokenRefusedError",
    "installations.inventory": "Inventory SyncInterruptedError SyncProgress SyncResult",
    "installations.onboarding": "Onboarding",
    "installations.removal": "Removed",
    "installations.statuses": "Action InstallationStatus NextStep StatusReason",
    "installations.steps": "Done Waiting",
    "installations.types": "Installation",
    "installations.upkeep": "Upkeep UpkeepResult",
    "links.offboarding": "Members Offboarded",
    "links.service": "Links",
    "links.types": "Acting Authority IdentityPath LinkDone LinkStatus RevokedLink UserLink",
    "loading.binding": "CapabilityUnsupportedError Provider",
    "loading.discovery": "PluginEntryPoint",
    "loading.registry": "Registry",
    "loading.statuses": "PluginState PluginStatus PluginUnavailableError",
    "mappings.files": "FileDifference FileFinding FileForm FileMapping MappingFile MappingFiles",
    "mappings.service": "Mappings",
    "mappings.types": "Direction MappingOrigin MappingState Overlap ResourceMapping Selector",
    "policy.resolution": "LoadedPolicies PolicyDifference",
    "policy.service": "Policies",
    "policy.types": "EffectivePolicy Level ScopedPolicy PolicyScope Provenance Statement",
    "providers.accounts": "Account App BaseUrls ExternalIdentity",
    "providers.api": (
        "ApiError ApiForbiddenError ApiNotFoundError ApiResponse ApiSession ApiThrottledError "
        "ApiUnauthorizedError ApiUnavailableError EgressRefusedError"
    ),
    "providers.conversations": "Refused",
    "providers.deliveries": "Change Event GitFacts Handshake Ignored Lifecycle",
    "providers.manifest": "Capability Manifest ResourceKind Support",
    "providers.policies": "CoreIssueField CorePolicy DoctrineMode FieldOwner",
    "providers.resources": "Resource ResourceReference",
    "providers.suggestions": "Confidence Evidence Signal Suggestion Target",
    "resources.types": "KnownResource ResourceStatus",
    "routing.explanation": "ExplainedDecision Explanation",
    "routing.repository": "DispatchState",
    "routing.review.ignore_rules": "IgnoreConditions",
    "routing.review.items": "ReviewItem ReviewReason ReviewState",
    "routing.review.queue": "Mapped ReviewQueue",
    "routing.review.replay": "Replay",
    "routing.simulation": "Proposal ProposedMapping ProposedPolicy Simulation",
    "routing.types": "Candidate Conclusion Decision RoutedTarget Stage",
    "signals.observations": "Unusable",
    "signals.service": "SignalReport Signals",
    "store.audit": "Audit AuditEntry",
    "store.engine": "Store",
    "subscriptions.service": "Subscriptions",
    "subscriptions.types": "HandMade SubscriptionResult Webhook",
    "suggestions.refresh": "RefreshResult",
    "suggestions.service": "Suggestions",
    "suggestions.types": "Finding ResourceSuggestion Source SuggestionState",
    "tokens.access_tokens": "ReconnectRequiredError",
    "tokens.oauth": "Revocation",
    "web.application": "Application Identify",
    "web.pages": "Page Present",
}
"""Where each public name is. It is imported when it is first named (PEP 562), so that a start costs nothing; type
checkers read `__init__.pyi`, which ``make reference`` writes from this."""

_MODULES = {name: f".{module}" for module, names in _NAMES.items() for name in names.split()}

logging.getLogger(__name__).addHandler(logging.NullHandler())


def __getattr__(name: str) -> object:
    """Import a public name when it is first named; one that moved to a plugin's doors is still found."""
    for door in [_MODULES[name]] if name in _MODULES else [] if name.startswith("_") else [".plugin", ".standin"]:
        module = import_module(door, __name__)
        if hasattr(module, name):
            return getattr(module, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(_MODULES)
