"""Layer 1's types: a workspace connected to an account, and the resources seen through it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from typing import Protocol

from attrs import field, frozen
from attrs.validators import min_len
from sqlalchemy import Connection

from ..providers.accounts import Account
from ..providers.resources import Resource


class InstallationStatus(StrEnum):
    """Where an installation stands; `status_reason` says why."""

    PENDING_APPROVAL = "pending_approval"
    ACTIVE = "active"
    DEGRADED = "degraded"
    NEEDS_REAUTHORISATION = "needs_reauthorisation"
    NEEDS_RECONSENT = "needs_reconsent"
    SUSPENDED = "suspended"
    ORPHANED = "orphaned"
    REMOVED = "removed"


LIVE = frozenset(InstallationStatus) - {InstallationStatus.PENDING_APPROVAL, InstallationStatus.REMOVED}
"""The statuses in which deliveries still concern an installation, were it only to change its status again."""

GONE = frozenset({InstallationStatus.ORPHANED, InstallationStatus.REMOVED})
"""The statuses in which the provider's side is no longer there; only a new proof of control revives it."""


class ResourceStatus(StrEnum):
    """Whether a resource can still be reached through its installation."""

    ACTIVE = "active"
    MISSING = "missing"
    WITHDRAWN = "withdrawn"
    TRANSFERRED = "transferred"
    DELETED = "deleted"
    ORPHANED = "orphaned"


@frozen(kw_only=True)
class Installation:
    """A workspace connected to an account; it survives an uninstall and is revived by a re-install.

    Attributes:
        workspace: the host's workspace.
        id: our id; stays the same over re-installs.
        provider: provider key.
        host: host of the app.
        app_id: the app registered with that host.
        account_id: the provider's immutable id; empty while an approval is pending and the account unknown.
        account_name: what a person calls the account today.
        account_kind: the provider's word for it.
        account_url: the address of the account's own pages as last seen, or empty; a label like the name.
        provider_installation_id: the provider's own id of the installation, or empty.
        status: where it stands.
        status_reason: why, for a person; empty where there is nothing to say.
        status_at: the provider's moment of the last change of status, in UTC.
        scopes: what is granted, as the provider names it.
        defaults: policy fields that hold for every project, field → value.
        credential_id: the sealed grant, or empty where the app mints its own tokens.
        connected_by: the member who connected it.
        granted_by: the provider's id of the person whose own grant it speaks with, or empty.
        requester_id: who asked for it on the provider's side, or empty.
        inventory_synced_at: when its resources were last listed to the end, or None where they must be anew.
        created_at: when it was first connected, in UTC.
        updated_at: when this record last changed, in UTC.

    >>> from datetime import UTC, datetime
    >>> moment = datetime(2026, 1, 2, tzinfo=UTC)
    >>> installation = Installation(
    ...     workspace="w1", id="i1", provider="acme", host="acme.example", app_id="a1", account_id="7",
    ...     account_name="Seven", status=InstallationStatus.ACTIVE, status_at=moment, created_at=moment,
    ...     updated_at=moment)
    >>> installation.account.name, installation.is_live
    ('Seven', True)
    """

    workspace: str = field(validator=min_len(1))
    id: str = field(validator=min_len(1))
    provider: str
    host: str
    app_id: str
    status: InstallationStatus
    status_at: datetime
    created_at: datetime
    updated_at: datetime
    account_id: str = ""
    account_name: str = ""
    account_kind: str = ""
    account_url: str = ""
    provider_installation_id: str = ""
    status_reason: str = ""
    scopes: tuple[str, ...] = ()
    defaults: Mapping[str, object] = field(factory=dict)
    credential_id: str = ""
    connected_by: str = ""
    granted_by: str = ""
    requester_id: str = ""
    inventory_synced_at: datetime | None = None

    @property
    def account(self) -> Account:
        """The account as plugins know it."""
        return Account(id=self.account_id, name=self.account_name, kind=self.account_kind, url=self.account_url)

    @property
    def is_live(self) -> bool:
        """Whether deliveries still concern it."""
        return self.status in LIVE

    @property
    def subject(self) -> str:
        """What error messages call it."""
        return f"{self.provider} installation {self.id}"


@frozen(kw_only=True)
class KnownResource:
    """A resource as the inventory of an installation knows it.

    Attributes:
        workspace: the host's workspace.
        id: our id; stays the same over renames and re-keys.
        installation_id: the installation it is seen through.
        kind: one of the manifest's resource kinds.
        external_id: the provider's immutable id.
        key: the display key of today.
        url: a page about it, or empty.
        parent_id: the provider's id of the resource that contains it, or empty.
        status: whether it can still be reached.
        archived: whether the provider says that it takes no more changes.
        private: whether it is hidden from the public.
        attributes: further labels, for example ``default_branch``.
        first_seen: when it was first seen, in UTC.
        last_seen: the moment of what is known of it, in UTC.

    >>> from datetime import UTC, datetime
    >>> moment = datetime(2026, 1, 2, tzinfo=UTC)
    >>> KnownResource(workspace="w1", id="r1", installation_id="i1", kind="board", external_id="9", key="plans",
    ...               status=ResourceStatus.ACTIVE, first_seen=moment, last_seen=moment).as_listed().key
    'plans'
    """

    workspace: str
    id: str
    installation_id: str
    kind: str
    external_id: str
    key: str
    status: ResourceStatus
    first_seen: datetime
    last_seen: datetime
    url: str = ""
    parent_id: str = ""
    archived: bool = False
    private: bool = False
    attributes: Mapping[str, str] = field(factory=dict)

    def as_listed(self) -> Resource:
        """Return it as a plugin's listing describes it."""
        return Resource(
            kind=self.kind,
            id=self.external_id,
            key=self.key,
            url=self.url,
            parent_id=self.parent_id,
            archived=self.archived,
            private=self.private,
            attributes=self.attributes,
        )


class Follow(Protocol):
    """Brings the layers above in line with an installation, in the transaction that changed it.

    Layer 1 may not look up. Whoever joins the layers hands it a function of this shape, so that mappings are
    orphaned, or adopted again, by the very transaction that makes them so.
    """

    def __call__(self, connection: Connection, *, workspace: str, installation_id: str, now: datetime) -> object:
        """Look at the installation and its resources as they are now."""
        ...


class Leave(Protocol):
    """Takes back, before an installation is disconnected, what was made at its provider for it.

    It may talk to the network, so no transaction is open. What can't be taken back must not keep it from ending.
    """

    def __call__(self, *, workspace: str, installation_id: str) -> object:
        """Take back what there is."""
        ...


def leave_nothing(*, workspace: str, installation_id: str) -> None:
    """Do nothing: nothing was made."""


def follow_nothing(connection: Connection, *, workspace: str, installation_id: str, now: datetime) -> None:
    """Do nothing: there is no layer above."""
