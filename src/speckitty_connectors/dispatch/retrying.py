"""Tries again what was set aside because it failed too often."""

from __future__ import annotations

from typing import Final

from ..errors import NotFoundError
from ..inbox.tables import inbox
from ..routing.tables import dispatches
from ..store.audit import record
from ..store.claims import ClaimQueue
from ..store.engine import Store

QUEUES: Final = {"delivery": ClaimQueue(inbox), "dispatch": ClaimQueue(dispatches)}
"""What can be set aside, by the word that the audit has for it."""


def retry(store: Store, *, workspace: str, work_id: str, actor: str) -> None:
    """Make a parked delivery or dispatch due again, with all its attempts.

    Raises:
        NotFoundError: the workspace has nothing parked of that id.
    """
    with store.transaction() as connection:
        for entity, queue in QUEUES.items():
            if queue.rearm(connection, workspace, work_id):
                record(
                    connection,
                    workspace=workspace,
                    at=store.now(),
                    actor=actor,
                    verb=f"{entity}.retried",
                    entity=entity,
                    entity_id=work_id,
                )
                return
    raise NotFoundError(
        "nothing of that id is parked in this workspace",
        subject=f"delivery or dispatch {work_id}",
        remedy="take the id from what 'doctor --json' calls parked",
    )
