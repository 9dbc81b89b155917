"""Linear workspaces: what the entry point names.

>>> manifest.provider, manifest.hosts.default
('linear', 'linear.app')
"""

from collections.abc import Sequence

from speckitty_connectors.plugin import Suggestion, SuggestionRequest, hookimpl, suggest_by_issue_keys

from .events import route_event
from .install import install
from .link import link_user
from .listing import list_resources
from .manifest import MANIFEST, TEAM

__all__ = ["install", "link_user", "list_resources", "manifest", "route_event", "suggest_mappings"]

manifest = MANIFEST


@hookimpl
def suggest_mappings(request: SuggestionRequest) -> Sequence[Suggestion]:
    """Match teams with the issue keys that branches and feature slugs hold."""
    return suggest_by_issue_keys(request, kind=TEAM)
