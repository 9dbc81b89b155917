"""Suggestions: issue keys in branches and slugs tell which team a project works for."""

from __future__ import annotations

from speckitty_connectors.plugin import Resource, Signal, SuggestionRequest
from speckitty_connectors_linear import plugin

TEAMS = (Resource(kind="team", id="t1", key="HEL"), Resource(kind="team", id="t2", key="MEN"))


def suggested(*signals: Signal, resources: tuple[Resource, ...] = TEAMS) -> list[tuple[str, str, str]]:
    request = SuggestionRequest(host="linear.app", web="https://linear.app", resources=resources, signals=signals)
    found = plugin.suggest_mappings(request)
    return [(each.resource_kind, each.resource_id, str(each.target)) for each in found]


def test_an_issue_key_suggests_its_team() -> None:
    """In a branch as Linear names it, or in a feature slug; capitals don't matter."""
    apollo = Signal(project_id="apollo", branches=("mona/hel-12-add-the-soup", "main"))
    gemini = Signal(project_id="gemini", feature_slugs=("MEN-7-menus",))
    assert suggested(apollo, gemini) == [("team", "t1", "project:apollo"), ("team", "t2", "project:gemini")]


def test_a_key_that_two_projects_use_suggests_nothing() -> None:
    """Neither stands out."""
    signals = [Signal(project_id=name, branches=("hel-12-soup",)) for name in ("apollo", "gemini")]
    assert suggested(*signals) == []


def test_a_project_of_linears_is_never_suggested() -> None:
    """Its name is no issue key, even where it looks like one."""
    named = (Resource(kind="project", id="p1", key="HEL"),)
    assert suggested(Signal(project_id="apollo", branches=("hel-12-soup",)), resources=named) == []
