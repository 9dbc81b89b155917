"""Connections and links under way: one stored row for each state that a browser was sent off with.

The state is 256 random bits, stored as its SHA-256 and good for one use within ten minutes. What it belongs to
is stored beside it: who began it and in which browser, the provider, host and redirect URI, and, sealed, the PKCE
verifier or the grant that waits for a choice.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from enum import StrEnum
from hmac import compare_digest

from attrs import field, frozen
from attrs.validators import min_len
from sqlalchemy import Connection, delete, insert, select

from ..credentials.secret import Secret
from ..credentials.tables import conversations
from ..credentials.vault import Vault
from .refusals import Refusal

LIFETIME = timedelta(minutes=10)
"""How long a browser may take; an authorisation code lives no longer either (github.md 1.2, slack.md 3.1)."""

KEPT_AFTER_EXPIRY = timedelta(hours=1)
"""How long a late browser is told "expired" instead of "unknown"."""

CREDENTIAL_KIND = "conversation"
"""What the vault calls the secrets of an attempt."""


class Purpose(StrEnum):
    """What a conversation is for."""

    INSTALL = "install"
    LINK = "link"


class Stage(StrEnum):
    """What a conversation waits for."""

    LANDING = "landing"
    CODE = "code"
    CHOICE = "choice"


@frozen(kw_only=True)
class Attempt:
    """One attempt to connect an account or to link a person.

    Attributes:
        workspace: the workspace it is made for.
        member: who makes it.
        session_digest: digest of the browser session it was begun in.
        purpose: what it is for.
        provider: provider key.
        host: host of the app.
        app_id: the app registered with that host.
        redirect_uri: the exact URL that the provider sends the browser back to.
        installation_id: the installation that a link goes under, or that is authorised again; else empty.
        stage: what it waits for.
        remembered: what the plugin asked to keep.
        expires_at: when it is too late, in UTC.
        id: digest of the state under which it was stored; empty for one that wasn't yet.
    """

    workspace: str = field(validator=min_len(1))
    member: str = field(validator=min_len(1))
    session_digest: str
    purpose: Purpose
    provider: str
    host: str
    app_id: str
    redirect_uri: str
    expires_at: datetime
    installation_id: str = ""
    stage: Stage = Stage.LANDING
    remembered: Mapping[str, str] = field(factory=dict)
    id: str = ""

    def objection(
        self,
        purpose: Purpose,
        session: str,
        stages: Sequence[Stage],
        place: tuple[str, str] | None,
        *,
        now: datetime,
    ) -> Refusal | None:
        """Return why it may not go on for whoever came back, or None.

        Args:
            purpose: what they came back for.
            session: their browser session.
            stages: what would be waited for there.
            place: the provider and host that sent them, or None where no provider did.
            now: the present moment.
        """
        if self.purpose is not purpose or self.stage not in stages:
            return Refusal.STATE_UNKNOWN
        if now >= self.expires_at:
            return Refusal.STATE_EXPIRED
        if not compare_digest(self.session_digest, digest(session)):
            return Refusal.SESSION_MISMATCH
        if place is not None and place != (self.provider, self.host):
            return Refusal.PROVIDER_MISMATCH
        return None

    @property
    def subject(self) -> str:
        """What error messages call it."""
        return f"provider {self.provider} on {self.host}"


def new_state() -> str:
    """Return 256 random bits, to be carried through the provider's pages."""
    return secrets.token_urlsafe(32)


def digest(text: str) -> str:
    """Return the SHA-256 of a state or a session, in hexadecimal: all that is stored of either."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


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
    credential_id = ""
    if sealed:
        credential_id = vault.seal_new(
            connection,
            workspace=attempt.workspace,
            provider=attempt.provider,
            host=attempt.host,
            kind=CREDENTIAL_KIND,
            values=sealed,
            expires_at=attempt.expires_at,
        )
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
            created_at=now,
            expires_at=attempt.expires_at,
        )
    )


def take(connection: Connection, vault: Vault, *, state: str) -> tuple[Attempt, Mapping[str, Secret]] | None:
    """Consume a state with one statement; return its attempt and secrets, or None where it isn't stored.

    However many ask at once, one gets it. Whatever is wrong with the asker, the state is used up.
    """
    row = connection.execute(
        delete(conversations).where(conversations.c.state_digest == digest(state)).returning(*conversations.c)
    ).one_or_none()
    if row is None:
        return None
    unsealed: Mapping[str, Secret] = {}
    if row.credential_id:
        unsealed = vault.open(connection, workspace=row.workspace_id, credential_id=row.credential_id).values
        vault.forget(connection, workspace=row.workspace_id, credential_id=row.credential_id)
    attempt = Attempt(
        workspace=row.workspace_id,
        member=row.member_id,
        session_digest=row.session_digest,
        purpose=Purpose(row.purpose),
        provider=row.provider,
        host=row.host,
        app_id=row.app_id,
        redirect_uri=row.redirect_uri,
        installation_id=row.installation_id,
        stage=Stage(row.step),
        remembered=row.remembered,
        expires_at=row.expires_at,
        id=row.state_digest,
    )
    return attempt, unsealed


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
    for row in gone.all():
        if row.credential_id:
            vault.forget(connection, workspace=row.workspace_id, credential_id=row.credential_id)
