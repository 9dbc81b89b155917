"""Suggestions from issue keys: the one project whose branches or features name issues of a resource."""

from __future__ import annotations

import pytest

from speckitty_connectors import Confidence, Resource, Signal, Suggestion
from speckitty_connectors.plugin import SuggestionRequest, suggest_by_issue_keys

WEB = Resource(kind="project", id="10001", key="WEB")
OPS = Resource(kind="project", id="10002", key="OPS_2")


def suggest(*signals: Signal, resources: tuple[Resource, ...] = (WEB, OPS)) -> list[Suggestion]:
    request = SuggestionRequest(host="boards.example", web="", resources=resources, signals=signals)
    return suggest_by_issue_keys(request, kind="project")


@pytest.mark.parametrize(
    "name",
    ["web-123", "WEB-1", "kitty/mission-web-123-01KABCDE-lane-a", "mona/web-7_menu", "fix-web-123", "web-9/soup"],
)
def test_an_issue_key_in_a_name_suggests_its_project(name: str) -> None:
    """However a branch or a feature is named around it, the key of the issue tells the resource."""
    for signal in (
        Signal(project_id="apollo", branches=(name,)),
        Signal(project_id="apollo", feature_slugs=(name,)),
    ):
        (found,) = suggest(signal)
        assert (found.resource_id, str(found.target), found.confidence) == (
            "10001",
            "project:apollo",
            Confidence.MEDIUM,
        )
        assert [evidence.rule for evidence in found.evidence] == ["issue_key"]


@pytest.mark.parametrize("name", ["web", "web-", "web-012", "web-2x", "cobweb-12", "web2-12", "HEAD", "", "ops-2"])
def test_what_is_no_issue_key_suggests_nothing(name: str) -> None:
    """Other words, numbers with zeros in front, and the keys of other resources are no evidence."""
    assert suggest(Signal(project_id="apollo", branches=(name,))) == []


def test_two_projects_on_the_issues_of_one_resource_are_left_to_a_person() -> None:
    """Nobody is guessed where two projects work on the same issues; others are suggested all the same."""
    found = suggest(
        Signal(project_id="apollo", branches=("web-1", "ops_2-5")), Signal(project_id="gemini", branches=("web-2",))
    )
    assert [(each.resource_id, str(each.target)) for each in found] == [("10002", "project:apollo")]


def test_resources_of_another_kind_or_with_one_key_are_left_out() -> None:
    """Only the kind that issues belong to is suggested, and none where a key is borne twice."""
    team = Resource(kind="team", id="1", key="WEB")
    stale = Resource(kind="project", id="9", key="web")
    signal = Signal(project_id="apollo", branches=("web-1",))
    assert suggest(signal, resources=(team,)) == []
    assert suggest(signal, resources=(WEB, stale)) == []
