"""What somebody granted: the sealed tokens, and beside them the condition of their renewal."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from typing import Final, Protocol

from attrs import frozen
from sqlalchemy import ColumnElement, Connection, and_, insert, select, update

from ..apps.service import RegisteredApp
from ..credentials.secret import Secret
from ..credentials.tables import grants
from ..credentials.vault import Vault
from ..errors import NotFoundError
from ..providers.manifest import Manifest
from ..providers.oauth import OAuthRules
from ..store.audit import Audited, record
from ..store.metadata import DatabaseMilliseconds
from ..store.rows import from_row
from .oauth import Revocation, TokenAnswer

GRANT: Final = "grant"
"""Kind of the credential of an installation whose provider mints none."""

LINK_GRANT: Final = "link_grant"
"""Kind of the credential of a member's own link."""


class GrantCondition(StrEnum):
    """Whether a grant still gives tokens.

    One refusal of the provider is a suspicion only: another process may hold the answer that it contradicts.
    """

    GOOD = "good"
    FAILING = "failing"
    SUSPECT = "suspect"
    REFUSED = "refused"


class OnGrantChange(Protocol):
    """Updates what speaks with a grant to its condition, in the transaction that changes it.

    Tokens may not look up, so what joins the layers hands them a function of this shape.
    """

    def __call__(
        self,
        connection: Connection,
        *,
        workspace: str,
        credential_id: str,
        condition: GrantCondition,
        now: datetime,
    ) -> object:
        """Find what speaks with the credential, and update it."""
        ...


def update_nothing(
    connection: Connection, *, workspace: str, credential_id: str, condition: GrantCondition, now: datetime
) -> None:
    """Do nothing."""


@frozen(kw_only=True)
class StoredGrant:
    """A grant without its tokens.

    `failures` counts attempts to renew since the last success. It `is_being_renewed` where a process asks for it
    or died doing so, and `is_open` where the turn to ask may be taken. Without a redirect URI, it was entered.
    """

    workspace: str
    credential_id: str
    app_id: str
    redirect_uri: str
    condition: GrantCondition
    failures: int
    is_being_renewed: bool
    is_open: bool


def rules_for(manifest: Manifest, kind: str, host: str) -> OAuthRules | None:
    """Return the flow that a credential of this kind and host came from, or None where the provider has none."""
    rules = manifest.install_oauth if kind == GRANT else manifest.link_oauth
    return rules and rules.at(self_managed=host != manifest.hosts.default)


def seal_grant(
    connection: Connection,
    vault: Vault,
    *,
    workspace: str,
    app: RegisteredApp,
    kind: str,
    redirect_uri: str,
    tokens: TokenAnswer,
) -> str:
    """Seal what was granted, and where the person came back to, for later renewals; return the credential's id."""
    place = {"workspace": workspace, "provider": app.app.provider, "host": app.app.host, "kind": kind}
    credential_id = vault.seal_new(connection, **place, values=tokens.values, expires_at=tokens.expires_at)
    row = {"workspace_id": workspace, "credential_id": credential_id, "app_id": app.id}
    state = {"condition": GrantCondition.GOOD, "failures": 0, "not_before": DatabaseMilliseconds()}
    connection.execute(insert(grants).values(redirect_uri=redirect_uri, **row, **state))
    return credential_id


def find_grant(connection: Connection, *, workspace: str, credential_id: str) -> StoredGrant | None:
    """Return a grant, or None where the credential isn't one that can be renewed."""
    is_open = (grants.c.not_before <= DatabaseMilliseconds()).label("is_open")
    row = connection.execute(select(grants, is_open).where(_one(workspace, credential_id))).one_or_none()
    if row is None:
        return None
    renewing, condition = row.intent_started_at is not None, GrantCondition(row.condition)
    return from_row(StoredGrant, row, condition=condition, is_being_renewed=renewing, is_open=bool(row.is_open))


def get_grant(connection: Connection, *, workspace: str, credential_id: str) -> StoredGrant:
    """Return a grant.

    Raises:
        NotFoundError: this workspace has no such grant.
    """
    found = find_grant(connection, workspace=workspace, credential_id=credential_id)
    if found is None:
        raise NotFoundError(
            "there is no such grant in this workspace",
            subject=f"credential {credential_id}",
            remedy="connect or link again",
        )
    return found


def begin_renewal(connection: Connection, grant: StoredGrant, *, seconds: float) -> int:
    """Take the turn to ask the provider; return its mark, or 0 where it is another one's, or nobody's yet.

    The row stays locked until the transaction ends; after `seconds` the next one may ask.
    """
    now = DatabaseMilliseconds()
    taken = (
        update(grants)
        .where(_one(grant.workspace, grant.credential_id), grants.c.not_before <= now)
        .values(intent_started_at=now, not_before=now + int(seconds * 1000))
        .returning(grants.c.intent_started_at)
    )
    return connection.execute(taken).scalar_one_or_none() or 0


def lock_grant(connection: Connection, grant: StoredGrant) -> int:
    """Let nobody else change a grant until the transaction ends; return the mark of whose turn it is.

    The mark is 0 where nobody asks.
    """
    row = select(grants.c.intent_started_at).where(_one(grant.workspace, grant.credential_id))
    return connection.execute(row.with_for_update()).scalar_one_or_none() or 0


def end_renewal(
    connection: Connection,
    grant: StoredGrant,
    *,
    condition: GrantCondition,
    failures: int = 0,
    pause_seconds: float = 0,
    goes_on: bool = False,
) -> None:
    """Note how an attempt ended, and when the next one may start.

    For `pause_seconds` nobody may ask; where another's turn `goes_on`, that one may finish.
    """
    noted = update(grants).where(_one(grant.workspace, grant.credential_id))
    noted = noted.values(condition=condition, failures=failures)
    if not goes_on:
        not_before = DatabaseMilliseconds() + int(pause_seconds * 1000)
        noted = noted.values(intent_started_at=None, not_before=not_before)
    connection.execute(noted)


class GrantHolder(Audited, Protocol):
    """What speaks to a provider with a credential: an installation, or a member's link."""

    @property
    def credential_id(self) -> str:
        """Its grant."""
        ...

    @property
    def opens(self) -> str:
        """The credential that a session opens for it: its grant, or the app where that mints its tokens."""
        ...


def note_opening(connection: Connection, holder: GrantHolder, *, actor: str, purpose: str, at: datetime) -> None:
    """Note that a session is about to speak for somebody: once for each session, not for each request."""
    record(
        connection,
        workspace=holder.workspace,
        at=at,
        actor=actor,
        verb="credential.opened",
        entity="credential",
        entity_id=holder.opens,
        reason=purpose,
        after={holder.entity: holder.id},
    )


def note_given_up(
    connection: Connection,
    holder: GrantHolder,
    revocation: Revocation,
    values: Mapping[str, Secret],
    *,
    actor: str,
    at: datetime,
) -> None:
    """Note that a grant was forgotten, and what became of it on the provider's side."""
    record(
        connection,
        workspace=holder.workspace,
        at=at,
        actor=actor,
        verb="credential.given_up",
        entity="credential",
        entity_id=holder.credential_id,
        reason=revocation,
        before={holder.entity: holder.id, **values},
    )


def _one(workspace: str, credential_id: str) -> ColumnElement[bool]:
    return and_(grants.c.workspace_id == workspace, grants.c.credential_id == credential_id)
