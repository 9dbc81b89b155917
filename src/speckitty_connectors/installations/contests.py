"""Tells the holder of an account, and nobody else, that another workspace tried to connect it."""

from __future__ import annotations

from ..providers.accounts import Account
from ..store.audit import record
from ..store.engine import Store
from . import repository
from .attempts import Attempt
from .types import GONE


def note_contest(store: Store, attempt: Attempt, account: Account) -> None:
    """Write into the holder's audit that somebody else proved control of the account; not who it was."""
    with store.transaction() as connection:
        live = repository.find_live(connection, provider=attempt.provider, host=attempt.host, account_id=account.id)
        for holder in live:
            if holder.workspace != attempt.workspace and holder.status not in GONE:
                record(
                    connection,
                    workspace=holder.workspace,
                    at=store.now(),
                    actor="system",
                    verb="installation.contested",
                    entity="installation",
                    entity_id=holder.id,
                    reason="another workspace proved control of this account and was refused",
                )
