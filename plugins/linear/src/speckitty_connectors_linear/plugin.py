"""The plugin object that the entry point names."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from speckitty_connectors import (
    Conversation,
    Delivery,
    InstallAnswer,
    LinkAnswer,
    Listing,
    Outcome,
    ResourcePage,
    Suggestion,
    SuggestionRequest,
    hookimpl,
    suggest_by_issue_keys,
)

from . import events, install, link
from .listing import list_resources as list_teams_and_projects
from .manifest import MANIFEST, TEAM


class Linear:
    """Linear workspaces.

    >>> plugin.manifest.provider, plugin.manifest.hosts.default
    ('linear', 'linear.app')
    """

    manifest = MANIFEST

    @hookimpl
    def install(self, conversation: Conversation) -> InstallAnswer:
        """Have an admin install the app, and learn in which workspace they did."""
        return install.install(conversation)

    @hookimpl
    def link_user(self, conversation: Conversation) -> LinkAnswer:
        """Learn a member's Linear user, if it is one of the installation's workspace."""
        return link.link_user(conversation)

    @hookimpl
    def list_resources(self, listing: Listing) -> Iterator[ResourcePage]:
        """List the teams, then the projects, that the session can see."""
        return list_teams_and_projects(listing)

    @hookimpl
    def suggest_mappings(self, request: SuggestionRequest) -> Sequence[Suggestion]:
        """Match teams with the issue keys that branches and feature slugs hold."""
        return suggest_by_issue_keys(request, kind=TEAM)

    @hookimpl
    def route_event(self, delivery: Delivery) -> Outcome:
        """Say what a delivery means."""
        return events.read_delivery(delivery)


plugin = Linear()
"""What the entry point ``linear`` in the group ``speckitty_connectors.v1`` names."""
