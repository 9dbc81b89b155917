"""Lets a host act on the provider's side in a member's name, or else in that of the installation."""

from __future__ import annotations

from ..errors import ConflictError
from ..identifiers import InstallationKey
from ..installations import repository as installations
from ..installations.inventory import LISTABLE
from ..installations.statuses import GONE, InstallationStatus
from ..installations.types import Installation
from ..store.engine import Store
from ..tokens.grants import note_opening
from ..tokens.sessions import Sessions
from . import repository
from .types import Acting, Authority, IdentityPath, LinkStatus, UserLink

SILENT = GONE | {InstallationStatus.PENDING_APPROVAL, InstallationStatus.SUSPENDED}
"""The statuses in which the provider answers nobody under an installation."""

WHY_NOT = {
    LinkStatus.SUGGESTED: "the member's identity is only suggested, not confirmed",
    LinkStatus.ACTIVE: "the member's identity is known, but they gave no token of their own",
    LinkStatus.NEEDS_REAUTHORISATION: "the member has to link again",
    LinkStatus.REVOKED: "the member's link was ended",
}
"""Why a link can't speak, by its status."""


class ActingAs:
    """Opens sessions for members."""

    def __init__(self, store: Store, sessions: Sessions) -> None:
        self._store = store
        self._sessions = sessions

    def act_as(self, key: InstallationKey, member: str) -> Acting:
        """Return a session with the member's own grant, else with the installation's, and say which it is.

        That a credential was opened is noted in the audit, once for the session.

        Raises:
            NotFoundError: the workspace has no such installation.
            ConflictError: neither can speak; the remedy says what a person does.
            ReconnectRequiredError: later, at a request: the provider accepts the grant no longer.
        """
        with self._store.transaction() as connection:
            installation = installations.get(connection, key)
            link = repository.find_member(connection, key, member)
            path = _path(installation, link, member)
            holder = link if path.type is Authority.USER_LINK and link is not None else installation
            now = self._store.now()
            note_opening(connection, holder, actor=f"member:{member}", purpose="act_as", at=now)
        if isinstance(holder, UserLink):
            return Acting(session=self._sessions.for_link(holder, account_id=installation.account_id), path=path)
        return Acting(session=self._sessions.for_installation(installation), path=path)


def _path(installation: Installation, link: UserLink | None, member: str) -> IdentityPath:
    if installation.status not in SILENT and link is not None and link.can_speak:
        return IdentityPath(
            type=Authority.USER_LINK,
            installation_id=installation.id,
            user_link_id=link.id,
            provider=installation.provider,
            provider_account_id=link.external_id,
        )
    if installation.status not in LISTABLE:
        raise ConflictError(
            f"the installation is {installation.status}, so nobody can act through it",
            subject=installation.subject,
            remedy=installation.next_step.text,
        )
    return IdentityPath(
        type=Authority.INSTALLATION,
        installation_id=installation.id,
        provider=installation.provider,
        provider_account_id=installation.account_id,
        reason=f"{member} has not linked themselves" if link is None else WHY_NOT[link.status],
    )
