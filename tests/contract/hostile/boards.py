"""An honest provider that asks an API: what every misbehaviour in this folder starts from."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from contextlib import suppress
from typing import TypeVar

import msgspec
from attrs import evolve

from speckitty_connectors import (
    Account,
    ApiError,
    ApiForbiddenError,
    ApiNotFoundError,
    ApiResponse,
    BaseUrls,
    ExternalIdentity,
    Refused,
    Resource,
)
from speckitty_connectors.contract.fake import MANIFEST as FAKE
from speckitty_connectors.contract.fake import FakeProvider
from speckitty_connectors.plugin import (
    AppTokenRules,
    Authorize,
    BodyHandshake,
    ChooseAccount,
    Connected,
    Conversation,
    Delivery,
    Hosts,
    Ignored,
    InstallAnswer,
    LinkAnswer,
    Linked,
    Listing,
    OAuthRules,
    Outcome,
    PlainToken,
    RateLimitDialect,
    RefreshRules,
    ResourcePage,
    Subscribed,
    Subscription,
    SubscriptionAnswer,
    SubscriptionStep,
    TimestampedHmac,
    Unsubscribed,
    hookimpl,
)

T = TypeVar("T")

OAUTH = OAuthRules(
    authorize_url="{web}/oauth/authorize",
    token_url="{web}/oauth/token",
    scopes=("boards:read",),
    refresh=RefreshRules(grace_seconds=60),
)

MANIFEST = evolve(
    FAKE,
    provider="hostile",
    title="Hostile Boards",
    hosts=Hosts(
        default="hostile.example",
        urls=BaseUrls(web="https://hostile.example", api="https://api.hostile.example"),
        self_managed=BaseUrls(web="{base}", api="{base}/api"),
    ),
    webhooks=evolve(
        FAKE.webhooks,
        schemes={
            "timed": TimestampedHmac(header="X-Hostile-Signature", timestamp_header="X-Hostile-Time"),
            "token": PlainToken(header="X-Hostile-Token"),
        },
        kind_header="X-Hostile-Event",
        delivery_id_header="X-Hostile-Delivery",
        unrouted_kinds=frozenset(),
        body_limit=1024 * 1024,
        handshake=BodyHandshake(field="type", value="challenge", answer_field="challenge"),
        subscriptions=FAKE.webhooks.subscriptions,
    ),
    install_oauth=OAUTH,
    link_oauth=OAUTH,
    app_tokens=AppTokenRules(mint_url="{api}/installations/{installation}/tokens"),
    rate_limits=RateLimitDialect(conditional_statuses=frozenset({403}), phrases=("too many cards",)),
    app_settings={"slug": "the app's name in its URL"},
)
"""What the provider declares while every switch is off."""


class _Person(msgspec.Struct):
    id: str
    name: str


class _Board(msgspec.Struct):
    id: str
    name: str


class _Hook(msgspec.Struct):
    id: str


class _Space(msgspec.Struct):
    id: str


class _Whose(msgspec.Struct):
    by_app: object = None
    whispered: object = None


class _Boards(msgspec.Struct):
    boards: list[_Board]
    next: str
    total: int | None = None


class Boards(FakeProvider):
    """Boards behind an API; deliveries are those of the provider ``fake``.

    >>> Boards().manifest.provider
    'hostile'
    """

    manifest = MANIFEST

    @hookimpl
    def install(self, conversation: Conversation) -> InstallAnswer:
        """Connect the accounts of the grant, those that were picked where there are several."""
        if conversation.grant is None or conversation.grant.session is None:
            return Authorize()
        session = conversation.grant.session
        found = [Account(id=one.id, name=one.name) for one in read(session.get("/accounts"), list[_Person])]
        if len(found) > 1 and not conversation.choice:
            return ChooseAccount(accounts=tuple(found), several=True)
        chosen = tuple(account for account in found if not conversation.choice or account.id in conversation.choice)
        if not chosen:
            return Refused(code="no_account", reason="The grant reaches no account.", remedy="Pick an account.")
        return Connected(accounts=chosen, connected_by=self.who(session.get("/user")))

    @hookimpl
    def link_user(self, conversation: Conversation) -> LinkAnswer:
        """Link the person of the grant."""
        if conversation.grant is None or conversation.grant.session is None:
            return Authorize()
        return Linked(identity=self.who(conversation.grant.session.get("/user")))

    @hookimpl
    def list_resources(self, listing: Listing) -> Iterator[ResourcePage]:
        """Page through the boards, space by space; the cursor is the API's own, behind the space."""
        begun, _, _ = listing.cursor.rpartition("|")
        spaces = [space for space in self.spaces(listing) if space >= begun]
        for space, following in itertools.zip_longest(spaces, spaces[1:], fillvalue=""):
            after = f"{following}|" if following else ""
            cursor = listing.cursor if space == begun else f"{space}|"
            try:
                while page := self.page(listing, cursor):
                    cursor = page.cursor
                    yield page if cursor else evolve(page, cursor=after)
                    if not cursor:
                        break
            except (ApiForbiddenError, ApiNotFoundError) as error:
                if not space:
                    raise
                yield ResourcePage(resources=(), cursor=after, skipped=(f"space {space}: {error.what}",))

    @hookimpl
    def route_event(self, delivery: Delivery) -> Outcome:
        """Route what is neither the app's own doing nor between people alone."""
        with suppress(msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            said = msgspec.json.decode(delivery.content, type=_Whose)
            if said.by_app is True or said.whispered is True:
                return Ignored(reason="it is the app's own doing, or between people")
        return super().route_event(delivery)

    @hookimpl
    def subscribe(self, subscription: Subscription) -> SubscriptionAnswer:
        """Make a webhook, read it back, or delete it."""
        session, path = subscription.session, f"/hooks/{subscription.registration}"
        if session is None:
            return Unsubscribed()
        if subscription.step is SubscriptionStep.REGISTER:
            document = {"url": subscription.url, "secret": subscription.secret}
            return Subscribed(registration=read(session.post("/hooks", document=document), _Hook).id)
        if subscription.step is SubscriptionStep.REMOVE:
            session.delete(path)
            return Unsubscribed()
        return Subscribed(registration=read(session.get(path), _Hook).id)

    def spaces(self, listing: Listing) -> list[str]:
        """Ask which spaces there are, where the account has any."""
        if listing.account.kind != "house":
            return [""]
        return sorted(space.id for space in read(listing.session.get("/spaces"), list[_Space]))

    def page(self, listing: Listing, cursor: str) -> ResourcePage:
        """Ask for one page."""
        space, _, after = cursor.rpartition("|")
        asked = {"space": space, "after": after}
        parameters = {"limit": str(listing.page_size), **{name: value for name, value in asked.items() if value}}
        answer = read(listing.session.get("/boards", parameters=parameters), _Boards)
        boards = tuple(Resource(kind="board", id=board.id, key=board.name) for board in answer.boards)
        cursor = f"{space}|{answer.next}" if space and answer.next else answer.next
        return ResourcePage(resources=boards, cursor=cursor, total=answer.total)

    def who(self, response: ApiResponse) -> ExternalIdentity:
        """Return the person of an answer."""
        person = read(response, _Person)
        return ExternalIdentity(id=person.id, name=person.name)


def read(response: ApiResponse, shape: type[T]) -> T:
    """Return an answer in its shape.

    Raises:
        ApiError: it has another one.
    """
    try:
        return msgspec.convert(response.json(), shape)
    except msgspec.ValidationError as error:
        raise ApiError(
            "the answer isn't what was documented", subject="hostile", remedy="tell its authors"
        ) from error
