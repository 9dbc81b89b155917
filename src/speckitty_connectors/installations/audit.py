"""What layer 1 notes in the audit beside its changes: refusals, contests, and openings of credentials."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Connection

from ..conversations.attempts import Attempt
from ..providers.accounts import Account
from ..store.audit import record
from ..store.confinement import across_workspaces
from . import repository
from .statuses import GONE
from .types import Installation


def note_contest(connection: Connection, attempt: Attempt, account: Account, *, now: datetime) -> None:
    """Tell the holder of an account that somebody else proved control of it and was refused; not who it was."""
    with across_workspaces(connection):
        live = repository.find_live(connection, provider=attempt.provider, host=attempt.host, account_id=account.id)
        for holder in live:
            if holder.workspace != attempt.workspace and holder.status not in GONE:
                record(
                    connection,
                    workspace=holder.workspace,
                    at=now,
                    actor="system",
                    verb="installation.contested",
                    entity="installation",
                    entity_id=holder.id,
                    reason="another workspace proved control of this account and was refused",
                )


def note_opening(
    connection: Connection, installation: Installation, *, actor: str, purpose: str, now: datetime
) -> None:
    """Note that a session is about to speak for an installation: with its grant, or with a token of the app.

    It is noted once for each session, not for each request.
    """
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
