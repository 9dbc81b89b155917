"""Keeps what a member granted: as their link's own grant, or as the installation's where a person has only one."""

from __future__ import annotations

from datetime import datetime

from attrs import evolve
from sqlalchemy import Connection

from ..credentials.grants import GRANT, LINK_GRANT, seal_grant
from ..credentials.oauth import TokenAnswer
from ..credentials.vault import Vault
from ..installations import grants
from ..installations.turns import Turn
from .writing import Claim


def keep_grant(
    connection: Connection,
    vault: Vault,
    turn: Turn,
    claim: Claim,
    tokens: TokenAnswer,
    *,
    one_grant_per_person: bool,
    now: datetime,
) -> str:
    """Seal the tokens of a member who links themselves; return the id of the link's own grant.

    Where the installation speaks with the same person's one grant, the tokens are its newest, and the link has
    none of its own: the id is empty.
    """
    installation = claim.installation
    renews = one_grant_per_person and installation.granted_by == claim.identity.id
    credential_id = seal_grant(
        connection,
        vault,
        workspace=installation.workspace,
        app=turn.app,
        kind=GRANT if renews else LINK_GRANT,
        redirect_uri=turn.attempt.redirect_uri,
        tokens=tokens,
    )
    if not renews:
        return credential_id
    renewed = evolve(installation, credential_id=credential_id)
    grants.share(connection, renewed, actor=f"member:{claim.member}", now=now)
    grants.forget_unused(connection, workspace=installation.workspace)
    return ""
