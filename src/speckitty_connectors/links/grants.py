"""Links follow the grants that they speak with; a link that was revoked stays so."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from attrs import evolve
from sqlalchemy import Connection

from ..credentials.grants import GrantCondition
from ..installations import grants as installation_grants
from ..store.audit import record
from . import repository
from .types import LinkStatus, UserLink

REASON: Final = "the provider accepts the token no longer; the member has to link again"


def follow(
    connection: Connection, *, workspace: str, credential_id: str, condition: GrantCondition, now: datetime
) -> None:
    """Bring whoever speaks with a credential in line with it: the link, or the installations below."""
    installation_grants.follow(
        connection, workspace=workspace, credential_id=credential_id, condition=condition, now=now
    )
    status = LinkStatus.NEEDS_REAUTHORISATION if condition is GrantCondition.REFUSED else LinkStatus.ACTIVE
    link = repository.find_speaking(connection, workspace=workspace, credential_id=credential_id)
    if link is not None and link.status not in {LinkStatus.REVOKED, status}:
        _follow_one(connection, link, status, now)


def _follow_one(connection: Connection, known: UserLink, status: LinkStatus, now: datetime) -> None:
    is_refused = status is LinkStatus.NEEDS_REAUTHORISATION
    reason = REASON if is_refused else ""
    repository.save(connection, evolve(known, status=status, status_reason=reason, updated_at=now))
    record(
        connection,
        workspace=known.workspace,
        at=now,
        actor="system",
        verb="link.refused" if is_refused else "link.recovered",
        entity="link",
        entity_id=known.id,
        reason=reason,
        before={"status": known.status},
        after={"status": status},
    )
