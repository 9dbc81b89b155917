"""What a selector wants of a resource's events."""

from __future__ import annotations

import pytest

from speckitty_connectors import Event, GitFacts
from speckitty_connectors.mappings.types import Selector

PUSH = Event(kind="push", git=GitFacts(branch="release/2", paths=("services/billing/a.py", "README.md")))


def test_a_selector_that_names_nothing_wants_every_event() -> None:
    """What is empty narrows nothing, for events with and without git facts."""
    assert Selector().matches(PUSH)
    assert Selector().matches(Event(kind="issue"))


@pytest.mark.parametrize(("kinds", "wanted"), [(("push",), True), (("Push",), False), (("pull_request",), False)])
def test_kinds_are_compared_as_they_are(kinds: tuple[str, ...], wanted: bool) -> None:
    """An event kind matches only a kind that is spelled the same."""
    assert Selector(kinds=kinds).matches(PUSH) is wanted


def test_a_kind_may_name_one_action() -> None:
    """``kind.action`` wants that action of that kind and no other."""
    selector = Selector(kinds=("pull_request.opened",))
    assert selector.matches(Event(kind="pull_request", action="opened"))
    assert not selector.matches(Event(kind="pull_request", action="closed"))


@pytest.mark.parametrize(
    ("pattern", "wanted"), [("release/*", True), ("release/2", True), ("main", False), ("RELEASE/*", False)]
)
def test_branches_are_case_sensitive_globs(pattern: str, wanted: bool) -> None:
    """A glob over the branch decides, with the case that the provider uses."""
    assert Selector(branches=(pattern,)).matches(PUSH) is wanted


def test_the_branch_of_a_fork_is_not_the_resources_own() -> None:
    """Somebody who forks and names a branch like a protected one doesn't reach what wants that branch."""
    forked = Event(kind="pull_request", git=GitFacts(branch="main", from_fork=True))
    assert not Selector(branches=("main",)).matches(forked)
    assert Selector().matches(forked)


@pytest.mark.parametrize(
    ("prefix", "wanted"),
    [
        ("services", True),
        ("services/billing/", True),
        ("services/bill", False),
        ("README.md", True),
        ("docs", False),
    ],
)
def test_paths_are_whole_folders_or_files(prefix: str, wanted: bool) -> None:
    """One changed path under a folder is enough, and a folder's name is never cut."""
    assert Selector(paths=(prefix,)).matches(PUSH) is wanted


def test_an_event_that_lists_only_some_of_its_paths_is_never_lost() -> None:
    """What isn't listed may be just what the selector names; branch and kind still narrow."""
    push = Event(kind="push", git=GitFacts(branch="main", paths=("README.md",), truncated=True))
    assert Selector(paths=("services/billing",)).matches(push)
    assert not Selector(paths=("services/billing",), branches=("release/*",)).matches(push)
    assert not Selector(paths=("services/billing",), kinds=("tag_push",)).matches(push)


@pytest.mark.parametrize("selector", [Selector(branches=("*",)), Selector(paths=("services",))])
def test_an_event_without_git_facts_matches_no_branch_and_no_path(selector: Selector) -> None:
    """What an event doesn't say can't be what a selector asks for."""
    assert not selector.matches(Event(kind="issue"))


@pytest.mark.parametrize("blank", [("",), "main", (1,)])
def test_a_selector_of_anything_but_words_is_refused(blank: object) -> None:
    """A blank entry, or a text where a tuple belongs, is an error and not a selector that matches by accident."""
    with pytest.raises((TypeError, ValueError)):
        Selector(branches=blank)  # type: ignore[arg-type]  # what the test is about


@pytest.mark.parametrize(
    ("pattern", "wanted"),
    [
        ("services/*", True),
        ("services/*/a.py", True),
        ("*/a.py", False),
        ("**/a.py", True),
        ("**/*.md", True),
        ("services/**/a.py", True),
        ("**/billing/**", True),
        ("*.py", False),
        ("services/bill?ng", True),
        ("services/[a-c]*/*.py", True),
        ("services/billing/a.py/**/b", False),
    ],
)
def test_paths_may_be_globs(pattern: str, wanted: bool) -> None:
    """``*`` stays within a name, ``**`` crosses folders, and a matching folder takes all that is in it."""
    assert Selector(paths=(pattern,)).matches(PUSH) is wanted


def test_a_folder_whose_name_looks_like_a_glob_is_itself() -> None:
    """A name with brackets in it is found by that very name."""
    routes = Event(kind="push", git=GitFacts(paths=("app/[slug]/page.tsx",)))
    assert Selector(paths=("app/[slug]",)).matches(routes)


def test_a_glob_of_many_stars_is_decided_in_a_bounded_number_of_steps() -> None:
    """A pattern made to be slow meets a path made to be deep, and each part looks at each name once."""
    deep = Event(kind="push", git=GitFacts(paths=("/".join(["a"] * 2000),)))
    assert not Selector(paths=("/".join(["**", "a"] * 200 + ["b"]),)).matches(deep)
