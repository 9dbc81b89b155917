"""Layer 1's types: a workspace connected to an account, and the resources seen through it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import ClassVar, Protocol

from attrs import field, frozen
from attrs.validators import min_len
from sqlalchemy import Connection

from ..identifiers import InstallationKey
from ..providers.accounts import Account
from ..resources.types import NEVER
from .statuses import LIVE, InstallationStatus, NextStep, explain, next_step


@frozen(kw_only=True)
class Installation(InstallationKey):
    """A workspace connected to an account; it survives an uninstall and is revived by a re-install.

    It is its own key: what wants an `InstallationKey` takes it as it is.

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
        status_reason: why, a `StatusReason`; empty where there is nothing to say.
        status_at: the provider's moment of the last change of status, in UTC.
        scopes: what is granted, as the provider names it.
        defaults: policy fields that hold for every project, field → value.
        credential_id: the sealed grant, or empty where the app mints its own tokens.
        connected_by: the member who connected it.
        granted_by: the provider's id of the person whose own grant it speaks with, or empty.
        requester_id: who asked for it on the provider's side, or empty.
        is_exclusive: whether no other workspace may be connected to its account at the same time.
        inventory_synced_at: when its resources were last listed to the end, or None where they must be anew.
        account_name_at: the provider's moment of the name; what is older changes it no more.
        scopes_at: that of the scopes.
        inventory_cursor: where a listing that was interrupted goes on; empty where none was.
        missing_scopes: what is needed and wasn't granted; found when it is loaded, never stored.
        created_at: when it was first connected, in UTC.
        updated_at: when this record last changed, in UTC.

    >>> from datetime import UTC, datetime
    >>> moment = datetime(2026, 1, 2, tzinfo=UTC)
    >>> installation = Installation(
    ...     workspace="w1", id="i1", provider="acme", host="acme.example", app_id="a1", account_id="7",
    ...     account_name="Seven", status=InstallationStatus.ACTIVE, status_at=moment, created_at=moment,
    ...     updated_at=moment)
    >>> installation.account.name, installation.is_live, installation.next_step.action.value
    ('Seven', True, 'none')
    """

    entity: ClassVar[str] = "installation"

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
    is_exclusive: bool = False
    inventory_synced_at: datetime | None = None
    account_name_at: datetime = NEVER
    scopes_at: datetime = NEVER
    inventory_cursor: str = ""
    missing_scopes: tuple[str, ...] = ()

    @property
    def account(self) -> Account:
        """The account as plugins know it."""
        return Account(id=self.account_id, name=self.account_name, kind=self.account_kind, url=self.account_url)

    @property
    def opens(self) -> str:
        """The credential that a session opens: its grant, or that of the app that mints its tokens."""
        return self.credential_id or self.app_id

    @property
    def is_live(self) -> bool:
        """Whether deliveries still concern it."""
        return self.status in LIVE

    @property
    def explanation(self) -> str:
        """Why it stands where it stands, for a person; empty where there is nothing to say."""
        words = explain(self.status_reason)
        return f"{words}: {', '.join(self.missing_scopes)}" if self.missing_scopes else words

    @property
    def next_step(self) -> NextStep:
        """What a person does next about it."""
        return next_step(self.status, self.status_reason)

    @property
    def subject(self) -> str:
        """What error messages call it."""
        return f"{self.provider} installation {self.id}"

    def audited(self) -> dict[str, object]:
        """Return what an entry of the audit shows of it."""
        return {"status": self.status}


Follow = Callable[[Connection, InstallationKey, datetime], object]
"""Brings the layers above in line with an installation, in the transaction that changed it, at that moment.

Layer 1 may not look up. What joins the layers hands it such a function, so that mappings are orphaned, or adopted
again, by the very transaction that makes them so.
"""


class Leave(Protocol):
    """Takes back, before an installation is disconnected, what was made at its provider for it.

    It may talk to the network, so no transaction is open. What can't be taken back must not keep it from ending.
    """

    def __call__(self, *, workspace: str, installation_id: str) -> object:
        """Take back what there is."""
        ...


def leave_nothing(*, workspace: str, installation_id: str) -> None:
    """Do nothing: nothing was made."""


def follow_nothing(_: Connection, __: InstallationKey, ___: datetime) -> None:
    """Do nothing: there is no layer above."""
