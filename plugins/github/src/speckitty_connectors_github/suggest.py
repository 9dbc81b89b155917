"""Which repository belongs to which project, judged by the remotes that were seen in the projects."""

from __future__ import annotations

from collections.abc import Mapping

from speckitty_connectors.plugin import Suggestion, SuggestionRequest, hookimpl, suggest_by_remotes

from .manifest import HOSTS, REPOSITORY

HOST_ALIASES: Mapping[str, str] = dict.fromkeys(HOSTS.aliases, HOSTS.default)


@hookimpl
def suggest_mappings(request: SuggestionRequest) -> list[Suggestion]:
    """Return a suggestion for each repository that exactly one project stands out for, strongest first."""
    return suggest_by_remotes(request, kind=REPOSITORY, host_aliases=HOST_ALIASES)
