"""Webhooks that are registered through the provider's API: what core asks of a plugin, and what it answers.

Some providers deliver to one address that the operator enters once for the app. Others want a webhook for each
customer, or for each mapped resource, made through their API. Core makes the address and the secret, remembers what
is registered, and decides when what has to happen; a plugin only speaks to the API.
"""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

from attrs import field, frozen
from attrs.validators import ge, min_len

from .accounts import Account, App
from .api import ApiSession
from .conversations import Refused
from .resources import ResourceReference


class SubscriptionScope(StrEnum):
    """What one webhook reports."""

    ACCOUNT = "account"
    """Everything in the account."""

    RESOURCES = "resources"
    """All mapped resources, which the webhook names; others mapped later take another webhook."""

    RESOURCE = "resource"
    """One mapped resource: each has a webhook of its own."""


class SubscriptionStep(StrEnum):
    """What is to be done about a webhook."""

    REGISTER = "register"
    CHECK = "check"
    RENEW = "renew"
    REMOVE = "remove"


@frozen(kw_only=True)
class SubscriptionRules:
    """How a provider's webhooks are registered.

    Attributes:
        scopes: what a webhook may report, the best first. Where the plugin refuses one, the next is tried.
        own_endpoint: whether each webhook has an address and a secret of its own. Otherwise all of them post to the
            app's address, and one of the app's secrets signs.
        renew_before_seconds: how long before its end a webhook is renewed; 0 where none ends.

    >>> SubscriptionRules(scopes=(SubscriptionScope.ACCOUNT,)).own_endpoint
    True
    """

    scopes: tuple[SubscriptionScope, ...] = field(validator=min_len(1))
    own_endpoint: bool = True
    renew_before_seconds: int = field(default=0, validator=ge(0))


@frozen(kw_only=True)
class Subscription:
    """One step about one webhook.

    Attributes:
        step: what to do.
        app: the app registered with the host.
        account: the account of the installation.
        session: speaks to the API with the installation's credential.
        scope: what the webhook reports.
        url: where it posts to; no two webhooks of own addresses share one, so it also finds a webhook whose id
            isn't known.
        installation: the provider's own id of the installation, or empty.
        resources: what it is registered for; empty for the whole account.
        secret: put it into the document of a request as it is, and core's session writes it on the wire; None where
            the app's secret signs. It fits every scheme.
        scheme: name of the manifest's scheme that the secret is for, the strongest one there is.
        registration: the provider's id of the webhook; empty where it isn't known (yet).

    >>> from speckitty_connectors.providers.accounts import BaseUrls
    >>> app = App(provider="acme", host="acme.example", client_id="c",
    ...           urls=BaseUrls(web="https://acme.example", api="https://api.acme.example"))
    >>> Subscription(step=SubscriptionStep.REGISTER, app=app, account=Account(id="7"), session=None,
    ...              scope=SubscriptionScope.ACCOUNT, url="https://saas.example/webhooks/acme/e1").resources
    ()
    """

    step: SubscriptionStep
    app: App
    account: Account
    session: ApiSession | None
    scope: SubscriptionScope
    url: str
    installation: str = ""
    resources: tuple[ResourceReference, ...] = ()
    secret: object = field(default=None, repr=False)
    scheme: str = ""
    registration: str = ""


@frozen(kw_only=True)
class Subscribed:
    """The webhook is there.

    Attributes:
        registration: the provider's id of it.
        scheme: name of the scheme that the provider says it signs by; empty where it doesn't say.
        expires_at: when it ends, in UTC, or None where it doesn't.
        fault: why nothing arrives although it is there, for example because the provider disabled it; or empty.

    >>> Subscribed(registration="7").fault
    ''
    """

    registration: str = field(validator=min_len(1))
    scheme: str = ""
    expires_at: datetime | None = None
    fault: str = ""


@frozen(kw_only=True)
class Unsubscribed:
    """There is no such webhook at the provider, or there is none any more.

    >>> Unsubscribed(reason="somebody deleted it").reason
    'somebody deleted it'
    """

    reason: str = ""


SubscriptionAnswer = Subscribed | Unsubscribed | Refused
"""What `subscribe` may answer; `Refused` where the provider doesn't allow it here."""
