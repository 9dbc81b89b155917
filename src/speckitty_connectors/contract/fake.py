"""A provider that lives in memory: for a host's own tests, for demos, and as a plugin to read first.

Nothing but the OAuth token endpoints would be asked over the network; tests answer those themselves.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Annotated, Any, TypeVar

import msgspec
from attrs import frozen

from ..plugin import (
    Account,
    Authorize,
    BaseUrls,
    Capability,
    Change,
    ChooseAccount,
    Confidence,
    Connected,
    Conversation,
    Delivery,
    Event,
    Evidence,
    ExternalIdentity,
    GitFacts,
    Handshake,
    HexHmac,
    Hosts,
    Ignored,
    InstallAnswer,
    Lifecycle,
    LinkAnswer,
    Linked,
    Listing,
    Manifest,
    OAuthRules,
    Outcome,
    RefreshRules,
    Refused,
    Resource,
    ResourceKind,
    ResourcePage,
    ResourceReference,
    Subscribed,
    Subscription,
    SubscriptionAnswer,
    SubscriptionRules,
    SubscriptionScope,
    SubscriptionStep,
    Suggestion,
    SuggestionRequest,
    Support,
    Target,
    Unsubscribed,
    WebhookRules,
    hookimpl,
)

T = TypeVar("T")

OAUTH = OAuthRules(
    authorize_url="{web}/oauth/authorize",
    token_url="{web}/oauth/token",  # noqa: S106 - a URL
    scopes=("boards:read",),
    kept_fields=("account", "accounts", "installation", "user"),
    refresh=RefreshRules(),
)
"""One flow for accounts and people; the token answer itself names both."""


@frozen(kw_only=True)
class FakePolicy:
    """What a project may want otherwise of boards.

    Attributes:
        digest_hours: how often a summary is made, in hours; or never.
        labels: labels of new cards; none by default.
    """

    digest_hours: int | None = 24
    labels: tuple[str, ...] | None = None


MANIFEST = Manifest(
    provider="fake",
    title="Fake Boards",
    summary="Boards in spaces, in memory; for tests and demos.",
    documentation="https://fake.example/docs",
    hosts=Hosts(
        default="fake.example",
        urls=BaseUrls(web="https://fake.example", api="https://api.fake.example"),
        self_managed=BaseUrls(web="{base}", api="{base}/api"),
    ),
    capabilities={capability: Support.full() for capability in Capability},
    resource_kinds=(
        ResourceKind(name="board", title="Board", git=True, parent="space", aliases=("fake_board",)),
        ResourceKind(name="space", title="Space", parent="space"),
    ),
    webhooks=WebhookRules(
        schemes={"secret": HexHmac(header="X-Fake-Signature", prefix="sha256=")},
        kind_header="X-Fake-Event",
        delivery_id_header="X-Fake-Delivery",
        unrouted_kinds=frozenset({"heartbeat"}),
        subscriptions=SubscriptionRules(scopes=(SubscriptionScope.ACCOUNT,)),
    ),
    install_oauth=OAUTH,
    link_oauth=OAUTH,
    policy=FakePolicy,
)
"""What the fake provider declares: every capability, boards (git) in spaces, one signature scheme, a policy."""

DEMO_RESOURCES = (
    Resource(kind="space", id="s1", key="kitchen"),
    Resource(kind="board", id="b1", key="kitchen/menu", parent_id="s1"),
    Resource(kind="board", id="b2", key="kitchen/orders", parent_id="s1"),
)
"""The space and the two boards of a `FakeProvider` that is given none."""


class _Place(msgspec.Struct):
    id: str
    key: str = ""


class _Document(msgspec.Struct):
    """The body of a delivery; every field may be missing, and unknown ones are left aside."""

    event: str = ""
    action: str = ""
    change: Change | None = None
    installation: str = ""
    account: Account | None = None
    board: _Place | None = None
    space: _Place | None = None
    actor: ExternalIdentity | None = None
    identities: tuple[ExternalIdentity, ...] = ()
    requester: ExternalIdentity | None = None
    git: GitFacts | None = None
    subject: str = ""
    former: tuple[str, ...] = ()
    scopes: tuple[str, ...] | None = None
    private: bool | None = None
    registrations: tuple[str, ...] = ()
    relist: bool = False
    at: Annotated[datetime, msgspec.Meta(tz=True)] | None = None

    def named(self, *fields: str) -> dict[str, Any]:
        return {field: getattr(self, field) for field in fields}

    def resources(self) -> tuple[ResourceReference, ...]:
        places = (("board", self.board), ("space", self.space))
        return tuple(ResourceReference(kind=kind, id=place.id, key=place.key) for kind, place in places if place)


class FakeProvider:
    """The provider ``fake``: boards in spaces, in memory.

    A delivery is one JSON document with any of ``event``, ``action``, ``installation``, ``account``,
    ``board``, ``space``, ``actor`` (objects with an ``id``), ``git``, ``subject`` and ``at`` (ISO 8601); all
    ids are text. A ``change`` makes it a `Lifecycle`, the event ``ping`` a `Handshake`. `resources` is what
    its listing shows, `webhooks` what is registered with it.

    >>> body = b'{"event": "card", "action": "moved", "board": {"id": "b1", "key": "kitchen/menu"}}'
    >>> delivery = Delivery(provider="fake", host="fake.example", kind="card", content=body,
    ...                     received_at=datetime(2026, 1, 2, tzinfo=UTC))
    >>> event = FakeProvider().route_event(delivery)
    >>> event.kind, event.action, event.resources[0].id
    ('card', 'moved', 'b1')
    """

    manifest = MANIFEST

    def __init__(self, resources: Sequence[Resource] = DEMO_RESOURCES) -> None:
        self.resources = tuple(resources)
        self.webhooks: dict[str, Subscription] = {}

    @hookimpl
    def install(self, conversation: Conversation) -> InstallAnswer:
        """Connect the token answer's ``account``, or those picked from its ``accounts``."""
        grant = conversation.grant
        if grant is None:
            return Authorize()
        accounts = _read(grant.details.get("accounts", [grant.details.get("account")]), tuple[Account, ...]) or ()
        if len(accounts) > 1 and not conversation.choice:
            return ChooseAccount(accounts=accounts, several=True)
        if conversation.choice:
            accounts = tuple(account for account in accounts if account.id in conversation.choice)
        if not accounts:
            return Refused(code="no_account", reason="The grant reaches no account.", remedy="Pick an account.")
        return Connected(
            accounts=accounts,
            installation=str(grant.details.get("installation", "")),
            scopes=grant.scopes,
            connected_by=_read(grant.details.get("user"), ExternalIdentity),
        )

    @hookimpl
    def link_user(self, conversation: Conversation) -> LinkAnswer:
        """Link the token answer's ``user``."""
        if conversation.grant is None:
            return Authorize()
        person = _read(conversation.grant.details.get("user"), ExternalIdentity)
        if person is None:
            return Refused(code="no_user", reason="The grant names no user.", remedy="Sign in and try again.")
        return Linked(identity=person)

    @hookimpl
    def list_resources(self, listing: Listing) -> Iterator[ResourcePage]:
        """Page through the resources in memory; the cursor is the index of the next one."""
        for start in range(int(listing.cursor or 0), max(len(self.resources), 1), listing.page_size):
            end = start + listing.page_size
            cursor = str(end) if end < len(self.resources) else ""
            yield ResourcePage(resources=self.resources[start:end], cursor=cursor)

    @hookimpl
    def suggest_mappings(self, request: SuggestionRequest) -> Sequence[Suggestion]:
        """Suggest a resource for the one project whose repository slug is its key."""
        suggestions = []
        for resource in request.resources:
            projects = {signal.project_id for signal in request.signals if signal.repo_slug == resource.key}
            if len(projects) == 1:
                project = projects.pop()
                suggestions.append(
                    Suggestion(
                        resource_kind=resource.kind,
                        resource_id=resource.id,
                        target=Target(kind="project", id=project),
                        confidence=Confidence.HIGH,
                        evidence=(Evidence(rule="slug", text=f"{project} names {resource.key}"),),
                    )
                )
        return suggestions

    @hookimpl
    def route_event(self, delivery: Delivery) -> Outcome:
        """Say what a document means; whatever can't be read is ignored, with the reason."""
        try:
            document = msgspec.json.decode(delivery.content, type=_Document)
            at = document.at.astimezone(UTC) if document.at else None
        except (msgspec.MsgspecError, ValueError, OverflowError, RecursionError) as error:
            return Ignored(reason=f"not a document of this provider ({type(error).__name__})")
        if document.change is not None:
            return _lifecycle(document, document.change, at)
        if document.event == "ping":
            return Handshake()
        if not document.resources():
            return Ignored(reason="it names no board and no space")
        named = document.named("action", "git", "subject", "registrations", "installation", "account", "actor")
        kind = document.event or delivery.kind
        return Event(kind=kind, resources=document.resources(), occurred_at=at, **named)

    @hookimpl
    def subscribe(self, subscription: Subscription) -> SubscriptionAnswer:
        """Keep webhooks in memory, each under its own address."""
        if subscription.step is SubscriptionStep.REMOVE:
            self.webhooks.pop(subscription.url, None)
            return Unsubscribed()
        if subscription.step is SubscriptionStep.REGISTER:
            self.webhooks[subscription.url] = subscription
        if subscription.url not in self.webhooks:
            return Unsubscribed(reason="somebody deleted it")
        return Subscribed(registration=subscription.url.rpartition("/")[2], scheme="secret")


def _lifecycle(document: _Document, change: Change, at: datetime | None) -> Lifecycle:
    named = document.named("former", "identities", "requester", "scopes", "private", "relist")
    whose = document.named("installation", "account", "actor")
    return Lifecycle(change=change, resources=document.resources(), occurred_at=at, **named, **whose)


def _read(document: object, kind: type[T]) -> T | None:
    try:
        return msgspec.convert(document, kind)
    except msgspec.ValidationError:
        return None
