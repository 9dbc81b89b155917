"""Layer 2's types: a member's own identity under an installation."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

from attrs import field, frozen
from attrs.validators import min_len

from ..providers.accounts import ExternalIdentity


class LinkStatus(StrEnum):
    """Whether a link can be used; `status_reason` says why not."""

    ACTIVE = "active"
    NEEDS_REAUTHORISATION = "needs_reauthorisation"
    REVOKED = "revoked"


@frozen(kw_only=True)
class UserLink:
    """A member as the provider knows them; nobody else's connection depends on it.

    Attributes:
        workspace: the host's workspace.
        id: our id.
        installation_id: the installation it is under.
        member: the host's member.
        provider: provider key.
        host: host of the app.
        external_id: the provider's immutable id of the person.
        external_name: their login or name of today; a label.
        status: whether it can be used.
        status_reason: why not, for a person; empty where there is nothing to say.
        credential_id: their sealed grant, or empty for an identity without a token.
        created_at: when, in UTC.
        updated_at: when it last changed, in UTC.

    >>> from datetime import UTC, datetime
    >>> moment = datetime(2026, 1, 2, tzinfo=UTC)
    >>> UserLink(workspace="w1", id="l1", installation_id="i1", member="mona", provider="acme",
    ...          host="acme.example", external_id="1", external_name="octocat", created_at=moment,
    ...          updated_at=moment).identity.name
    'octocat'
    """

    workspace: str = field(validator=min_len(1))
    id: str = field(validator=min_len(1))
    installation_id: str
    member: str
    provider: str
    host: str
    external_id: str
    created_at: datetime
    updated_at: datetime
    external_name: str = ""
    status: LinkStatus = LinkStatus.ACTIVE
    status_reason: str = ""
    credential_id: str = ""

    @property
    def identity(self) -> ExternalIdentity:
        """The person as plugins know them."""
        return ExternalIdentity(id=self.external_id, name=self.external_name)

    @property
    def subject(self) -> str:
        """What error messages call it."""
        return f"{self.provider} link {self.id}"


@frozen(kw_only=True)
class LinkDone:
    """The member is linked.

    Attributes:
        link: the link.
    """

    link: UserLink
