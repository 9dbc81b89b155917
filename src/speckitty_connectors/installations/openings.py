"""Notes who had a stored credential opened, and what for: once for each session, not for each request."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Connection

from ..store.audit import record
from .types import Installation


def record_opening(
    connection: Connection, installation: Installation, *, actor: str, purpose: str, now: datetime
) -> None:
    """Note that a session is about to speak for an installation: with its grant, or with a token of the app."""
    record(
        connection,
        workspace=installation.workspace,
        at=now,
        actor=actor,
        verb="credential.opened",
        entity="credential",
        entity_id=installation.credential_id or installation.app_id,
        reason=purpose,
        after={"installation": installation.id},
    )
