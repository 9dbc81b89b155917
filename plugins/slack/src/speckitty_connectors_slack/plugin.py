"""Slack workspaces, Enterprise organizations, and GovSlack: what the entry point names.

>>> manifest.provider, manifest.hosts.default
('slack', 'slack.com')
"""

from .events import route_event
from .install import install
from .link import link_user
from .listing import list_resources
from .manifest import MANIFEST

__all__ = ["install", "link_user", "list_resources", "manifest", "route_event"]

manifest = MANIFEST
