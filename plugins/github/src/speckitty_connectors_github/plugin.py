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
)

from . import events, install, link, suggest
from .listing import list_resources as list_repositories
from .manifest import MANIFEST


class GitHub:
    """GitHub.com and GitHub Enterprise Server.

    >>> plugin.manifest.provider, plugin.manifest.hosts.default
    ('github', 'github.com')
    """

    manifest = MANIFEST

    @hookimpl
    def install(self, conversation: Conversation) -> InstallAnswer:
        """Send the person to the install page, then have them prove that the account is theirs."""
        return install.install(conversation)

    @hookimpl
    def link_user(self, conversation: Conversation) -> LinkAnswer:
        """Learn a member's numeric GitHub id."""
        return link.link_user(conversation)

    @hookimpl
    def list_resources(self, listing: Listing) -> Iterator[ResourcePage]:
        """List the repositories that the app, or a member, can see."""
        return list_repositories(listing)

    @hookimpl
    def suggest_mappings(self, request: SuggestionRequest) -> Sequence[Suggestion]:
        """Match repositories with the git remotes of projects."""
        return suggest.suggest_mappings(request)

    @hookimpl
    def route_event(self, delivery: Delivery) -> Outcome:
        """Say what a delivery means."""
        return events.read_delivery(delivery)


plugin = GitHub()
"""What the entry point ``github`` in the group ``speckitty_connectors.v1`` names."""
