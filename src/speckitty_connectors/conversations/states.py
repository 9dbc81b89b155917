"""Stores the states of conversations under way, and uses each of them up once."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta

from attrs import frozen
from sqlalchemy import Connection, Row, delete, insert, select, update

from ..credentials.secret import Secret
from ..credentials.tables import conversations
from ..credentials.vault import Vault
from ..store.audit import record
from ..store.confinement import across_workspaces
from ..store.metadata import OPERATOR
from .attempts import Attempt, AttemptStage, Purpose, digest
from .refusals import Refusal

KEPT_AFTER_EXPIRY = timedelta(hours=1)
"""How long a late browser is told "expired" instead of "unknown"."""

CREDENTIAL_KIND = "conversation"
"""What the vault calls the secrets of an attempt."""

NO_SECRETS: Mapping[str, Secret] = {}


@frozen(kw_only=True)
class Taken:
    """A state that was used up just now, or is used up already.

    Attributes:
        attempt: what it belongs to.
        sealed: its secrets, which are nowhere else any more.
        objection: why it is good for nothing, no matter who brought it; or None.
    """

    attempt: Attempt
    sealed: Mapping[str, Secret]
    objection: Refusal | None = None


def keep(
    connection: Connection,
    vault: Vault,
    attempt: Attempt,
    *,
    state: str,
    sealed: Mapping[str, Secret],
    now: datetime,
) -> None:
    """Store an attempt under a state that was not stored before; `sealed` goes to the vault."""
    credential_id = _seal(connection, vault, attempt, sealed) if sealed else ""
    connection.execute(
        insert(conversations).values(
            workspace_id=attempt.workspace,
            state_digest=digest(state),
            purpose=attempt.purpose,
            member_id=attempt.member,
            session_digest=attempt.session_digest,
            provider=attempt.provider,
            host=attempt.host,
            app_id=attempt.app_id,
            installation_id=attempt.installation_id,
            redirect_uri=attempt.redirect_uri,
            credential_id=credential_id,
            step=attempt.stage,
            remembered=dict(attempt.remembered),
            code_digest="",
            created_at=now,
            expires_at=attempt.expires_at,
        )
    )


def _seal(connection: Connection, vault: Vault, attempt: Attempt, sealed: Mapping[str, Secret]) -> str:
    return vault.seal_new(
        connection,
        workspace=attempt.workspace,
        provider=attempt.provider,
        host=attempt.host,
        kind=CREDENTIAL_KIND,
        values=sealed,
        expires_at=attempt.expires_at,
    )


def take(
    connection: Connection, vault: Vault, *, state_digest: str, code_digest: str, now: datetime
) -> Taken | None:
    """Use up a state with one statement; return what it belongs to, or None where it isn't stored.

    However many ask at once, one gets its secrets. Whatever is wrong with the asker, the state is used up, and
    so is the code that came with it: a code that came with another state before is good for nothing.
    """
    stored = conversations.c.state_digest == state_digest
    row = connection.execute(
        update(conversations)
        .where(stored, conversations.c.used_at.is_(None))
        .values(used_at=now, code_digest=code_digest)
        .returning(*conversations.c)
    ).one_or_none()
    if row is None:
        used = connection.execute(select(conversations).where(stored)).one_or_none()
        if used is None:
            return None
        return Taken(attempt=_attempt(used), sealed=NO_SECRETS, objection=Refusal.STATE_USED)
    sealed: Mapping[str, Secret] = NO_SECRETS
    if row.credential_id:
        sealed = vault.open(connection, workspace=row.workspace_id, credential_id=row.credential_id).values
        vault.forget(connection, workspace=row.workspace_id, credential_id=row.credential_id)
    attempt = _attempt(row)
    with across_workspaces(connection):
        came_before = code_digest and _came_before(connection, attempt, code_digest)
    return Taken(attempt=attempt, sealed=sealed, objection=Refusal.CODE_USED if came_before else None)


def purpose_of(connection: Connection, *, state: str) -> Purpose | None:
    """Return what a state is for without using it up, so that a shared callback knows whom to ask; or None."""
    row = connection.execute(
        select(conversations.c.purpose).where(conversations.c.state_digest == digest(state))
    ).one_or_none()
    return None if row is None else Purpose(row.purpose)


def forget_expired(connection: Connection, vault: Vault, *, now: datetime) -> None:
    """Delete what nobody came back for, with its secrets, in every workspace."""
    gone = connection.execute(
        delete(conversations)
        .where(conversations.c.expires_at < now - KEPT_AFTER_EXPIRY)
        .returning(conversations.c.workspace_id, conversations.c.credential_id)
    )
    _forget_secrets(connection, vault, ((row.workspace_id, row.credential_id) for row in gone.all()))


def forget_member(connection: Connection, vault: Vault, *, workspace: str, member: str) -> int:
    """Delete what a member has under way in a workspace, with its secrets; return how much there was."""
    gone = connection.execute(
        delete(conversations)
        .where(
            conversations.c.workspace_id == workspace,
            conversations.c.member_id == member,
            conversations.c.used_at.is_(None),
        )
        .returning(conversations.c.workspace_id, conversations.c.credential_id)
    ).all()
    _forget_secrets(connection, vault, ((row.workspace_id, row.credential_id) for row in gone))
    return len(gone)


def _forget_secrets(connection: Connection, vault: Vault, sealed: Iterable[tuple[str, str]]) -> None:
    for workspace, credential_id in sealed:
        if credential_id:
            vault.forget(connection, workspace=workspace, credential_id=credential_id)


def _came_before(connection: Connection, attempt: Attempt, code_digest: str) -> bool:
    return (
        connection.execute(
            select(conversations.c.state_digest)
            .where(
                conversations.c.provider == attempt.provider,
                conversations.c.host == attempt.host,
                conversations.c.code_digest == code_digest,
                conversations.c.state_digest != attempt.id,
            )
            .limit(1)
        ).one_or_none()
        is not None
    )


def _attempt(row: Row[tuple[object, ...]]) -> Attempt:
    return Attempt(
        workspace=row.workspace_id,
        member=row.member_id,
        session_digest=row.session_digest,
        purpose=Purpose(row.purpose),
        provider=row.provider,
        host=row.host,
        app_id=row.app_id,
        redirect_uri=row.redirect_uri,
        installation_id=row.installation_id,
        stage=AttemptStage(row.step),
        remembered=row.remembered,
        expires_at=row.expires_at,
        id=row.state_digest,
    )


def note_refusal(
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
