"""Writes links: one for each member and one for each identity under an installation."""

from __future__ import annotations

from datetime import datetime

from attrs import evolve, field, frozen
from attrs.validators import min_len
from sqlalchemy import Connection

from ..credentials.vault import Vault
from ..errors import ConflictError
from ..identifiers import new_id
from ..installations.types import Installation
from ..providers.accounts import ExternalIdentity
from ..store.audit import record_event
from . import repository
from .types import LinkStatus, UserLink

FREE = frozenset({LinkStatus.SUGGESTED, LinkStatus.REVOKED})
"""The statuses in which an identity isn't anybody's."""


class IdentityTakenError(Exception):
    """Another member is linked to the identity."""

    def __init__(self, holder: UserLink) -> None:
        super().__init__(holder.subject)
        self.holder = holder


@frozen(kw_only=True)
class LinkRequest:
    """A member who is to be linked to an identity.

    The installation is locked, so that its links are written one by one. Without a token, `credential_id` is empty.
    """

    installation: Installation
    member: str = field(validator=min_len(1))
    identity: ExternalIdentity
    status: LinkStatus
    verb: str
    actor: str
    credential_id: str = ""
    takes_over: bool = False


def link_member(connection: Connection, vault: Vault, request: LinkRequest, *, now: datetime) -> UserLink:
    """Make the member the identity, whatever was linked to them before; return the link.

    Raises:
        IdentityTakenError: another member is linked to it, and it isn't taken over.
    """
    _make_free(connection, vault, request, now)
    known = repository.find_member(connection, request.installation, request.member)
    link = evolve(
        known or _blank(request, now),
        external_id=request.identity.id,
        external_name=request.identity.name,
        status=request.status,
        status_reason="",
        credential_id=request.credential_id,
        updated_at=now,
    )
    if known is None:
        repository.add(connection, link)
    else:
        repository.save(connection, link)
        forget(connection, vault, known)
    record_identity(connection, known, link, request.verb, actor=request.actor, now=now)
    return link


def link_on_word(connection: Connection, vault: Vault, request: LinkRequest, *, now: datetime) -> UserLink:
    """Write a link that no grant proves, on somebody's word.

    Raises:
        ConflictError: another member is linked to the identity.
    """
    try:
        return link_member(connection, vault, request, now=now)
    except IdentityTakenError as taken:
        raise ConflictError(
            f"{taken.holder.member} is linked to this identity",
            subject=taken.holder.subject,
            remedy="end that link first, or let the person link themselves and take it over",
        ) from None


def forget(connection: Connection, vault: Vault, link: UserLink) -> None:
    """Forget the grant of a link, where it has one."""
    if link.credential_id:
        vault.forget(connection, workspace=link.workspace, credential_id=link.credential_id)


def record_identity(
    connection: Connection, before: UserLink | None, link: UserLink, verb: str, *, actor: str, now: datetime
) -> None:
    """Note in the audit what became of a link, and of whose identity it is."""
    record_event(
        connection,
        link,
        verb,
        actor=actor,
        at=now,
        reason=link.status_reason,
        before={"status": before.status, "identity": before.external_id} if before else None,
        after={"status": link.status, "identity": link.external_id, "member": link.member},
    )


def _make_free(connection: Connection, vault: Vault, request: LinkRequest, now: datetime) -> None:
    """End the link that the identity has, unless that is another member's who keeps it."""
    holder = repository.find_identity(connection, request.installation, request.identity.id)
    if holder is None or holder.member == request.member:
        return
    if holder.status not in FREE:
        if not request.takes_over:
            raise IdentityTakenError(holder)
        lost = evolve(holder, status=LinkStatus.REVOKED, status_reason=f"taken over by {request.member}")
        record_identity(connection, holder, lost, "taken_over", actor=request.actor, now=now)
    repository.remove(connection, holder)
    forget(connection, vault, holder)


def _blank(request: LinkRequest, now: datetime) -> UserLink:
    installation = request.installation
    return UserLink(
        workspace=installation.workspace,
        id=new_id(),
        installation_id=installation.id,
        member=request.member,
        provider=installation.provider,
        host=installation.host,
        external_id=request.identity.id,
        created_at=now,
        updated_at=now,
    )
