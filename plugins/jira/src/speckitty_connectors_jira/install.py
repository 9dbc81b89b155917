"""Connecting sites: the person authorises, then picks among the sites that their grant reaches."""

from __future__ import annotations

from speckitty_connectors.plugin import (
    ApiSession,
    App,
    Authorize,
    ChooseAccount,
    Connected,
    Conversation,
    InstallAnswer,
    Refused,
    hookimpl,
    refused_by_landing,
)

from .answers import server_of, sites_of, who_is_it

NO_SITE = Refused(
    code="no_site",
    reason="Your authorisation reaches no Jira site.",
    remedy="Start again, and pick a site with Jira where Atlassian asks for one.",
)

SITE_NOT_YOURS = Refused(
    code="site_not_yours",
    reason="Your authorisation doesn't reach this site any more.",
    remedy="Start again, and pick the site where Atlassian asks for one.",
)


@hookimpl
def install(conversation: Conversation) -> InstallAnswer:
    """Answer one step of connecting accounts."""
    refusal = refused_by_landing(conversation.parameters, title="Atlassian")
    if refusal:
        return refusal
    grant = conversation.grant
    if grant is None or grant.session is None:
        return Authorize()
    if conversation.app.self_managed:
        return _connect_server(conversation.app, grant.session, grant.scopes)
    return _connect_sites(conversation, grant.session, grant.scopes)


def _connect_sites(conversation: Conversation, session: ApiSession, scopes: tuple[str, ...]) -> InstallAnswer:
    """Connect the picked sites; consents of before may reach more than the one that was just agreed to.

    Each page of consent is for one site, but all of a person's consents are one grant ("OAuth 2.0 (3LO) apps").
    """
    sites = sites_of(session, conversation.app)
    picked = tuple(site for site in sites if site.id in conversation.choice)
    if not sites:
        return NO_SITE
    if len(picked) < len(conversation.choice):
        return SITE_NOT_YOURS
    if len(sites) > 1 and not picked:
        return ChooseAccount(accounts=sites, several=True)
    person = who_is_it(session, conversation.app)
    return Connected(accounts=picked or sites, scopes=scopes, connected_by=person if person.id else None)


def _connect_server(app: App, session: ApiSession, scopes: tuple[str, ...]) -> Connected:
    person = who_is_it(session, app)
    return Connected(accounts=(server_of(session, app),), scopes=scopes, connected_by=person)
