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
    Subscription,
    SubscriptionAnswer,
    Suggestion,
    SuggestionRequest,
    hookimpl,
)

from . import events, install, link, subscribe, suggest
from .listing import list_resources as list_group
from .manifest import MANIFEST


class GitLab:
    """GitLab.com and self-managed GitLab.

    >>> plugin.manifest.provider, plugin.manifest.hosts.default
    ('gitlab', 'gitlab.com')
    """

    manifest = MANIFEST

    @hookimpl
    def install(self, conversation: Conversation) -> InstallAnswer:
        """Have the person authorise, and pick among the groups that they maintain."""
        return install.install(conversation)

    @hookimpl
    def link_user(self, conversation: Conversation) -> LinkAnswer:
        """Learn a member's numeric id in this GitLab."""
        return link.link_user(conversation)

    @hookimpl
    def list_resources(self, listing: Listing) -> Iterator[ResourcePage]:
        """List the group, its projects and its subgroups."""
        return list_group(listing)

    @hookimpl
    def suggest_mappings(self, request: SuggestionRequest) -> Sequence[Suggestion]:
        """Match projects with the git remotes of projects here."""
        return suggest.suggest_mappings(request)

    @hookimpl
    def route_event(self, delivery: Delivery) -> Outcome:
        """Say what a delivery means."""
        return events.read_delivery(delivery)

    @hookimpl
    def subscribe(self, subscription: Subscription) -> SubscriptionAnswer:
        """Make, read back or delete a webhook."""
        return subscribe.subscribe(subscription)


plugin = GitLab()
"""What the entry point ``gitlab`` in the group ``speckitty_connectors.v1`` names."""
