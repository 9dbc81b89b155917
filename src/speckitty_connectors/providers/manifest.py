"""What a plugin declares about itself; the host, the docs and the contract suite read the same object."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from enum import StrEnum
from types import MappingProxyType

from attrs import AttrsInstance, field, frozen
from attrs.validators import ge, matches_re, min_len

from .accounts import BaseUrls
from .failures import FailureDialect
from .oauth import AppTokenRules, EnteredTokenRules, OAuthRules
from .policies import check_policy
from .signatures import SignatureScheme
from .subscriptions import SubscriptionRules

CONTRACT_MAJOR = 1
"""The major version of the plugin contract; it is part of the entry-point group's name."""

CONTRACT_MINOR = 0
"""The newest minor version of the contract that this core knows."""

KEY = re.compile(r"[a-z][a-z0-9_]{1,39}")
"""What a provider key looks like."""


class Capability(StrEnum):
    """What a plugin may be able to do: one per hook."""

    INSTALL = "install"
    LINK_USER = "link_user"
    LIST_RESOURCES = "list_resources"
    SUGGEST_MAPPINGS = "suggest_mappings"
    ROUTE_EVENT = "route_event"
    SUBSCRIBE = "subscribe"


@frozen(kw_only=True)
class Support:
    """How far a capability goes: full, partial with a reason, or not at all.

    >>> Support.partial("renames are found by listing only").reason
    'renames are found by listing only'
    """

    level: str = field(validator=matches_re("full|partial|unsupported"))
    reason: str = ""

    @classmethod
    def full(cls) -> Support:
        """Return full support."""
        return cls(level="full")

    @classmethod
    def partial(cls, reason: str) -> Support:
        """Return support with a gap that `reason` names."""
        return cls(level="partial", reason=reason)

    @classmethod
    def unsupported(cls, reason: str) -> Support:
        """Return no support, and why."""
        return cls(level="unsupported", reason=reason)


@frozen(kw_only=True)
class ResourceKind:
    """A kind of resource that the provider lets one map.

    Attributes:
        name: the provider's word, for example ``repository``.
        title: for people, for example ``Repository``.
        git: whether it is a git repository, so that git signals say something about it.
        parent: the kind of what contains it, whose id `Resource.parent_id` is; its own name where such things
            nest (a group in a group); empty where nothing contains it. A mapping of what contains a resource
            takes the events of it that has none of its own.
        aliases: other words for the kind that hosts and files use, for example ``github_repo``.

    >>> ResourceKind(name="repository", title="Repository", git=True, aliases=("github_repo",)).git
    True
    """

    name: str = field(validator=min_len(1))
    title: str = ""
    git: bool = False
    parent: str = ""
    aliases: tuple[str, ...] = ()


@frozen(kw_only=True)
class Hosts:
    """Where the provider lives, and where its self-managed editions live.

    Attributes:
        default: the provider's own host, for example ``github.com``.
        urls: base URLs of the default host.
        self_managed: templates over ``{base}`` (an operator's base URL), or None where there is no such edition.
        aliases: further names under which git remotes call the default host, for example ``ssh.github.com``.

    >>> Hosts(default="github.com", urls=BaseUrls(web="https://github.com", api="https://api.github.com"),
    ...       self_managed=BaseUrls(web="{base}", api="{base}/api/v3")).default
    'github.com'
    """

    default: str
    urls: BaseUrls
    self_managed: BaseUrls | None = None
    aliases: tuple[str, ...] = ()


@frozen(kw_only=True)
class BodyHandshake:
    """A signed request that must be answered at once by echoing one of its fields (Slack).

    >>> BodyHandshake(field="type", value="url_verification", answer_field="challenge").answer_field
    'challenge'
    """

    field: str
    value: str
    answer_field: str


@frozen(kw_only=True)
class FormProbe:
    """An unsigned form, or query, by which a provider looks whether the address answers (Slack).

    It is answered with an empty 200 for anyone, and nothing is stored.

    >>> FormProbe(field="ssl_check", value="1").field
    'ssl_check'
    """

    field: str
    value: str


def _read_only_schemes(schemes: Mapping[str, SignatureScheme]) -> Mapping[str, SignatureScheme]:
    return MappingProxyType(dict(schemes))


@frozen(kw_only=True)
class WebhookRules:
    """How deliveries arrive, and what core checks before any plugin code runs.

    Attributes:
        schemes: name → scheme, strongest first. Each stored secret names its scheme, and the strongest scheme
            that an endpoint has a secret for is the only one it accepts.
        kind_header: header that names the event kind, or empty.
        delivery_id_header: header with the id that stays the same on re-delivery, or empty.
        former_id_header: header with the same id where an older version of the provider sends no
            `delivery_id_header`, or empty.
        delivery_id_field: top-level field of the document with that id, where no header has it; or empty.
            Where a delivery has neither, core uses the digest of its body.
        kept_headers: further headers that `route_event` needs; signatures and cookies can't be kept.
        form_field: field of a form that holds the JSON document, or empty where forms have only fields.
        content_types: media types that are accepted.
        body_limit: largest body in bytes.
        unrouted_kinds: values of the kind header that never concern a resource; they are recorded without
            their body and never reach `route_event`.
        handshake: how a signed challenge is answered, or None.
        client_secret_scheme: name of the scheme in which the provider's own host signs with the app's client
            secret, or empty where an app has webhook secrets. Then the webhook secrets of a registration are
            further client secrets, accepted while one replaces the other.
        delivery_id_per_account: whether the ids are unique within one account only, so that what comes under a
            known id with other content is another delivery.
        probe: the unsigned request by which the provider looks whether the address answers, or None.
        bare_answers: media types whose deliveries are acknowledged by an empty 200, because the provider shows
            the answer to a person, or acts on it.
        subscriptions: how webhooks are registered through the provider's API, or None where they aren't.

    >>> from speckitty_connectors.providers.signatures import HexHmac
    >>> WebhookRules(schemes={"secret": HexHmac(header="X-Hub-Signature-256", prefix="sha256=")}).body_limit
    26214400
    """

    schemes: Mapping[str, SignatureScheme] = field(validator=min_len(1), converter=_read_only_schemes)
    kind_header: str = ""
    delivery_id_header: str = ""
    former_id_header: str = ""
    delivery_id_field: str = ""
    kept_headers: tuple[str, ...] = ()
    form_field: str = ""
    content_types: tuple[str, ...] = ("application/json",)
    body_limit: int = field(default=25 * 1024 * 1024, validator=ge(1))
    unrouted_kinds: frozenset[str] = frozenset()
    handshake: BodyHandshake | None = None
    client_secret_scheme: str = ""
    delivery_id_per_account: bool = False
    probe: FormProbe | None = None
    bare_answers: frozenset[str] = frozenset()
    subscriptions: SubscriptionRules | None = None


class ResetUnit(StrEnum):
    """How a provider writes the moment at which a rate limit ends."""

    EPOCH_SECONDS = "epoch_seconds"
    EPOCH_MILLISECONDS = "epoch_milliseconds"
    ISO_8601 = "iso_8601"


class Budget(StrEnum):
    """Whose requests a rate limit counts together."""

    APP = "app"
    ACCOUNT = "account"
    CALL = "call"


@frozen(kw_only=True)
class RateLimitDialect:
    """How a provider says "too fast": read in this order, first match decides how long to wait.

    Attributes:
        statuses: HTTP statuses that always mean throttling.
        conditional_statuses: statuses that mean it only when `retry_after` is there, nothing remains, or the body
            has one of the `phrases`.
        phrases: what the body of a refusal says, in lower case, where it is a limit and no header tells so.
        retry_after: header with seconds to wait.
        remaining: header with what is left.
        reset: header with the end of the window.
        reset_unit: how `reset` is written.
        further_limits: where several limits hold at once, the headers with what is left of each other one → those
            with the end of its window. The latest end counts of those of which nothing is left.
        error_code: where throttling hides in another status, the JSON error code that tells it; or empty.
        fallback_seconds: wait where nothing is said; doubled at each further try.
        budget_header: header that names the limit that was reached, or empty.
        budgets: what that header may say → whose requests the limit counts together, and so must wait. A limit
            that isn't named counts the one call.

    >>> RateLimitDialect(remaining="x-ratelimit-remaining", reset="x-ratelimit-reset").fallback_seconds
    60
    """

    statuses: frozenset[int] = frozenset({429})
    conditional_statuses: frozenset[int] = frozenset()
    phrases: tuple[str, ...] = ()
    retry_after: str = "retry-after"
    remaining: str = ""
    reset: str = ""
    reset_unit: ResetUnit = ResetUnit.EPOCH_SECONDS
    further_limits: Mapping[str, str] = field(factory=dict)
    error_code: str = ""
    fallback_seconds: int = field(default=60, validator=ge(1))
    budget_header: str = ""
    budgets: Mapping[str, Budget] = field(factory=dict)


NO_SUBSCRIPTIONS = Support.unsupported("its webhooks aren't registered through an API")
"""What applies where a manifest doesn't name `Capability.SUBSCRIBE`, as most have no need to."""


def _kinds_contain_each_other(_: object, __: object, value: tuple[ResourceKind, ...]) -> None:
    names = [kind.name for kind in value]
    for position, kind in enumerate(value):
        if kind.parent and kind.parent not in names[position:]:
            raise ValueError(f"the parent of kind {kind.name} must be itself or a kind after it, not {kind.parent}")
        if set(kind.aliases) & set(names):
            raise ValueError(f"an alias of kind {kind.name} is the name of a kind")


def _read_only_capabilities(capabilities: Mapping[Capability, Support]) -> Mapping[Capability, Support]:
    named = dict(capabilities)
    named.setdefault(Capability.SUBSCRIBE, NO_SUBSCRIPTIONS)
    return MappingProxyType(named)


def _names_every_hook(_: object, __: object, value: Mapping[Capability, Support]) -> None:
    missing = [capability.value for capability in Capability if capability not in value]
    if missing:
        raise ValueError(f"the manifest's capabilities must name every hook; missing: {', '.join(missing)}")


def _is_a_policy(_: object, __: object, value: type[AttrsInstance] | None) -> None:
    check_policy(value)


@frozen(kw_only=True)
class Manifest:
    """Everything that core needs to know of a provider without knowing the provider.

    Attributes:
        provider: provider key, equal to the entry point's name.
        title: the provider's name for people.
        contract_minor: minor version of the contract the plugin was written for; the major is in the group.
        summary: one sentence for people who choose what to connect.
        documentation: URL of the plugin's page.
        hosts: where the provider lives.
        capabilities: support per hook, each named; only `SUBSCRIBE` may be left out, and is unsupported then.
        resource_kinds: what can be mapped, most specific first; an event's resource of an earlier kind wins.
        webhooks: how deliveries arrive.
        install_oauth: the flow that `Authorize` runs in `install`, or None.
        link_oauth: the flow that `Authorize` runs in `link_user`, or None.
        app_tokens: how the app mints installation tokens, or None where the installation keeps its grant.
        entered_tokens: which tokens an admin may enter for an installation, or None.
        rate_limits: how throttling is told.
        failures: how failures are told where the HTTP status doesn't, or None where it does.
        app_settings: public settings that an app registration needs, name → what it is.
        optional_settings: further public settings that it may have, name → what it is.
        api_headers: headers of every API request, for example the accepted media type and version.
        api_page_size: how many entries a listing asks for.
        policy: attrs class of what workspaces and projects may want otherwise of this provider, beside what
            `CorePolicy` has for all; its defaults are the library's. A field takes "explicitly none" where its type
            has None. None where there is nothing.
    """

    provider: str = field(validator=matches_re(KEY))
    title: str = field(validator=min_len(1))
    summary: str
    documentation: str
    hosts: Hosts
    capabilities: Mapping[Capability, Support] = field(
        converter=_read_only_capabilities, validator=_names_every_hook
    )
    resource_kinds: tuple[ResourceKind, ...] = field(validator=_kinds_contain_each_other)
    webhooks: WebhookRules
    contract_minor: int = CONTRACT_MINOR
    install_oauth: OAuthRules | None = None
    link_oauth: OAuthRules | None = None
    app_tokens: AppTokenRules | None = None
    entered_tokens: EnteredTokenRules | None = None
    rate_limits: RateLimitDialect = field(factory=RateLimitDialect)
    failures: FailureDialect | None = None
    app_settings: Mapping[str, str] = field(factory=dict)
    optional_settings: Mapping[str, str] = field(factory=dict)
    api_headers: Mapping[str, str] = field(factory=dict)
    api_page_size: int = 100
    policy: type[AttrsInstance] | None = field(default=None, validator=_is_a_policy)

    def parent_kinds(self) -> Mapping[str, str]:
        """Return each kind that something contains → the kind of that."""
        return {kind.name: kind.parent for kind in self.resource_kinds if kind.parent}

    def kind_named(self, word: str) -> str:
        """Return the kind that a host's or a file's word means, or the word itself where it means none."""
        return next((kind.name for kind in self.resource_kinds if word in kind.aliases), word)

    def missing_scopes(self, granted: Collection[str]) -> tuple[str, ...]:
        """Return what an installation needs and wasn't granted."""
        if self.app_tokens is not None:
            return self.app_tokens.missing_scopes(granted)
        required = self.install_oauth.required_scopes if self.install_oauth else ()
        return tuple(scope for scope in required if scope not in granted)

    def rank(self, kind: str) -> int:
        """Return how specific a resource kind is: 0 for the most specific, unknown kinds last."""
        names = [resource_kind.name for resource_kind in self.resource_kinds]
        return names.index(kind) if kind in names else len(names)
