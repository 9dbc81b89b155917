"""GitLab.com and self-managed GitLab: what the entry point names.

>>> manifest.provider, manifest.hosts.default
('gitlab', 'gitlab.com')
"""

from .events import route_event
from .install import install
from .link import link_user
from .listing import list_resources
from .manifest import MANIFEST
from .subscribe import subscribe
from .suggest import suggest_mappings

__all__ = ["install", "link_user", "list_resources", "manifest", "route_event", "subscribe", "suggest_mappings"]

manifest = MANIFEST
