"""The grants that links speak with: sealed when they are given, and decisive for a link's status."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from attrs import evolve
from sqlalchemy import Connection

from ..conversations.attempts import Turn
from ..credentials.vault import Vault
from ..installations import grants
from ..installations import grants as installation_grants
from ..store.audit import record_change
from ..tokens.grants import GRANT, LINK_GRANT, GrantCondition, seal_grant
from ..tokens.oauth import TokenAnswer
from . import repository
from .changes import LinkRequest
from .types import LinkStatus, UserLink

REASON: Final = "the provider accepts the token no longer; the member has to link again"


def update_holders(
    connection: Connection, *, workspace: str, credential_id: str, condition: GrantCondition, now: datetime
) -> None:
    """Give the link or the installations that speak with a grant the status that its condition asks for."""
    installation_grants.follow(
        connection, workspace=workspace, credential_id=credential_id, condition=condition, now=now
    )
    status = LinkStatus.NEEDS_REAUTHORISATION if condition is GrantCondition.REFUSED else LinkStatus.ACTIVE
    link = repository.find_speaking(connection, workspace=workspace, credential_id=credential_id)
    if link is not None and link.status not in {LinkStatus.REVOKED, status}:
        _update(connection, link, status, now)


def _update(connection: Connection, known: UserLink, status: LinkStatus, now: datetime) -> None:
    is_refused = status is LinkStatus.NEEDS_REAUTHORISATION
    reason = REASON if is_refused else ""
    changed = evolve(known, status=status, status_reason=reason, updated_at=now)
    repository.save(connection, changed)
    verb = "refused" if is_refused else "recovered"
    record_change(connection, known, changed, verb, actor="system", at=now, reason=reason)


def keep_grant(
    connection: Connection,
    vault: Vault,
    turn: Turn,
    request: LinkRequest,
    tokens: TokenAnswer,
    *,
    one_grant_per_person: bool,
    now: datetime,
) -> str:
    """Seal the tokens of a member who links themselves; return the id of the link's own grant.

    The id is empty where the installation speaks with the same person's one grant: the tokens are its newest.
    """
    installation = request.installation
    renews = one_grant_per_person and installation.granted_by == request.identity.id
    kind, redirect_uri = GRANT if renews else LINK_GRANT, turn.attempt.redirect_uri
    whose = {"workspace": installation.workspace, "kind": kind, "redirect_uri": redirect_uri}
    credential_id = seal_grant(connection, vault, app=turn.app, tokens=tokens, **whose)
    if not renews:
        return credential_id
    renewed = evolve(installation, credential_id=credential_id)
    grants.share(connection, renewed, actor=f"member:{request.member}", now=now)
    grants.forget_unused(connection, workspace=installation.workspace)
    return ""
