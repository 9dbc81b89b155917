"""Which project on GitLab belongs to which project here, judged by the remotes that were seen in the projects."""

from __future__ import annotations

from collections.abc import Mapping

from speckitty_connectors.plugin import Suggestion, SuggestionRequest, hookimpl, suggest_by_remotes

from .manifest import HOST, PROJECT

HOST_ALIASES: Mapping[str, str] = {
    f"altssh.{HOST}": HOST,  # "GitLab.com settings": "Alternative SSH port"
    f"www.{HOST}": HOST,
}


@hookimpl
def suggest_mappings(request: SuggestionRequest) -> list[Suggestion]:
    """Return a suggestion for each project that exactly one project here stands out for, strongest first."""
    return suggest_by_remotes(request, kind=PROJECT, host_aliases=HOST_ALIASES)
