"""Records what was refused, so that the workspace, or the operator, can see who tried what."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Connection

from ..store.audit import record
from ..store.metadata import OPERATOR
from .attempts import Attempt


def record_refusal(
    connection: Connection, state_digest: str, refusal: str, attempt: Attempt | None, *, now: datetime
) -> None:
    """Note who had begun what was refused; who came instead isn't known.

    What belongs to no attempt of any workspace is the operator's to see.
    """
    begun = {"purpose": attempt.purpose, "provider": attempt.provider, "host": attempt.host} if attempt else {}
    record(
        connection,
        workspace=attempt.workspace if attempt else OPERATOR,
        at=now,
        actor=f"member:{attempt.member}" if attempt else "system",
        verb="conversation.refused",
        entity="conversation",
        entity_id=state_digest,
        reason=refusal,
        after=begun,
    )
