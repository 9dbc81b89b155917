"""What comes in, and what a plugin says it means: the input and the four outcomes of `route_event`."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum

from attrs import field, frozen

from .accounts import Account, ExternalIdentity
from .resources import ResourceReference


@frozen(kw_only=True)
class Delivery:
    """One verified inbound request, as `route_event` sees it.

    Core has checked the signature over the raw bytes before this object exists. Header names are in lower
    case; only the headers that the manifest asks to keep are there.

    Attributes:
        provider: provider key.
        host: host of the app or hook whose credential verified the request.
        kind: value of the manifest's kind header, or empty where the provider has none.
        headers: kept headers, lower-case name → value.
        content: the JSON document as bytes. For a form with a payload field, that field's value, decoded. What
            in it can't be text reads as U+FFFD, and what can't be a number as null, so that every decoder takes it.
        fields: the other fields of a form, each at most once.
        covers: what the webhook that sent it was registered for, where core registered it for certain resources;
            it tells where a delivery comes from whose document doesn't.
        received_at: when the request was accepted, in UTC.

    >>> from datetime import UTC, datetime
    >>> Delivery(provider="github", host="github.com", kind="ping", content=b"{}",
    ...          received_at=datetime(2026, 1, 2, tzinfo=UTC)).kind
    'ping'
    """

    provider: str
    host: str
    kind: str
    content: bytes
    received_at: datetime
    headers: Mapping[str, str] = field(factory=dict)
    fields: Mapping[str, str] = field(factory=dict)
    covers: tuple[ResourceReference, ...] = ()


@frozen(kw_only=True)
class GitFacts:
    """The git facts that an event states; every one may be missing.

    Attributes:
        branch: short branch name, without ``refs/heads/``.
        tag: short tag name.
        commits: full commit SHAs, newest first; never the all-zero SHA.
        paths: changed paths, where the provider lists them.
        from_fork: whether the branch lives in another repository than the event's resource.
        truncated: whether the provider lists only some of the commits and paths, so that what isn't listed may
            have changed all the same.

    >>> GitFacts(branch="main", commits=("a" * 40,)).from_fork
    False
    """

    branch: str = ""
    tag: str = ""
    commits: tuple[str, ...] = ()
    paths: tuple[str, ...] = ()
    from_fork: bool = False
    truncated: bool = False


@frozen(kw_only=True)
class Event:
    """Something happened to resources that a workspace may have mapped.

    Attributes:
        kind: the provider's event kind, for example ``pull_request``.
        action: the provider's action, or empty.
        installation: the provider's own id of the installation, or empty where deliveries carry none.
        account: the account it happened in, or None where the delivery names none. Where the delivery knows no id
            of it, ``Account(id="", url=…)`` finds it by its address, as `install` and `list_resources` give it.
        resources: the resources it concerns, most specific first.
        actor: who did it, or None.
        git: git facts, or None.
        subject: what a person would look for, for example ``#12`` or ``ENG-123``.
        occurred_at: when, in UTC, or None where the provider doesn't say.
        fingerprint: equal for deliveries that report the same change through different hooks; or empty.
        registrations: the provider's ids of the webhooks that it was sent for, where the delivery says so. It then
            concerns none but the installations that hold one of them.

    >>> event = Event(kind="push", resources=(ResourceReference(kind="repository", id="1"),))
    >>> event.resources[0].id
    '1'
    """

    kind: str
    action: str = ""
    installation: str = ""
    account: Account | None = None
    resources: tuple[ResourceReference, ...] = ()
    actor: ExternalIdentity | None = None
    git: GitFacts | None = None
    subject: str = ""
    occurred_at: datetime | None = None
    fingerprint: str = ""
    registrations: tuple[str, ...] = ()


class Change(StrEnum):
    """How the provider's own state changed: what a `Lifecycle` outcome tells."""

    INSTALLED = "installed"
    UNINSTALLED = "uninstalled"
    SUSPENDED = "suspended"
    RESUMED = "resumed"
    SCOPES_CHANGED = "scopes_changed"
    ACCOUNT_RENAMED = "account_renamed"
    ACCOUNT_DELETED = "account_deleted"
    RESOURCES_ADDED = "resources_added"
    RESOURCES_REMOVED = "resources_removed"
    RESOURCE_RENAMED = "resource_renamed"
    RESOURCE_TRANSFERRED = "resource_transferred"
    RESOURCE_REKEYED = "resource_rekeyed"
    RESOURCE_ARCHIVED = "resource_archived"
    RESOURCE_RESTORED = "resource_restored"
    RESOURCE_DELETED = "resource_deleted"
    VISIBILITY_CHANGED = "visibility_changed"
    LINK_REVOKED = "link_revoked"
    HOOK_REMOVED = "hook_removed"
    CREDENTIAL_REVOKED = "credential_revoked"
    DELIVERIES_LOST = "deliveries_lost"


@frozen(kw_only=True)
class Lifecycle:
    """The provider's state changed: an installation, an account, a resource or a person's authorisation.

    Attributes:
        change: what changed.
        installation: the provider's own id of the installation, or empty.
        account: the account concerned, with its name of today, or None.
        resources: the resources concerned, with their keys of today.
        former: former keys (renames), former ids (re-keys) or former owners (transfers), as the change says.
        identities: the people whose authorisation was revoked; only their links under `account`, where it is
            named.
        requester: who had asked for the installation, where an owner approved it later, or None.
        actor: who made the change, or None.
        scopes: what is granted from now on, ``name:level``, or None where the delivery doesn't say.
        private: whether the resources are hidden from the public from now on, or None where the delivery doesn't
            say.
        relist: whether the listed resources aren't the whole change, so that a listing must follow.
        occurred_at: when, in UTC, or None where the provider doesn't say.

    >>> Lifecycle(change=Change.SUSPENDED, installation="42").relist
    False
    """

    change: Change
    installation: str = ""
    account: Account | None = None
    resources: tuple[ResourceReference, ...] = ()
    former: tuple[str, ...] = ()
    identities: tuple[ExternalIdentity, ...] = ()
    requester: ExternalIdentity | None = None
    actor: ExternalIdentity | None = None
    scopes: tuple[str, ...] | None = None
    private: bool | None = None
    relist: bool = False
    occurred_at: datetime | None = None


@frozen(kw_only=True)
class Handshake:
    """The provider asks whether somebody is there; nothing is routed.

    Attributes:
        answer: the body to answer with; empty for a bare 200.
        content_type: its media type.

    >>> Handshake(answer="3eZbrw1aB").answer
    '3eZbrw1aB'
    """

    answer: str = ""
    content_type: str = "text/plain"


@frozen(kw_only=True)
class Ignored:
    """The delivery concerns nothing that could be routed.

    Attributes:
        reason: one line for the person who asks why.

    >>> Ignored(reason="sponsorships concern no repository").reason
    'sponsorships concern no repository'
    """

    reason: str


Outcome = Event | Lifecycle | Handshake | Ignored
"""Exactly one of these is what a verified delivery means."""
