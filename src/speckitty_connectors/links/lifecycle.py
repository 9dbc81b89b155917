"""A person withdrew on the provider's side what they had authorised: their links end, nobody else's."""

from __future__ import annotations

from datetime import datetime

from attrs import evolve
from sqlalchemy import Connection

from ..providers.deliveries import Change, Lifecycle
from ..store.audit import record
from . import repository
from .types import LinkStatus, UserLink

REASON = "the authorisation was withdrawn on the provider's side"


def revoke(
    connection: Connection,
    lifecycle: Lifecycle,
    provider: str,
    host: str,
    *,
    now: datetime,
    installation_id: str = "",
) -> list[UserLink]:
    """Revoke the links of the person that a `LINK_REVOKED` names; return those that changed.

    Such a delivery may name no installation at all (github.md 1.5), so the immutable id of the person finds
    the links, in every workspace; under one installation only where its customer's own credential tells of it. A
    link that was made after the withdrawal stays.
    """
    if lifecycle.change is not Change.LINK_REVOKED or lifecycle.identity is None:
        return []
    at = min(lifecycle.occurred_at or now, now)
    links = repository.find_everywhere(connection, provider=provider, host=host, external_id=lifecycle.identity.id)
    return [
        _revoke_one(connection, link, now)
        for link in links
        if link.status is not LinkStatus.REVOKED
        and link.updated_at <= at
        and installation_id in {"", link.installation_id}
    ]


def _revoke_one(connection: Connection, link: UserLink, now: datetime) -> UserLink:
    revoked = evolve(link, status=LinkStatus.REVOKED, status_reason=REASON, updated_at=now)
    repository.save(connection, revoked)
    record(
        connection,
        workspace=link.workspace,
        at=now,
        actor=f"provider:{link.provider}",
        verb="link.revoked",
        entity="link",
        entity_id=link.id,
        reason=REASON,
        before={"status": link.status},
        after={"status": revoked.status},
    )
    return revoked
