"""Connecting a group: the person authorises, and picks among the groups that they maintain.

The grant is a person's. If they leave, or are blocked, it ends with them; the access token of a group outlives them
("Group access tokens").
"""

from __future__ import annotations

from collections.abc import Sequence

from speckitty_connectors.plugin import (
    Account,
    ApiSession,
    Authorize,
    ChooseAccount,
    Connected,
    Conversation,
    InstallAnswer,
    hookimpl,
    refused_by_landing,
)

from .answers import Group, all_groups, who_is_it
from .manifest import GROUP, PAGE_SIZE, TITLE
from .refusals import NO_GROUP, NOT_YOURS

GROUPS = "/groups"
"""What a person has a part in: "List groups" ("Groups API")."""

MAINTAINER = "40"
"""The least role that may make webhooks ("Access level", "Webhooks")."""


@hookimpl
def install(conversation: Conversation) -> InstallAnswer:
    """Answer one step of connecting a group."""
    refusal = refused_by_landing(conversation.parameters, title=TITLE)
    if refusal:
        return refusal
    grant = conversation.grant
    if grant is None or grant.session is None:
        return Authorize()
    groups = _maintained(grant.session)
    if conversation.choice:
        groups = [group for group in groups if str(group.id) in conversation.choice]
        if len(groups) != len(set(conversation.choice)):
            return NOT_YOURS
    if not groups:
        return NO_GROUP
    accounts = tuple(map(_account, groups))
    if len(accounts) > 1 and not conversation.choice:
        return ChooseAccount(accounts=accounts, several=True)
    return Connected(accounts=accounts, scopes=grant.scopes, connected_by=who_is_it(grant.session))


def _maintained(session: ApiSession) -> Sequence[Group]:
    """Return the groups of which the person is maintainer or owner, without those inside another of them."""
    parameters = {"min_access_level": MAINTAINER, "order_by": "id", "sort": "asc", "per_page": str(PAGE_SIZE)}
    groups = list(all_groups(session, GROUPS, parameters))
    ids = {group.id for group in groups}
    return [group for group in groups if group.parent_id not in ids]


def _account(group: Group) -> Account:
    return Account(id=str(group.id), name=group.full_path, kind=GROUP, url=group.web_url)
