"""GitHub.com and GitHub Enterprise Server: what the entry point names.

>>> manifest.provider, manifest.hosts.default
('github', 'github.com')
"""

from .events import route_event
from .install import install
from .link import link_user
from .listing import list_resources
from .manifest import MANIFEST
from .suggest import suggest_mappings

__all__ = ["install", "link_user", "list_resources", "manifest", "route_event", "suggest_mappings"]

manifest = MANIFEST
