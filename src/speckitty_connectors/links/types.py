"""Layer 2's types: a member's own identity under an installation."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import ClassVar

from attrs import field, frozen
from attrs.validators import min_len

from ..providers.accounts import ExternalIdentity
from ..providers.api import ApiSession
from ..tokens.oauth import Revocation


class LinkStatus(StrEnum):
    """Whether a link can be used; `status_reason` says why not."""

    SUGGESTED = "suggested"
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

    entity: ClassVar[str] = "link"

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
    def opens(self) -> str:
        """The credential that a session opens."""
        return self.credential_id

    @property
    def can_speak(self) -> bool:
        """Whether the provider can be asked in the member's own name."""
        return self.status is LinkStatus.ACTIVE and bool(self.credential_id)

    @property
    def identity(self) -> ExternalIdentity:
        """The person as plugins know them."""
        return ExternalIdentity(id=self.external_id, name=self.external_name)

    @property
    def subject(self) -> str:
        """What error messages call it."""
        return f"{self.provider} link {self.id}"

    def audited(self) -> dict[str, object]:
        """Return what an entry of the audit shows of it."""
        return {"status": self.status}


@frozen(kw_only=True)
class RevokedLink:
    """What became of a link, and of its grant on the provider's side.

    Attributes:
        link: as it is now.
        revocation: what the provider said; unless it is `revoked`, the member may want to end the authorisation in
            the provider's own pages.
    """

    link: UserLink
    revocation: Revocation


class Authority(StrEnum):
    """In whose name the provider is asked."""

    INSTALLATION = "installation"
    USER_LINK = "user_link"


@frozen(kw_only=True)
class IdentityPath:
    """In whose name something was done on the provider's side; belongs beside every result.

    Attributes:
        type: the member's own link, or the installation that all share.
        installation_id: the installation.
        user_link_id: the member's link, or empty where the installation acted.
        provider: provider key.
        provider_account_id: the person's immutable id there, or the account's where the installation acted.
        reason: why the installation acts and not the member; empty where the member does.

    >>> IdentityPath(type=Authority.INSTALLATION, installation_id="i1", provider="acme", provider_account_id="7",
    ...              reason="mona has not linked herself").type.value
    'installation'
    """

    type: Authority
    installation_id: str
    provider: str
    provider_account_id: str
    user_link_id: str = ""
    reason: str = ""


@frozen(kw_only=True)
class Acting:
    """A session with the provider, and in whose name it speaks."""

    session: ApiSession
    path: IdentityPath


@frozen(kw_only=True)
class LinkDone:
    """The member is linked."""

    link: UserLink
