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
    suggest_by_issue_keys,
)

from . import events, install, link
from .listing import list_resources as list_projects
from .manifest import MANIFEST, PROJECT
from .subscribe import subscribe as step_of_webhook


class Jira:
    """Jira Cloud and Jira Data Center.

    >>> plugin.manifest.provider, plugin.manifest.hosts.default
    ('jira', 'atlassian.net')
    """

    manifest = MANIFEST

    @hookimpl
    def install(self, conversation: Conversation) -> InstallAnswer:
        """Have the person authorise, then pick among the sites that their grant reaches."""
        return install.install(conversation)

    @hookimpl
    def link_user(self, conversation: Conversation) -> LinkAnswer:
        """Learn a member's Atlassian account id, or their user key on Data Center."""
        return link.link_user(conversation)

    @hookimpl
    def list_resources(self, listing: Listing) -> Iterator[ResourcePage]:
        """List the projects that the grant can see."""
        return list_projects(listing)

    @hookimpl
    def suggest_mappings(self, request: SuggestionRequest) -> Sequence[Suggestion]:
        """Match projects with the issue keys that branches and feature slugs hold."""
        return suggest_by_issue_keys(request, kind=PROJECT)

    @hookimpl
    def subscribe(self, subscription: Subscription) -> SubscriptionAnswer:
        """Register, read back, extend or remove the webhook for the mapped projects of a site."""
        return step_of_webhook(subscription)

    @hookimpl
    def route_event(self, delivery: Delivery) -> Outcome:
        """Say what a delivery means."""
        return events.read_delivery(delivery)


plugin = Jira()
"""What the entry point ``jira`` in the group ``speckitty_connectors.v1`` names."""
