"""What the stand-in's Slack consists of: mona, her workspace, its organization, and 25 channels.

The shapes are those of the Web API's methods.
"""

from __future__ import annotations

from typing import Any

Document = dict[str, Any]

APP_ID = "A31KITTY"
TEAM_ID = "T2001OCTO"
TEAM = "Octo Works"
SECOND_TEAM_ID = "T2002OCTO"
ORGANIZATION_ID = "E3001OCTO"
ORGANIZATION = "Octo Group"
USER_ID = "U1001MONA"
USER = "mona"
BOT_ID = "U1002KITTY"
CHANNEL_COUNT = 25
NAMES = ("apollo", "builds", "canteen")
"""The names of the first channels; the others are numbered."""


def team() -> Document:
    """Return the workspace as the token answer names it."""
    return {"id": TEAM_ID, "name": TEAM}


def enterprise() -> Document:
    """Return the organization as the token answer names it."""
    return {"id": ORGANIZATION_ID, "name": ORGANIZATION}


def identity(web: str, *, organization: bool) -> Document:
    """Return whose token the bot's is ("auth.test")."""
    whole = {"ok": True, "url": f"{web}/", "user": "kitty", "user_id": BOT_ID, "bot_id": "B1002KITTY"}
    if organization:
        return {**whole, "team": ORGANIZATION, "team_id": ORGANIZATION_ID, **_organization()}
    return {**whole, "team": TEAM, "team_id": TEAM_ID, "is_enterprise_install": False}


def _organization() -> Document:
    return {"enterprise_id": ORGANIZATION_ID, "is_enterprise_install": True}


def person(*, is_admin: bool) -> Document:
    """Return mona as "users.info" describes her."""
    roles = {"is_admin": is_admin, "is_owner": False, "is_primary_owner": False}
    return {"ok": True, "user": {"id": USER_ID, "team_id": TEAM_ID, "name": USER, "deleted": False, **roles}}


def channel_id(index: int, team_id: str = TEAM_ID) -> str:
    """Return the id of the channel at a position of a workspace's listing, from 0."""
    return f"C{7001 + index}{'OCTO' if team_id == TEAM_ID else 'MORE'}"


def channel(index: int, team_id: str = TEAM_ID) -> Document:
    """Return the channel at a position of a workspace's listing; every tenth is private, and the last archived."""
    name = NAMES[index] if index < len(NAMES) else f"project-{index:02}"
    private = index % 10 == 9
    return {
        "id": channel_id(index, team_id),
        "name": name,
        "name_normalized": name,
        "created": 1_700_000_000 + index,
        "creator": USER_ID,
        "is_channel": True,
        "is_group": private,
        "is_im": False,
        "is_mpim": False,
        "is_private": private,
        "is_archived": index == CHANNEL_COUNT - 1,
        "is_member": True,
        "is_general": False,
        "is_shared": False,
        "is_ext_shared": False,
        "is_org_shared": False,
        "is_pending_ext_shared": False,
        "num_members": 2,
        "pending_shared": [],
        "previous_names": [],
        "purpose": _remark(),
        "topic": _remark(),
        "unlinked": 0,
    }


def workspaces() -> dict[str, list[Document]]:
    """Return the channels of each workspace of the organization; the first is the one without an organization."""
    return {
        team_id: [channel(index, team_id) for index in range(CHANNEL_COUNT)]
        for team_id in (TEAM_ID, SECOND_TEAM_ID)
    }


def _remark() -> Document:
    return {"value": "", "creator": "", "last_set": 0}
