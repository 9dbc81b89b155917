"""Connecting a workspace or an organization: one authorisation, and then a look at whose token came of it.

Slack lets the person pick another workspace than the one that was asked for ("Installing with OAuth"), so the
answer alone says which account it is. Where an admin must approve the app first, Slack keeps the request to itself
and sends nobody back; the person starts again once it is approved.
"""

from __future__ import annotations

from speckitty_connectors.plugin import (
    Account,
    ApiError,
    ApiForbiddenError,
    ApiSession,
    App,
    Authorize,
    Connected,
    Conversation,
    ExternalIdentity,
    InstallAnswer,
    Refused,
    hookimpl,
    read_answer,
)

from .answers import IDENTITY, PERSON, Described, Granted, Identity, read_said
from .manifest import INSTALLERS, MEMBERS, ORGANIZATION, UNKNOWN_CODE, USER_SCOPES, WORKSPACE

NO_ACCOUNT = Refused(
    code="no_account",
    reason="Slack named neither a workspace nor an organization.",
    remedy="Start again, and pick the workspace or the organization on Slack's page.",
)

NOT_AN_ADMIN = Refused(
    code="not_an_admin",
    reason="You are neither an owner nor an admin of that workspace.",
    remedy="Ask an owner or an admin of the workspace to connect it.",
)

ROLE_HIDDEN = Refused(
    code="role_hidden",
    reason="Whether you are an admin of that workspace can't be seen without users:read.",
    remedy="Start again, and leave users:read granted.",
)

OTHER_ACCOUNT = Refused(
    code="account_unproven",
    reason="Slack's token belongs to another account than Slack said.",
    remedy="Start again; if it happens twice, an operator should check the app's client id and secret.",
)


@hookimpl
def install(conversation: Conversation) -> InstallAnswer:
    """Answer one step of connecting an account."""
    grant = conversation.grant
    if grant is None or grant.session is None:
        return Authorize(parameters=_wishes(conversation))
    granted = read_said(grant.details, Granted)
    holder = granted.enterprise if granted.is_enterprise_install else granted.team
    if holder is None:
        return NO_ACCOUNT
    proven = read_answer(grant.session.get(IDENTITY), Identity)
    if holder.id != (proven.enterprise_id if granted.is_enterprise_install else proven.team_id):
        return OTHER_ACCOUNT
    return _objection(conversation.app, granted, grant.session) or Connected(
        accounts=(
            Account(
                id=holder.id,
                name=holder.name or "",
                kind=ORGANIZATION if granted.is_enterprise_install else WORKSPACE,
                url=proven.url,
            ),
        ),
        connected_by=ExternalIdentity(id=granted.authed_user.id) if granted.authed_user else None,
    )


def _objection(app: App, granted: Granted, session: ApiSession) -> Refused | None:
    """Return why the person may not speak for their workspace, or None: many workspaces let any member add apps.

    An organization lets only its admins add one ("Developing apps for Enterprise orgs").
    """
    person = granted.authed_user
    if app.settings.get(INSTALLERS) == MEMBERS or granted.is_enterprise_install or person is None:
        return None
    try:
        role = read_answer(session.get(PERSON, parameters={"user": person.id}), Described).user
    except ApiForbiddenError:
        return ROLE_HIDDEN
    except ApiError as error:
        if error.status != UNKNOWN_CODE:
            raise
        return None  # "unknown_method": this Slack has no such proof
    return None if role.is_admin or role.is_owner else NOT_AN_ADMIN


def _wishes(conversation: Conversation) -> dict[str, str]:
    """Return what else the person is asked: their own scopes, and the account to be authorised again."""
    expected = conversation.account.id if conversation.account else ""
    wishes = {"user_scope": conversation.app.settings.get(USER_SCOPES, ""), "team": expected}
    return {name: value for name, value in wishes.items() if value}
