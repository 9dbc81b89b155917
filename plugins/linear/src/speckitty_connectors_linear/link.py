"""Linking a member's own Linear user, which is another one in each workspace."""

from __future__ import annotations

from speckitty_connectors.plugin import (
    Authorize,
    Conversation,
    LinkAnswer,
    Linked,
    Refused,
    hookimpl,
    refused_by_landing,
)

from .answers import IDENTITY, Identity, ask

OTHER_ACCOUNT = Refused(
    code="other_account",
    reason="You signed in to another Linear workspace than the one that is connected here.",
    remedy="Start again, and pick the connected workspace on Linear's page.",
)


@hookimpl
def link_user(conversation: Conversation) -> LinkAnswer:
    """Answer one step of linking a person."""
    refusal = refused_by_landing(conversation.parameters, title="Linear")
    if refusal:
        return refusal
    grant = conversation.grant
    if grant is None or grant.session is None:
        return Authorize()
    found = ask(grant.session, IDENTITY, Identity)
    if conversation.account is None or found.organization.id != conversation.account.id:
        return OTHER_ACCOUNT
    return Linked(identity=found.person)
