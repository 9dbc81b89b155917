"""The hooks of a provider plugin: five that every plugin names, and one for webhooks made through an API.

Hooks are addressed to one provider: core binds them once when the plugin is loaded, it never broadcasts. A
plugin is a module with an attribute `manifest` and one function per capability, each marked `@hookimpl`; an object
with such methods is one too.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import pluggy

from .providers.api import Listing
from .providers.conversations import Conversation, InstallAnswer, LinkAnswer
from .providers.deliveries import Delivery, Outcome
from .providers.resources import ResourcePage
from .providers.subscriptions import Subscription, SubscriptionAnswer
from .providers.suggestions import Suggestion, SuggestionRequest

PROJECT_NAME = "speckitty_connectors"
"""The pluggy project that both markers belong to."""

hookspec = pluggy.HookspecMarker(PROJECT_NAME)
hookimpl = pluggy.HookimplMarker(PROJECT_NAME)
"""Marks a function of a plugin as the implementation of the hook of the same name."""


@hookspec(firstresult=True)
def install(conversation: Conversation) -> InstallAnswer:  # type: ignore[empty-body]  # a spec
    """Answer one step of connecting an account; no project is part of it.

    The first step has neither `parameters` nor `grant`. Answer `Redirect` to send the person to the provider,
    `Authorize` to have core run the manifest's OAuth flow and ask again with a grant, `ChooseAccount` where
    the grant reaches several, `AwaitApproval` where an owner must agree first, `Connected` once control of
    the account is **proven** by the grant, never by an id in the URL alone, or `Refused`.

    With `pending` nobody is at a browser: core asks how a request stands. Answer `AwaitApproval` while it waits
    (with the account, once that is known), `Connected` with the requester as `connected_by` where the provider
    says that this request was approved, `Refused` where it was declined. Where the provider can't tell, answer as
    at the first step, and a person is sent there.

    >>> from speckitty_connectors.plugin import Account, Authorize, Connected, hookimpl
    >>> @hookimpl
    ... def install(conversation):
    ...     if conversation.grant is None:
    ...         return Authorize()
    ...     site = conversation.grant.details["site"]
    ...     return Connected(accounts=(Account(id=site, name="Acme site"),))

    Raises:
        ApiError: the provider did not answer; core tells the person to try again.
    """


@hookspec(firstresult=True)
def link_user(conversation: Conversation) -> LinkAnswer:  # type: ignore[empty-body]  # a spec
    """Answer one step of linking a member's own identity under an installation.

    Identify people by the provider's immutable id, never by name or e-mail.

    >>> from speckitty_connectors.plugin import Authorize, ExternalIdentity, Linked, hookimpl
    >>> @hookimpl
    ... def link_user(conversation):
    ...     if conversation.grant is None:
    ...         return Authorize()
    ...     user = conversation.grant.session.get("/user").json()
    ...     return Linked(identity=ExternalIdentity(id=str(user["id"]), name=user["login"]))

    Raises:
        ApiError: the provider did not answer; core tells the person to try again.
    """


@hookspec(firstresult=True)
def list_resources(listing: Listing) -> Iterator[ResourcePage]:  # type: ignore[empty-body]  # a spec
    """Yield the resources that an installation (or a member) can see, page by page.

    Each page carries the cursor to resume after it; start from `listing.cursor` where that isn't empty. Send
    every request through `listing.session`, which waits out rate limits and refuses foreign hosts.

    >>> from speckitty_connectors.plugin import Resource, ResourcePage, hookimpl
    >>> @hookimpl
    ... def list_resources(listing):
    ...     cursor = listing.cursor or "/boards"
    ...     while cursor:
    ...         answer = listing.session.get(cursor)
    ...         cursor = answer.next_link
    ...         boards = tuple(Resource(kind="board", id=str(b["id"]), key=b["name"]) for b in answer.json())
    ...         yield ResourcePage(resources=boards, cursor=cursor)

    Raises:
        ApiError: a page could not be had; what was yielded before stays good.
    """


@hookspec(firstresult=True)
def suggest_mappings(request: SuggestionRequest) -> Sequence[Suggestion]:  # type: ignore[empty-body]  # a spec
    """Say which resources probably belong to which projects; pure, the same answer for the same request.

    Leave a resource out where two projects fit equally well: a person decides then.

    >>> from speckitty_connectors.plugin import Confidence, Resource, Signal, Suggestion, Target, hookimpl
    >>> @hookimpl
    ... def suggest_mappings(request):
    ...     return [
    ...         Suggestion(resource_kind=resource.kind, resource_id=resource.id, confidence=Confidence.LOW,
    ...                    target=Target(kind="project", id=signal.project_id))
    ...         for resource in request.resources for signal in request.signals
    ...         if signal.repo_slug == resource.key
    ...     ]
    >>> boards = (Resource(kind="board", id="7", key="acme/menu"),)
    >>> signals = (Signal(project_id="apollo", repo_slug="acme/menu"),)
    >>> request = SuggestionRequest(host="acme.example", web="https://acme.example",
    ...                             resources=boards, signals=signals)
    >>> [str(suggestion.target) for suggestion in suggest_mappings(request)]
    ['project:apollo']
    """


@hookspec(firstresult=True)
def route_event(delivery: Delivery) -> Outcome:  # type: ignore[empty-body]  # a spec
    """Say what a verified delivery means: exactly one of `Event`, `Lifecycle`, `Handshake`, `Ignored`.

    Pure, total and fast: no network, no state, and no exception for any content. A kind the plugin doesn't
    know is still an `Event` where a resource can be read from it, else `Ignored`.

    >>> import json
    >>> from datetime import UTC, datetime
    >>> from speckitty_connectors.plugin import Event, Ignored, ResourceReference, hookimpl
    >>> @hookimpl
    ... def route_event(delivery):
    ...     try:
    ...         board = json.loads(delivery.content)["board"]["id"]
    ...     except (ValueError, KeyError, TypeError):
    ...         return Ignored(reason="no board in it")
    ...     return Event(kind=delivery.kind, resources=(ResourceReference(kind="board", id=str(board)),))
    >>> delivery = Delivery(provider="acme", host="acme.example", kind="card", content=b'{"board": {"id": 7}}',
    ...                     received_at=datetime(2026, 1, 2, tzinfo=UTC))
    >>> route_event(delivery).resources[0].id
    '7'
    """


@hookspec(firstresult=True)
def subscribe(subscription: Subscription) -> SubscriptionAnswer:  # type: ignore[empty-body]  # a spec
    """Take one step about one webhook that is registered through the provider's API.

    Only for providers whose webhooks are; the manifest's `WebhookRules.subscriptions` says how. Each step may come
    again, so `REGISTER` and `REMOVE` answer what is true afterwards. `CHECK` reads back; where `registration` is
    empty, look for `url` among the webhooks that are there. Never ask twice in one step where once is enough.

    >>> from speckitty_connectors.plugin import Subscribed, SubscriptionStep, Unsubscribed, hookimpl
    >>> @hookimpl
    ... def subscribe(subscription):
    ...     hooks, session = "/hooks", subscription.session
    ...     match subscription.step:
    ...         case SubscriptionStep.REGISTER:
    ...             document = {"url": subscription.url, "secret": subscription.secret}
    ...             hook = session.post(hooks, document=document).json()
    ...         case SubscriptionStep.REMOVE:
    ...             session.delete(f"{hooks}/{subscription.registration}")
    ...             return Unsubscribed()
    ...         case _:
    ...             known = session.get(hooks).json()
    ...             hook = next((found for found in known if found["url"] == subscription.url), None)
    ...     return Subscribed(registration=str(hook["id"])) if hook else Unsubscribed(reason="it isn't listed")

    Raises:
        ApiError: the provider did not answer; the step is taken again at the next opportunity.
    """
