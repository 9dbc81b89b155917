"""The plugin object that the entry point names."""

from __future__ import annotations

from collections.abc import Iterator

from speckitty_connectors import (
    Conversation,
    Delivery,
    InstallAnswer,
    LinkAnswer,
    Listing,
    Outcome,
    ResourcePage,
    hookimpl,
)

from . import events, install, link
from .listing import list_resources as list_channels
from .manifest import MANIFEST


class Slack:
    """Slack workspaces, Enterprise organizations, and GovSlack.

    >>> plugin.manifest.provider, plugin.manifest.hosts.default
    ('slack', 'slack.com')
    """

    manifest = MANIFEST

    @hookimpl
    def install(self, conversation: Conversation) -> InstallAnswer:
        """Have the person add the app, and learn to which workspace or organization they did."""
        return install.install(conversation)

    @hookimpl
    def link_user(self, conversation: Conversation) -> LinkAnswer:
        """Learn a member's Slack id, if it is one of the installation's account."""
        return link.link_user(conversation)

    @hookimpl
    def list_resources(self, listing: Listing) -> Iterator[ResourcePage]:
        """List the channels that the app can see."""
        return list_channels(listing)

    @hookimpl
    def route_event(self, delivery: Delivery) -> Outcome:
        """Say what a delivery means."""
        return events.read_delivery(delivery)


plugin = Slack()
"""What the entry point ``slack`` in the group ``speckitty_connectors.v1`` names."""
