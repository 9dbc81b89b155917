"""Linking a member's own Slack identity, with the one thing that makes its id mean something: where it lives."""

from __future__ import annotations

from speckitty_connectors.plugin import (
    Authorize,
    Conversation,
    ExternalIdentity,
    LinkAnswer,
    Linked,
    Refused,
    hookimpl,
)

from .answers import Claims, read_said
from .manifest import ORGANIZATION

OTHER_ACCOUNT = Refused(
    code="other_account",
    reason="You signed in to another Slack workspace than the one that is connected here.",
    remedy="Start again, and pick the connected workspace on Slack's page.",
)


@hookimpl
def link_user(conversation: Conversation) -> LinkAnswer:
    """Answer one step of linking a person."""
    account = conversation.account
    if conversation.grant is None:
        # Only a wish: who has to sign in first may pick another workspace ("Sign in with Slack").
        return Authorize(parameters={"team": account.id} if account else {})
    claims = read_said(conversation.grant.claims, Claims)
    home = claims.enterprise_id if account and account.kind == ORGANIZATION else claims.team_id
    if account is None or home != account.id:
        return OTHER_ACCOUNT
    return Linked(identity=ExternalIdentity(id=claims.sub, name=claims.name, kind="User"))
