"""Linking a member's own GitHub identity: its numeric id, which no rename changes ("Authorizing OAuth apps")."""

from __future__ import annotations

from speckitty_connectors.plugin import Authorize, Conversation, LinkAnswer, Linked, hookimpl, refused_by_landing

from .answers import who_is_it
from .manifest import TITLE


@hookimpl
def link_user(conversation: Conversation) -> LinkAnswer:
    """Answer one step of linking a person."""
    refusal = refused_by_landing(conversation.parameters, title=TITLE)
    if refusal:
        return refusal
    if conversation.grant is None or conversation.grant.session is None:
        # A person who is signed in with several accounts says which one is meant ("Authorizing OAuth apps").
        return Authorize(parameters={"prompt": "select_account"})
    return Linked(identity=who_is_it(conversation.grant.session))
