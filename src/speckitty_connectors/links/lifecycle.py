"""A person withdrew on the provider's side what they had authorised: their links end, nobody else's."""

from __future__ import annotations

from datetime import datetime

from attrs import evolve
from sqlalchemy import Connection

from ..providers.deliveries import Lifecycle
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
    """Revoke the links of the people that a lifecycle names; return those that changed.

    Such a delivery may name no installation at all, so the immutable ids of the people find the links, in every
    workspace; where it names the account, only links under that account are meant, and where a customer's own
    credential tells of it, only those under that installation. A link that was made after the withdrawal stays.
    """
    at = min(lifecycle.occurred_at or now, now)
    account_id = lifecycle.account.id if lifecycle.account else ""
    return [
        _revoke_one(connection, link, now)
        for person in lifecycle.identities
        for link in repository.find_everywhere(
            connection, provider=provider, host=host, external_id=person.id, account_id=account_id
        )
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
