"""Linking a member's own identity: their account id, which is the same in every product of Atlassian's."""

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

from .answers import who_is_it

DELETED = Refused(
    code="account_deleted",
    reason="Atlassian says that this account was deleted.",
    remedy="Sign in to Atlassian with another account, then start again.",
)


@hookimpl
def link_user(conversation: Conversation) -> LinkAnswer:
    """Answer one step of linking a person."""
    refusal = refused_by_landing(conversation.parameters, title="Atlassian")
    if refusal:
        return refusal
    grant = conversation.grant
    if grant is None or grant.session is None:
        return Authorize()
    person = who_is_it(grant.session, conversation.app)
    return Linked(identity=person) if person.id else DELETED
