"""What is known of the webhooks that installations have at their providers."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from datetime import datetime
from typing import ClassVar

from attrs import frozen

from ..credentials.secret import Secret
from ..providers.resources import ResourceReference
from ..providers.subscriptions import SubscriptionScope

BY_HAND = "by_hand"
"""The scope of a webhook that a person made in the provider's own pages; core doesn't touch it."""


@frozen(kw_only=True)
class Webhook:
    """A webhook of an installation.

    Attributes:
        workspace: the host's workspace.
        id: our id.
        installation_id: the installation that it belongs to.
        endpoint_id: where it posts to; of its own, or the app's.
        scope: what it reports, a `SubscriptionScope`, or ``by_hand``.
        covers: digest of scope and resources.
        resources: what it is registered for; empty for the whole account.
        registration: the provider's id of it; empty where it isn't known.
        scheme: name of the scheme that it signs by.
        fault: why nothing arrives, or empty.
        expires_at: when it ends, in UTC, or None.
        due_at: when it must be looked at again, in UTC, or None for one that a person made.
        created_at: when it was begun, in UTC.
        missed_at: since when the provider says that it isn't there, in UTC, or None. Another one is registered
            then; if this one is there all the same, it is removed.

    >>> from datetime import UTC
    >>> Webhook(workspace="w1", id="h1", installation_id="i1", endpoint_id="e1", scope="account", covers="…",
    ...         created_at=datetime(2026, 1, 2, tzinfo=UTC)).is_by_hand
    False
    """

    entity: ClassVar[str] = "webhook"

    workspace: str
    id: str
    installation_id: str
    endpoint_id: str
    scope: str
    covers: str
    created_at: datetime
    resources: tuple[ResourceReference, ...] = ()
    registration: str = ""
    scheme: str = ""
    fault: str = ""
    expires_at: datetime | None = None
    due_at: datetime | None = None
    missed_at: datetime | None = None

    @property
    def is_by_hand(self) -> bool:
        """Whether a person made it."""
        return self.scope == BY_HAND

    def audited(self) -> dict[str, object]:
        """Return what an entry of the audit shows of it."""
        return {
            "installation": self.installation_id,
            "scope": self.scope,
            "registration": self.registration,
            "scheme": self.scheme,
        }


@frozen(kw_only=True)
class Wanted:
    """A webhook that there should be.

    >>> Wanted(scope=SubscriptionScope.ACCOUNT).covers == Wanted(scope=SubscriptionScope.RESOURCES).covers
    False
    """

    scope: SubscriptionScope
    resources: tuple[ResourceReference, ...] = ()

    @property
    def covers(self) -> str:
        """The digest of scope and resources; labels have no part in it."""
        names = sorted(f"{resource.kind} {resource.id}" for resource in self.resources)
        return hashlib.sha256("\n".join([self.scope, *names]).encode()).hexdigest()


def wanted_in(scope: SubscriptionScope, mapped: Iterable[ResourceReference]) -> tuple[Wanted, ...]:
    """Return the webhooks that a scope takes for what is mapped.

    >>> mapped = [ResourceReference(kind="board", id="1"), ResourceReference(kind="board", id="2")]
    >>> [len(wanted_in(scope, mapped)) for scope in SubscriptionScope]
    [1, 1, 2]
    >>> [len(wanted_in(scope, [])) for scope in SubscriptionScope]
    [1, 0, 0]
    """
    resources = tuple(sorted(mapped, key=lambda resource: (resource.kind, resource.id)))
    match scope:
        case SubscriptionScope.ACCOUNT:
            return (Wanted(scope=scope),)
        case SubscriptionScope.RESOURCES:
            return (Wanted(scope=scope, resources=resources),) if resources else ()
        case SubscriptionScope.RESOURCE:
            return tuple(Wanted(scope=scope, resources=(resource,)) for resource in resources)


@frozen(kw_only=True)
class SubscriptionResult:
    """What there is after a sync or a check.

    Attributes:
        webhooks: those that are there.
        registered: how many were made.
        removed: how many were taken away, or had gone.
        fault: why deliveries don't arrive, or not all of them, for a person; empty where they do.

    >>> SubscriptionResult(webhooks=(), registered=0, removed=0).fault
    ''
    """

    webhooks: tuple[Webhook, ...]
    registered: int
    removed: int
    fault: str = ""


@frozen(kw_only=True)
class HandMade:
    """What a person enters in the provider's own pages.

    Attributes:
        webhook: as it is stored.
        url: the address to enter.
        secret: the secret to enter; it isn't shown again.
    """

    webhook: Webhook
    url: str
    secret: Secret
