"""Events of repositories: what they concern, who did it, when, and the git facts they state."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from speckitty_connectors.plugin import (
    Account,
    Event,
    ExternalIdentity,
    GitFacts,
    Ignored,
    Outcome,
    ResourceReference,
)

OLD, MIDDLE, NEW = "a" * 40, "b" * 40, "c" * 40
ZEROS = "0" * 40
MONA = {"id": 1001, "login": "mona", "type": "User"}
OWNER = {"id": 2001, "login": "octo-org", "type": "Organization"}
REPOSITORY = {"id": 7001, "name": "hello", "full_name": "octo-org/hello", "owner": OWNER}
FORK = {"id": 9001, "name": "hello", "full_name": "lisa/hello"}
PULL_REQUEST = {
    "number": 12,
    "updated_at": "2026-01-02T03:04:05Z",
    "head": {"ref": "soup", "sha": NEW, "repo": REPOSITORY},
    "base": {"ref": "main", "sha": OLD, "repo": REPOSITORY},
}


def commit(sha: str, **paths: list[str]) -> dict[str, Any]:
    return {
        "id": sha,
        "timestamp": "2025-12-31T23:00:00-05:00",
        "added": [],
        "modified": [],
        "removed": [],
        **paths,
    }


@pytest.fixture
def event(route: Callable[..., Outcome]) -> Callable[..., Event]:
    """Return the event that a delivery about the repository comes out as."""

    def read(kind: str, document: dict[str, Any], headers: dict[str, str] | None = None) -> Event:
        outcome = route(kind, {"repository": REPOSITORY, **document}, headers)
        assert isinstance(outcome, Event), outcome
        return outcome

    return read


def test_an_event_says_whom_what_and_where_it_concerns(event: Callable[..., Event]) -> None:
    """A pull request's event carries kind, action, installation, account, repository, actor, number and time."""
    document = {
        "action": "opened",
        "number": 12,
        "pull_request": PULL_REQUEST,
        "installation": {"id": 42, "node_id": "x"},
        "organization": {"id": 2001, "login": "octo-org"},
        "sender": MONA,
    }
    assert event("pull_request", document, {"x-github-delivery": "guid"}) == Event(
        kind="pull_request",
        action="opened",
        installation="42",
        account=Account(id="2001", name="octo-org", kind="organization"),
        resources=(ResourceReference(kind="repository", id="7001", key="octo-org/hello"),),
        actor=ExternalIdentity(id="1001", name="mona", kind="User"),
        git=GitFacts(branch="soup", commits=(NEW,)),
        subject="#12",
        occurred_at=datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC),
        fingerprint="guid",
    )


PUSHED = {"before": OLD, "after": NEW, "head_commit": commit(NEW)}

FACTS: dict[str, tuple[str, dict[str, Any], GitFacts | None]] = {
    "push, newest commit first, each path once": (
        "push",
        {
            **PUSHED,
            "ref": "refs/heads/feature/soup",
            "commits": [
                commit(MIDDLE, added=["soup.md"], modified=["menu.md"]),
                commit(NEW, modified=["menu.md"], removed=["old.md"]),
            ],
        },
        GitFacts(branch="feature/soup", commits=(NEW, MIDDLE), paths=("soup.md", "menu.md", "old.md")),
    ),
    "push without commits (a branch set to a known one)": (
        "push",
        {"ref": "refs/heads/main", "before": ZEROS, "after": NEW, "head_commit": commit(NEW), "commits": []},
        GitFacts(branch="main", commits=(NEW,)),
    ),
    "push without a head commit": (
        "push",
        {"ref": "refs/heads/main", "after": NEW, "head_commit": None, "commits": None},
        GitFacts(branch="main", commits=(NEW,)),
    ),
    "push that deletes a branch": (
        "push",
        {"ref": "refs/heads/main", "before": OLD, "after": ZEROS, "head_commit": None, "deleted": True},
        GitFacts(branch="main"),
    ),
    "push of an annotated tag, whose `after` is no commit": (
        "push",
        {"ref": "refs/tags/v1", "before": ZEROS, "after": MIDDLE, "head_commit": commit(NEW), "commits": []},
        GitFacts(tag="v1", commits=(NEW,)),
    ),
    "push of other refs": (
        "push",
        {"ref": "refs/notes/commits", "after": NEW, "head_commit": commit(NEW)},
        GitFacts(commits=(NEW,)),
    ),
    "push in a SHA-256 repository": (
        "push",
        {"ref": "refs/heads/main", "after": "d" * 64, "head_commit": commit("d" * 64)},
        GitFacts(branch="main", commits=("d" * 64,)),
    ),
    "push whose fields are of other types": (
        "push",
        {
            "ref": 5,
            "after": {},
            "head_commit": "x",
            "commits": [None, 1, {"id": [], "added": "x", "modified": [1]}],
        },
        None,
    ),
    "branch created": ("create", {"ref": "soup", "ref_type": "branch"}, GitFacts(branch="soup")),
    "tag deleted": ("delete", {"ref": "v1", "ref_type": "tag"}, GitFacts(tag="v1")),
    "repository created by a push": ("create", {"ref": None, "ref_type": "repository"}, None),
    "pull request of a fork": (
        "pull_request",
        {"pull_request": {**PULL_REQUEST, "head": {"ref": "main", "sha": NEW, "repo": FORK}}},
        GitFacts(branch="main", commits=(NEW,), from_fork=True),
    ),
    "pull request of a fork that is gone": (
        "pull_request",
        {"pull_request": {**PULL_REQUEST, "head": {"ref": "main", "sha": NEW, "repo": None}}},
        GitFacts(branch="main", commits=(NEW,), from_fork=True),
    ),
    "review": ("pull_request_review", {"pull_request": PULL_REQUEST}, GitFacts(branch="soup", commits=(NEW,))),
    "a kind of tomorrow about a pull request": (
        "pull_request_cheer",
        {"pull_request": PULL_REQUEST},
        GitFacts(branch="soup", commits=(NEW,)),
    ),
    "check run": (
        "check_run",
        {"check_run": {"head_sha": NEW, "check_suite": {"head_branch": "soup", "head_sha": NEW}}},
        GitFacts(branch="soup", commits=(NEW,)),
    ),
    "check suite of a fork, which has no branch": (
        "check_suite",
        {"check_suite": {"head_branch": None, "head_sha": NEW}},
        GitFacts(commits=(NEW,)),
    ),
    "workflow run of a fork": (
        "workflow_run",
        {"workflow_run": {"head_branch": "main", "head_sha": NEW, "head_repository": FORK}},
        GitFacts(branch="main", commits=(NEW,), from_fork=True),
    ),
    "workflow job": (
        "workflow_job",
        {"workflow_job": {"head_branch": "main", "head_sha": NEW}},
        GitFacts(branch="main", commits=(NEW,)),
    ),
    "status of a commit on one branch": (
        "status",
        {"sha": NEW, "branches": [{"name": "main", "commit": {"sha": NEW}}]},
        GitFacts(branch="main", commits=(NEW,)),
    ),
    "status of a commit on several branches": (
        "status",
        {"sha": NEW, "branches": [{"name": "main"}, {"name": "soup"}]},
        GitFacts(commits=(NEW,)),
    ),
    "deployment of a branch": (
        "deployment",
        {"deployment": {"sha": NEW, "ref": "main"}},
        GitFacts(branch="main", commits=(NEW,)),
    ),
    "deployment of a commit": (
        "deployment_status",
        {"deployment": {"sha": NEW, "ref": NEW}, "deployment_status": {"state": "success"}},
        GitFacts(commits=(NEW,)),
    ),
    "release": ("release", {"release": {"tag_name": "v1", "target_commitish": "main"}}, GitFacts(tag="v1")),
    "comment on a commit": ("commit_comment", {"comment": {"commit_id": NEW}}, GitFacts(commits=(NEW,))),
    "build of pages": ("page_build", {"build": {"commit": NEW}}, GitFacts(commits=(NEW,))),
    "merge queue": (
        "merge_group",
        {"merge_group": {"head_sha": NEW, "head_ref": "refs/heads/gh-readonly-queue/main/pr-12"}},
        GitFacts(branch="gh-readonly-queue/main/pr-12", commits=(NEW,)),
    ),
    "code scanning": (
        "code_scanning_alert",
        {"ref": "refs/heads/main", "commit_oid": NEW, "alert": {"number": 1}},
        GitFacts(branch="main", commits=(NEW,)),
    ),
    "code scanning of a pull request": (
        "code_scanning_alert",
        {"ref": "refs/pull/12/merge", "commit_oid": ""},
        None,
    ),
    "workflow started by hand": ("workflow_dispatch", {"ref": "refs/tags/v1"}, GitFacts(tag="v1")),
    "repository dispatch": ("repository_dispatch", {"branch": "main"}, GitFacts(branch="main")),
    "issue": ("issues", {"action": "opened", "issue": {"number": 5}}, None),
}


@pytest.mark.parametrize(("kind", "document", "facts"), FACTS.values(), ids=FACTS)
def test_git_facts_are_what_the_delivery_states(
    event: Callable[..., Event], kind: str, document: dict[str, Any], facts: GitFacts | None
) -> None:
    """Branch, tag, commits, paths and fork come from where that kind of event states them, else from nowhere."""
    assert event(kind, document).git == facts


@pytest.mark.parametrize(
    ("kind", "document", "subject"),
    [
        ("pull_request", {"pull_request": PULL_REQUEST}, "#12"),
        ("issue_comment", {"issue": {"number": 5}, "comment": {"id": 1}}, "#5"),
        ("discussion", {"discussion": {"number": 9}}, "#9"),
        ("release", {"release": {"tag_name": "v1"}}, "v1"),
        ("push", {"ref": "refs/heads/main", "after": NEW}, "main"),
        ("push", {"ref": "refs/tags/v1"}, "v1"),
        ("commit_comment", {"comment": {"commit_id": NEW}}, "ccccccc"),
        ("star", {"action": "created"}, ""),
    ],
)
def test_the_subject_is_what_a_person_would_look_for(
    event: Callable[..., Event], kind: str, document: dict[str, Any], subject: str
) -> None:
    """A number where there is one, else the tag, the branch, or the start of the commit's id."""
    assert event(kind, document).subject == subject


@pytest.mark.parametrize(
    ("kind", "document", "moment"),
    [
        ("issues", {"issue": {"created_at": "2026-01-01T00:00:00Z", "updated_at": "2026-01-02T03:04:05Z"}}, True),
        ("issue_comment", {"comment": {"updated_at": "2026-01-02T04:04:05+01:00"}, "issue": {}}, True),
        ("pull_request_review", {"review": {"submitted_at": "2026-01-02T03:04:05Z"}}, True),
        (
            "release",
            {"release": {"created_at": "2020-01-01T00:00:00Z", "published_at": "2026-01-02T03:04:05Z"}},
            True,
        ),
        (
            "check_run",
            {"check_run": {"started_at": "2026-01-01T00:00:00Z", "completed_at": "2026-01-02T03:04:05Z"}},
            True,
        ),
        ("status", {"updated_at": "2026-01-02T03:04:05+00:00"}, True),
        ("push", {"repository": {**REPOSITORY, "pushed_at": 1_767_323_045}, "head_commit": commit(NEW)}, True),
        ("create", {"repository": {**REPOSITORY, "pushed_at": "2026-01-02T03:04:05Z"}}, True),
        ("push", {"head_commit": {"id": NEW, "timestamp": "2026-01-02T03:04:05Z"}}, True),
        ("issues", {"issue": {"updated_at": "2026-01-02T03:04:05.000Z"}}, True),
        ("issues", {"issue": {"updated_at": "2026-01-02T03:04:05"}}, True),
        ("issues", {"issue": {"updated_at": "yesterday"}}, False),
        ("issues", {"issue": {"updated_at": 10**18}}, False),
        ("issues", {"issue": {"updated_at": "0001-01-01T00:00:00+14:00"}}, False),
        ("issues", {"issue": {"updated_at": True}}, False),
        ("push", {"repository": {**REPOSITORY, "pushed_at": None}}, False),
        ("star", {"repository": {**REPOSITORY, "pushed_at": 1_767_323_045}}, False),
    ],
)
def test_the_time_is_read_however_it_is_written(
    event: Callable[..., Event], kind: str, document: dict[str, Any], moment: bool
) -> None:
    """ISO 8601 with any offset and epoch seconds come out in UTC; anything else is no time."""
    expected = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC) if moment else None
    assert event(kind, document).occurred_at == expected


@pytest.mark.parametrize(
    ("document", "account"),
    [
        ({}, Account(id="2001", name="octo-org", kind="organization")),
        (
            {"repository": {"id": 7001}, "organization": {"id": 2001, "login": "octo-org"}},
            Account(id="2001", name="octo-org", kind="organization"),
        ),
        (
            {"repository": {"id": 7001, "owner": {"name": "mona"}}, "installation": {"id": 42, "account": MONA}},
            Account(id="1001", name="mona", kind="user"),
        ),
        ({"repository": {"id": 7001, "owner": {"name": "mona"}}}, None),
    ],
)
def test_the_account_is_the_one_whose_id_is_stated(
    event: Callable[..., Event], document: dict[str, Any], account: Account | None
) -> None:
    """The repository's owner, else the organization, else the installation's account; without an id none."""
    assert event("star", document).account == account


def test_an_unknown_kind_with_a_repository_is_an_event(event: Callable[..., Event]) -> None:
    """A kind that GitHub adds tomorrow reaches the projects that the repository is mapped to."""
    outcome = event("teleport", {"action": "beamed"})
    assert (outcome.kind, outcome.action, outcome.resources[0].id) == ("teleport", "beamed", "7001")


def test_a_repository_without_its_full_name_is_named_by_owner_and_name(event: Callable[..., Event]) -> None:
    """Where the full name is missing, the label is put together; the id is what counts."""
    repository = {"id": 7001, "name": "hello", "owner": {"login": "octo-org"}}
    outcome = event("status", {"repository": repository})
    assert outcome.resources == (ResourceReference(kind="repository", id="7001", key="octo-org/hello"),)


@pytest.mark.parametrize(
    ("kind", "document"),
    [
        ("ping", {"zen": "Design for failure.", "hook_id": 9, "repository": REPOSITORY}),
        ("organization", {"action": "member_invited", "organization": {"id": 2001, "login": "octo-org"}}),
        ("org_block", {"action": "blocked", "organization": {"id": 2001, "login": "octo-org"}}),
        ("team", {"action": "created", "organization": {"id": 2001, "login": "octo-org"}}),
        ("projects_v2_item", {"action": "edited", "organization": {"id": 2001, "login": "octo-org"}}),
        ("security_advisory", {"action": "published"}),
        ("issues", {"action": "opened", "repository": {"full_name": "octo-org/hello"}}),
        ("issues", {"action": "opened", "repository": {"id": 0}}),
        ("issues", {"action": "opened", "repository": {"id": -5}}),
        ("issues", {"action": "opened", "repository": {"id": True}}),
        ("issues", {"action": "opened", "repository": {"id": 7.5}}),
        ("", {}),
        ("issues", b""),
        ("issues", b"[]"),
        ("issues", b'{"repository": {"id": 7001}'),
        ("issues", b"payload=%7B%7D"),
        ("issues", b"\xff\xfe"),
        ("issues", b'{"x":' + b"[" * 200_000),
    ],
)
def test_what_concerns_no_repository_is_ignored_with_a_reason(
    route: Callable[..., Outcome], kind: str, document: object
) -> None:
    """Without a repository's id, or a JSON object at all, a delivery is ignored and the reason says why."""
    outcome = route(kind, document)
    assert isinstance(outcome, Ignored)
    assert outcome.reason


OWN_HOOK = {"x-github-hook-installation-target-type": "integration", "x-github-hook-installation-target-id": "4242"}
OURS, THEIRS = {"id": 4242, "slug": "ours"}, {"id": 7, "slug": "theirs"}


@pytest.mark.parametrize(
    ("kind", "values"),
    [
        ("issues", {"action": "opened", "issue": {"number": 4, "performed_via_github_app": OURS}}),
        (
            "issue_comment",
            {
                "action": "created",
                "issue": {"number": 4, "performed_via_github_app": None},
                "comment": {"performed_via_github_app": OURS},
            },
        ),
    ],
)
def test_what_the_app_wrote_itself_is_ignored(
    route: Callable[..., Outcome], kind: str, values: dict[str, Any]
) -> None:
    """Its issues and comments don't come back to it; another app's do, and so does what hooks of others tell."""
    body = {"repository": REPOSITORY, **values}
    assert route(kind, body, OWN_HOOK) == Ignored(reason=f"{kind} is the app's own doing")
    theirs = json.loads(json.dumps(body).replace(json.dumps(OURS), json.dumps(THEIRS)))
    assert isinstance(route(kind, theirs, OWN_HOOK), Event)
    assert isinstance(route(kind, body, {}), Event)
    assert isinstance(
        route(kind, body, {**OWN_HOOK, "x-github-hook-installation-target-type": "repository"}), Event
    )


def test_what_people_do_with_an_issue_of_the_app_is_theirs(route: Callable[..., Outcome]) -> None:
    """Who wrote an issue says nothing of who closed it, or commented on it."""
    issue = {"number": 4, "performed_via_github_app": OURS}
    closed = {"action": "closed", "repository": REPOSITORY, "issue": issue}
    commented = {"action": "created", "repository": REPOSITORY, "issue": issue, "comment": {"id": 1}}
    assert isinstance(route("issues", closed, OWN_HOOK), Event)
    assert isinstance(route("issue_comment", commented, OWN_HOOK), Event)
