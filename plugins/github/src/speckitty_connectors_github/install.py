"""Connecting an account: install page, then proof, then done.

The id on the landing is never believed: anybody can open the setup URL with anybody's id ("About the setup URL").
It is only remembered while the person authorises, and then has to be among their own installations.
"""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import quote

from speckitty_connectors.plugin import (
    Account,
    ApiForbiddenError,
    ApiNotFoundError,
    ApiSession,
    Authorize,
    AwaitApproval,
    ChooseAccount,
    ConfigurationError,
    Connected,
    Conversation,
    ExternalIdentity,
    InstallAnswer,
    Redirect,
    Refused,
    hookimpl,
    read_answer,
    refused_by_landing,
)

from .answers import Installation, Installations, Membership, Party, who_is_it
from .approval import still_waits
from .manifest import PAGE_SIZE, TITLE
from .refusals import NO_ENTERPRISE, NOT_THE_USER, NOT_YOURS, SUSPENDED, not_an_owner

INSTALLATIONS = "/user/installations"
"""What a person has a part in: "List app installations accessible to the user access token"."""

MEMBERSHIP = "/user/memberships/orgs/{}"
"""Their role: "Get an organization membership for the authenticated user"; needs 'Members: read'."""

INSTALLATION_ID = "installation_id"
SETUP_ACTION = "setup_action"
"""Parameters of the landing ("About the setup URL"). The action ``request`` comes without an id: an owner has to
agree first ("Requesting a GitHub App from your organization owner")."""


@hookimpl
def install(conversation: Conversation) -> InstallAnswer:
    """Answer one step of connecting an account."""
    if conversation.pending is not None:
        return still_waits(conversation.pending) or _install_page(conversation)
    refusal = refused_by_landing(conversation.parameters, title=TITLE)
    if refusal:
        return refusal
    grant = conversation.grant
    if grant is None or grant.session is None:
        return _before_the_grant(conversation)
    if conversation.remembered.get(SETUP_ACTION) == "request":
        return AwaitApproval(requester=who_is_it(grant.session))
    return _with_the_grant(conversation, grant.session)


def _before_the_grant(conversation: Conversation) -> Redirect | Authorize:
    landing = conversation.parameters
    if landing.get(INSTALLATION_ID, "").isdecimal():
        return Authorize(remember={INSTALLATION_ID: landing[INSTALLATION_ID]})
    if landing.get(SETUP_ACTION) == "request":
        return Authorize(remember={SETUP_ACTION: "request"})
    return Authorize() if landing else _install_page(conversation)


def _install_page(conversation: Conversation) -> Redirect:
    app = conversation.app
    if not app.settings.get("slug"):
        raise ConfigurationError(
            "the app was registered without its slug",
            subject=f"app {app.client_id} on {app.host}",
            remedy="register it again with the name that stands in its URL on GitHub, settings={'slug': ...}",
        )
    # "Installing GitHub Apps"; the first segment is another one on GitHub Enterprise Server.
    segment = "github-apps" if app.self_managed else "apps"
    slug, state = quote(app.settings["slug"], safe=""), quote(conversation.state, safe="")
    return Redirect(url=f"{app.urls.web}/{segment}/{slug}/installations/new?state={state}")


def _with_the_grant(conversation: Conversation, session: ApiSession) -> InstallAnswer:
    mine = _installations(conversation, session)
    wanted = conversation.remembered.get(INSTALLATION_ID, "")
    if wanted:
        return _connect(session, next((found for found in mine if str(found.id) == wanted), None))
    if conversation.choice:
        return _connect(session, next((found for found in mine if _account(found).id in conversation.choice), None))
    accounts = tuple(map(_account, mine))
    return ChooseAccount(accounts=accounts) if accounts else _install_page(conversation)


def _installations(conversation: Conversation, session: ApiSession) -> Iterator[Installation]:
    """Yield the person's installations of this app, one page after the other as long as they are asked for."""
    response = session.get(INSTALLATIONS, parameters={"per_page": str(PAGE_SIZE)})
    while True:
        for installation in read_answer(response, Installations).installations:
            if installation.client_id in {None, "", conversation.app.client_id}:
                yield installation
        if not response.next_link:
            return
        response = session.get(response.next_link)


def _connect(session: ApiSession, installation: Installation | None) -> Connected | Refused:
    if installation is None:
        return NOT_YOURS
    if installation.suspended_at:
        return SUSPENDED
    person = who_is_it(session)
    return _objection(session, person, installation.account) or Connected(
        accounts=(_account(installation),),
        installation=str(installation.id),
        scopes=tuple(sorted(f"{name}:{level}" for name, level in installation.permissions.items())),
        connected_by=person,
    )


def _objection(session: ApiSession, person: ExternalIdentity, account: Party) -> Refused | None:
    """Return why the person may not speak for the account, or None: having a part in it isn't owning it."""
    if account.type == "User":
        return None if str(account.id) == person.id else NOT_THE_USER
    if not account.login:
        return NO_ENTERPRISE
    try:
        membership = read_answer(session.get(MEMBERSHIP.format(quote(account.login, safe=""))), Membership)
    except (ApiForbiddenError, ApiNotFoundError):
        return not_an_owner(account.login)
    owns = membership.state == "active" and membership.role == "admin"
    return None if owns else not_an_owner(account.login)


def _account(installation: Installation) -> Account:
    account = installation.account
    return Account(
        id=str(account.id),
        name=account.login or account.slug,
        kind=(account.type or installation.target_type).lower(),
        url=account.html_url or "",
    )
