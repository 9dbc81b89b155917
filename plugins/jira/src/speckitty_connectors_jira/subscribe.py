"""The webhooks that an app registers for itself on a Jira Cloud site ("Webhooks", section "Dynamic webhooks").

They report issues and comments only, end after 30 days without a word, and can't be changed: when mappings change,
core registers a new one and then removes the old. An app has five for each person and site, so there is one for all
mapped projects.
"""

from __future__ import annotations

from collections.abc import Iterator

import msgspec
from attrs import evolve

from speckitty_connectors.plugin import (
    ApiError,
    ApiSession,
    Refused,
    Subscribed,
    Subscription,
    SubscriptionAnswer,
    SubscriptionStep,
    Unsubscribed,
    hookimpl,
    read_answer,
)

from .manifest import PAGE_SIZE
from .payload import moment

WEBHOOKS = "/rest/api/3/webhook"
"""Where they are registered, listed and removed: "Register dynamic webhooks", "Get …", "Delete webhooks by ID"."""

REFRESH = f"{WEBHOOKS}/refresh"
"""Puts their end off by 30 days: "Extend webhook life"."""

EVENTS = (
    "jira:issue_created",
    "jira:issue_updated",
    "jira:issue_deleted",
    "comment_created",
    "comment_updated",
    "comment_deleted",
)
"""What is asked for: all that these webhooks report of issues and their comments ("Register dynamic webhooks")."""

ADMIN_WEBHOOKS_ONLY = Refused(
    code="by_hand",
    reason="Jira Data Center has no webhooks that an app registers.",
    remedy="Add a webhook by hand here, and let an administrator enter it in Jira under System → WebHooks.",
)


UNREAD = "it was registered, and can't be read back at the moment"
"""Why nothing is known of when a webhook ends; the next look says."""


class Webhook(msgspec.Struct, rename="camel"):
    """A registered webhook."""

    id: int
    jql_filter: str = ""
    expiration_date: object = None


class Webhooks(msgspec.Struct, rename="camel"):
    """A page of them."""

    values: list[Webhook]
    is_last: bool = False


class Registered(msgspec.Struct, rename="camel"):
    """What became of one webhook; the answer has status 200 also where all of them failed."""

    created_webhook_id: int | None = None
    errors: list[str] = []


class Registrations(msgspec.Struct, rename="camel"):
    """The answer to a registration."""

    webhook_registration_result: list[Registered]


class Extended(msgspec.Struct, rename="camel"):
    """The answer to an extension."""

    expiration_date: object


@hookimpl
def subscribe(subscription: Subscription) -> SubscriptionAnswer:
    """Do one step about the webhook of an installation."""
    if subscription.app.self_managed:
        return ADMIN_WEBHOOKS_ONLY
    session = subscription.session
    if session is None:
        return Unsubscribed()
    match subscription.step:
        case SubscriptionStep.REGISTER:
            return _register(session, subscription)
        case SubscriptionStep.CHECK:
            return _check(session, subscription)
        case SubscriptionStep.RENEW:
            return _renew(session, subscription)
        case SubscriptionStep.REMOVE:
            # Ids that aren't there any more are passed over without a word ("Delete webhooks by ID").
            session.delete(WEBHOOKS, document={"webhookIds": [int(subscription.registration)]})
            return Unsubscribed()


def _register(session: ApiSession, subscription: Subscription) -> SubscriptionAnswer:
    webhook = {"events": list(EVENTS), "jqlFilter": _filter(subscription)}
    document = {"url": subscription.url, "webhooks": [webhook]}
    results = read_answer(session.post(WEBHOOKS, document=document), Registrations).webhook_registration_result
    created = results[0].created_webhook_id if results else None
    if created is None:
        return Refused(
            code="not_registered",
            reason=f"Jira doesn't register it: {'; '.join(results[0].errors) if results else 'it gives no reason'}",
            remedy="check that the person who connected the site may browse the mapped projects",
        )
    try:
        return _subscribed(next(each for each in _registered(session) if each.id == created))
    except (ApiError, StopIteration):
        return evolve(_subscribed(Webhook(id=created)), fault=UNREAD)  # its id is given only now


def _check(session: ApiSession, subscription: Subscription) -> SubscriptionAnswer:
    """Look for the webhook by its id; by its filter where the id isn't known."""
    wanted = subscription.registration
    for each in _registered(session):
        if str(each.id) == wanted or (not wanted and each.jql_filter == _filter(subscription)):
            return _subscribed(each)
    return Unsubscribed(reason="Jira doesn't list it; its 30 days may have passed")


def _renew(session: ApiSession, subscription: Subscription) -> SubscriptionAnswer:
    """Put its end off; Jira doesn't say which ids it didn't know, so it is read back."""
    document = {"webhookIds": [int(subscription.registration)]}
    read_answer(session.put(REFRESH, document=document), Extended)
    return _check(session, subscription)


def _registered(session: ApiSession) -> Iterator[Webhook]:
    start = 0
    while True:
        parameters = {"startAt": str(start), "maxResults": str(PAGE_SIZE)}
        page = read_answer(session.get(WEBHOOKS, parameters=parameters), Webhooks)
        yield from page.values
        start += len(page.values)
        if page.is_last or not page.values:
            return


def _filter(subscription: Subscription) -> str:
    """Return the JQL for all mapped projects, by their ids: a key may change."""
    projects = ", ".join(resource.id for resource in subscription.resources)
    return f"project IN ({projects})"


def _subscribed(webhook: Webhook) -> Subscribed:
    return Subscribed(registration=str(webhook.id), expires_at=moment(webhook.expiration_date))
