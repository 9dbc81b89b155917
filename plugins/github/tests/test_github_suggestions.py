"""Suggestions: a repository and the one project in which it was seen."""

from __future__ import annotations

import itertools

import pytest

from speckitty_connectors.plugin import Confidence, Resource, Signal, Suggestion, SuggestionRequest
from speckitty_connectors_github import plugin

HELLO = Resource(kind="repository", id="7001", key="Octo-Org/Hello")
MENU = Resource(kind="repository", id="7002", key="octo-org/menu")


def suggest(
    *signals: Signal, web: str = "https://github.com", resources: tuple[Resource, ...] = (HELLO, MENU)
) -> list[Suggestion]:
    host = web.partition("://")[2].partition("/")[0]
    return list(
        plugin.suggest_mappings(SuggestionRequest(host=host, web=web, resources=resources, signals=signals))
    )


def told(suggestions: list[Suggestion]) -> list[tuple[str, str, str]]:
    return [(found.resource_id, str(found.target), found.confidence.value) for found in suggestions]


@pytest.mark.parametrize(
    "remote",
    [
        "git@github.com:octo-org/hello.git",
        "https://github.com/OCTO-ORG/HELLO",
        "https://mona:hunter2@github.com/octo-org/hello.git",
        "ssh://git@ssh.github.com:443/octo-org/hello.git",
        "https://www.github.com/octo-org/hello/",
    ],
)
def test_a_remote_of_the_repository_suggests_its_project(remote: str) -> None:
    """However the remote is written, the project where it was seen is suggested with high confidence."""
    assert told(suggest(Signal(project_id="apollo", remote_url=remote))) == [("7001", "project:apollo", "high")]


@pytest.mark.parametrize(
    "remote",
    [
        "git@gitlab.com:octo-org/hello.git",
        "git@ghe.example:octo-org/hello.git",
        "https://github.com.evil.example/octo-org/hello.git",
        "https://github.com:8443/octo-org/hello.git",
        "git@github.com:octo-org/hello-world.git",
        "git@github.com:octo-org/deeper/hello.git",
        "/srv/git/octo-org/hello",
        "",
    ],
)
def test_another_remote_suggests_nothing(remote: str) -> None:
    """Another host, port or path is another repository, even where owner and name are the same."""
    assert suggest(Signal(project_id="apollo", remote_url=remote)) == []


@pytest.mark.parametrize(
    ("web", "remote"),
    [
        ("https://ghe.example", "git@ghe.example:octo-org/hello.git"),
        ("https://ghe.example", "ssh://git@ghe.example:2222/octo-org/hello.git"),
        ("https://ghe.example:8443", "https://ghe.example:8443/octo-org/hello.git"),
        ("https://ghe.example:8443", "git@ghe.example:octo-org/hello.git"),
        ("https://example.org/github", "https://example.org/github/octo-org/hello.git"),
    ],
)
def test_a_self_managed_host_is_matched_by_its_own_address(web: str, remote: str) -> None:
    """Host, port and relative root of the installation decide, no fixed name does."""
    assert told(suggest(Signal(project_id="apollo", remote_url=remote), web=web)) == [
        ("7001", "project:apollo", "high")
    ]


def test_a_slug_without_a_host_counts_little() -> None:
    """The same owner and name may live on several hosts, so a bare slug gives low confidence."""
    assert told(suggest(Signal(project_id="apollo", repo_slug="octo-org/hello"))) == [
        ("7001", "project:apollo", "low")
    ]


def test_a_slug_whose_remote_names_another_host_counts_nothing() -> None:
    """Where the remote says which host is meant, the slug alone can't say otherwise."""
    signal = Signal(project_id="apollo", remote_url="git@gitlab.com:octo-org/hello.git", repo_slug="octo-org/hello")
    assert suggest(signal) == []


@pytest.mark.parametrize(
    "signals",
    [
        (
            Signal(project_id="apollo", remote_url="git@github.com:octo-org/hello.git"),
            Signal(project_id="gemini", remote_url="https://github.com/octo-org/hello"),
        ),
        (
            Signal(project_id="apollo", repo_slug="octo-org/hello"),
            Signal(project_id="gemini", repo_slug="octo-org/hello"),
        ),
    ],
)
def test_two_projects_that_fit_equally_are_left_to_a_person(signals: tuple[Signal, ...]) -> None:
    """Nobody is guessed where two projects fit equally well."""
    assert suggest(*signals) == []


def test_a_remote_outweighs_a_slug_and_the_rival_is_named() -> None:
    """Where one project stands out it is suggested, and what speaks for another one is told as well."""
    (found,) = suggest(
        Signal(project_id="gemini", repo_slug="octo-org/hello"),
        Signal(project_id="apollo", remote_url="git@github.com:octo-org/hello.git"),
    )
    assert (str(found.target), found.confidence) == ("project:apollo", Confidence.HIGH)
    assert [(evidence.rule, evidence.against) for evidence in found.evidence] == [("remote", False), ("slug", True)]
    assert "gemini" in found.evidence[1].text


def test_two_repositories_of_one_name_are_left_to_a_person() -> None:
    """When an old label still names a renamed repository, the name alone can't tell which one is meant."""
    stale = Resource(kind="repository", id="6000", key="octo-org/hello")
    signal = Signal(project_id="apollo", remote_url="git@github.com:octo-org/hello.git")
    assert suggest(signal, resources=(HELLO, stale)) == []


def test_the_order_of_the_signals_changes_nothing() -> None:
    """The same observations give the same suggestions in the same order, strongest first."""
    signals = [
        Signal(project_id="apollo", repo_slug="octo-org/hello"),
        Signal(project_id="apollo", remote_url="git@github.com:octo-org/menu.git"),
        Signal(project_id="gemini", remote_url="git@github.com:octo-org/menu.git", repo_slug="octo-org/menu"),
        Signal(project_id="gemini", remote_url="git@github.com:octo-org/orders.git"),
        Signal(project_id="luna", repo_slug="octo-org/orders"),
    ]
    orders = Resource(kind="repository", id="7003", key="octo-org/orders")
    expected = [("7003", "project:gemini", "high"), ("7001", "project:apollo", "low")]
    results = [
        suggest(*shuffled, resources=resources)
        for shuffled in itertools.permutations(signals)
        for resources in ((HELLO, MENU, orders), (orders, MENU, HELLO))
    ]
    assert all(result == results[0] for result in results)
    assert told(results[0]) == expected


def test_no_credential_of_a_remote_is_shown() -> None:
    """The evidence names the repository and the project, never what was typed."""
    (found,) = suggest(Signal(project_id="apollo", remote_url="https://mona:hunter2@github.com/octo-org/hello.git"))
    assert found.evidence[0].text == "a git remote of apollo is Octo-Org/Hello"
