"""Which project on GitLab a git remote names: nested groups, ports, relative roots, and never another host."""

from __future__ import annotations

import pytest

from speckitty_connectors.plugin import Resource, Signal, SuggestionRequest
from speckitty_connectors_gitlab import plugin

CAKES = Resource(kind="project", id="7001", key="Kitchen/Pastry/cakes")
GROUP = Resource(kind="group", id="2002", key="kitchen/pastry")


def suggested(remote: str, *, web: str = "https://gitlab.com", slug: str = "") -> list[tuple[str, str]]:
    request = SuggestionRequest(
        host=web.partition("://")[2].partition("/")[0],
        web=web,
        resources=(CAKES, GROUP),
        signals=(Signal(project_id="apollo", remote_url=remote, repo_slug=slug),),
    )
    return [(found.resource_id, found.confidence.value) for found in plugin.suggest_mappings(request)]


@pytest.mark.parametrize(
    ("remote", "web"),
    [
        ("git@gitlab.com:kitchen/pastry/cakes.git", "https://gitlab.com"),
        ("https://oauth2:glpat-secret@gitlab.com/kitchen/pastry/cakes.git", "https://gitlab.com"),
        ("ssh://git@altssh.gitlab.com:443/kitchen/pastry/cakes.git", "https://gitlab.com"),
        ("ssh://git@gitlab.example:2222/kitchen/pastry/cakes.git", "https://gitlab.example/gitlab"),
        ("https://gitlab.example/gitlab/kitchen/pastry/cakes", "https://gitlab.example/gitlab"),
        ("https://gitlab.example:8443/kitchen/pastry/cakes.git/", "https://gitlab.example:8443"),
    ],
)
def test_a_remote_names_its_project_in_whatever_spelling(remote: str, web: str) -> None:
    """Everything between host and ``.git`` is the path, below the relative root, without regard to case."""
    assert suggested(remote, web=web) == [("7001", "high")]


@pytest.mark.parametrize(
    ("remote", "web"),
    [
        ("git@gitlab.example:kitchen/pastry/cakes.git", "https://gitlab.com"),
        ("git@gitlab.com:kitchen/cakes.git", "https://gitlab.com"),
        ("git@gitlab.com:pastry/cakes.git", "https://gitlab.com"),
        ("https://gitlab.example/kitchen/pastry/cakes.git", "https://gitlab.example/gitlab"),
        ("git@gitlab.com:kitchen/pastry.git", "https://gitlab.com"),
    ],
)
def test_another_host_path_or_a_group_is_not_suggested(remote: str, web: str) -> None:
    """A path must fit whole, on this host, and a group has no remote."""
    assert suggested(remote, web=web) == []


def test_a_slug_without_a_host_counts_little() -> None:
    """The same path may be on several hosts."""
    assert suggested("", slug="kitchen/pastry/cakes") == [("7001", "low")]
