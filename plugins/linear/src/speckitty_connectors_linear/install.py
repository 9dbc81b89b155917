"""Connecting a workspace: an admin installs the app, and its token tells which workspace that was."""

from __future__ import annotations

from attrs import evolve

from speckitty_connectors.plugin import (
    Authorize,
    Connected,
    Conversation,
    InstallAnswer,
    hookimpl,
    refused_by_landing,
)

from .answers import IDENTITY, Identity, ask

WHO_MAY = "Only an admin can install an app, and a workspace may want each app approved in its settings first."


@hookimpl
def install(conversation: Conversation) -> InstallAnswer:
    """Answer one step of connecting an account.

    The token speaks as the app's own user, so nobody is named as the person who connected: the installation
    outlives the person who agreed to it ("OAuth actor authorization").
    """
    refusal = refused_by_landing(conversation.parameters, title="Linear")
    if refusal:
        return evolve(refusal, remedy=f"{refusal.remedy} {WHO_MAY}")
    grant = conversation.grant
    if grant is None or grant.session is None:
        return Authorize()
    found = ask(grant.session, IDENTITY, Identity)
    return Connected(accounts=(found.organization.account(conversation.app.urls),), scopes=grant.scopes)
