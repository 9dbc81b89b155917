"""Listing channels: those of a workspace, or of each workspace that an organization has added the app to."""

from __future__ import annotations

from collections.abc import Iterator

from speckitty_connectors.plugin import (
    ApiError,
    ApiForbiddenError,
    ApiNotFoundError,
    Listing,
    Resource,
    ResourcePage,
    hookimpl,
    read_answer,
)

from .answers import CONVERSATIONS, WORKSPACES, Channel, Channels, Workspaces
from .manifest import (
    ALL_CHANNELS,
    CHANNEL,
    CHANNELS,
    ORGANIZATION,
    PAGE_SIZE,
    PRIVATE_CHANNELS,
    UNKNOWN_CODE,
)
from .payload import label

_MARK = "|"
"""Between the workspace and Slack's own cursor in ours: neither can hold it."""


@hookimpl
def list_resources(listing: Listing) -> Iterator[ResourcePage]:
    """Yield the pages, workspace by workspace; the cursor is the workspace with Slack's cursor in it.

    A workspace of an organization that refuses is skipped, unless all of them do.
    """
    workspaces = _workspaces(listing)
    workspace, _, cursor = listing.cursor.partition(_MARK)
    # Workspaces come in the order of their ids, so that it is known which of them were listed before.
    remaining = [each for each in workspaces if each >= workspace]
    if not remaining:
        yield ResourcePage(resources=())
    refusals: list[ApiError] = []
    for number, each in enumerate(remaining, start=1):
        following = f"{remaining[number]}{_MARK}" if number < len(remaining) else ""
        start = cursor if each == workspace else ""
        try:
            yield from _channels(listing, each, start, following)
        except ApiError as error:
            if not _is_refused(error, start) or listing.account.kind != ORGANIZATION:
                raise
            refusals.append(error)
            yield ResourcePage(resources=(), cursor=following, skipped=(f"workspace {each}: {error.what}",))
    if len(refusals) == len(workspaces) > 0:
        raise refusals[0]


def _is_refused(error: ApiError, cursor: str) -> bool:
    """Return whether a workspace refused to be listed; a cursor that it doesn't know any more is no refusal."""
    return isinstance(error, ApiForbiddenError | ApiNotFoundError) or (error.status == UNKNOWN_CODE and not cursor)


def _workspaces(listing: Listing) -> list[str]:
    if listing.account.kind != ORGANIZATION:
        return [listing.account.id]
    found: list[str] = []
    cursor = ""
    while True:
        parameters = {"limit": str(PAGE_SIZE), **({"cursor": cursor} if cursor else {})}
        page = read_answer(listing.session.get(WORKSPACES, parameters=parameters), Workspaces)
        found.extend(team.id for team in page.teams)
        cursor = page.response_metadata.next_cursor
        if not cursor:
            return sorted(set(found))


def _channels(listing: Listing, workspace: str, cursor: str, following: str) -> Iterator[ResourcePage]:
    """Yield the pages of one workspace; what follows its last page is another workspace, or nothing."""
    while True:
        page = _page(listing, workspace, cursor)
        cursor = page.response_metadata.next_cursor
        yield ResourcePage(
            resources=tuple(_resource(found, workspace) for found in page.channels if _is_wanted(found, listing)),
            cursor=f"{workspace}{_MARK}{cursor}" if cursor else following,
        )
        if not cursor:
            return


def _page(listing: Listing, workspace: str, cursor: str) -> Channels:
    private = PRIVATE_CHANNELS in listing.scopes
    parameters = {
        "types": "public_channel,private_channel" if private else "public_channel",
        "limit": str(min(listing.page_size, PAGE_SIZE)),
        # An organization's token needs it, and a workspace's doesn't mind ("Developing apps for Enterprise orgs").
        "team_id": workspace,
        **({"cursor": cursor} if cursor else {}),
    }
    return read_answer(listing.session.get(CONVERSATIONS, parameters=parameters), Channels)


def _is_wanted(channel: Channel, listing: Listing) -> bool:
    """Return whether the app hears of it, so that a channel it was removed from is found to be gone."""
    return channel.is_member or listing.app.settings.get(CHANNELS) == ALL_CHANNELS


def _resource(channel: Channel, workspace: str) -> Resource:
    flags = ("is_member", "is_shared", "is_ext_shared", "is_org_shared")
    return Resource(
        kind=CHANNEL,
        id=channel.id,
        key=label(channel.name),
        url=f"https://app.slack.com/client/{workspace}/{channel.id}",
        archived=channel.is_archived,
        private=channel.is_private,
        attributes={
            "workspace_id": channel.context_team_id or workspace,
            **{flag: "true" if getattr(channel, flag) else "false" for flag in flags},
        },
    )
