"""Events, each with the delivery that tells of it ("Webhook events")."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from attrs import evolve

from speckitty_connectors.plugin import Event, ExternalIdentity, GitFacts, Ignored, Outcome, ResourceReference

HEAD, BEFORE, MERGED = "a" * 40, "b" * 40, "c" * 40
ZERO = "0" * 40
PROJECT = {"id": 7001, "name": "Hello there", "path_with_namespace": "kitchen/pastry/hello"}
HELLO = ResourceReference(kind="project", id="7001", key="kitchen/pastry/hello")
GROUP = ResourceReference(kind="group", id="2001", key="kitchen")
USER = {"id": 1001, "username": "mona", "name": "Mona", "email": "[REDACTED]"}
MONA = ExternalIdentity(id="1001", name="mona")
PUSHER = {"user_id": 1001, "user_username": "mona", "user_name": "Mona"}
AT = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
STAMP = "2026-01-02 03:04:05 UTC"

PUSH: dict[str, Any] = {
    "object_kind": "push",
    "event_name": "push",
    "ref": "refs/heads/main",
    "before": BEFORE,
    "after": HEAD,
    "checkout_sha": HEAD,
    "project_id": 7001,
    "project": PROJECT,
    "commits": [
        {"id": BEFORE, "added": ["a.py"], "modified": [], "removed": []},
        {"id": HEAD, "added": [], "modified": ["a.py", "b.py"], "removed": ["c.py"]},
    ],
    "total_commits_count": 2,
    **PUSHER,
}
MERGE_REQUEST: dict[str, Any] = {
    "object_kind": "merge_request",
    "user": USER,
    "project": PROJECT,
    "object_attributes": {
        "id": 90,
        "iid": 12,
        "action": "open",
        "source_branch": "soup",
        "target_branch": "main",
        "source_project_id": 7001,
        "target_project_id": 7001,
        "last_commit": {"id": HEAD},
        "updated_at": STAMP,
    },
}
SOUP = GitFacts(branch="soup", commits=(HEAD,))


def changed(document: dict[str, Any], **attributes: Any) -> dict[str, Any]:
    """Return a delivery whose object has other attributes."""
    return {**document, "object_attributes": {**document["object_attributes"], **attributes}}


TABLE: list[tuple[str, str, dict[str, Any], Event]] = [
    (
        "push",
        "Push Hook",
        PUSH,
        Event(
            kind="push",
            resources=(HELLO,),
            actor=MONA,
            git=GitFacts(branch="main", commits=(HEAD, BEFORE), paths=("a.py", "b.py", "c.py")),
            subject="main",
        ),
    ),
    (
        "push of more than is listed",
        "Push Hook",
        {**PUSH, "total_commits_count": 21},
        Event(
            kind="push",
            resources=(HELLO,),
            actor=MONA,
            git=GitFacts(branch="main", commits=(HEAD, BEFORE), paths=("a.py", "b.py", "c.py"), truncated=True),
            subject="main",
        ),
    ),
    (
        "deleted branch",
        "Push Hook",
        {**PUSH, "after": ZERO, "checkout_sha": None, "commits": [], "total_commits_count": 0},
        Event(kind="push", resources=(HELLO,), actor=MONA, git=GitFacts(branch="main"), subject="main"),
    ),
    (
        "push without the project's object, as an instance tells it",
        "System Hook",
        {"object_kind": "push", "ref": "refs/heads/main", "after": HEAD, "project_id": 7001, **PUSHER},
        Event(
            kind="push",
            resources=(ResourceReference(kind="project", id="7001"),),
            actor=MONA,
            git=GitFacts(branch="main", commits=(HEAD,)),
            subject="main",
        ),
    ),
    (
        "annotated tag: what it points to is the commit",
        "Tag Push Hook",
        {**PUSH, "object_kind": "tag_push", "event_name": "tag_push", "ref": "refs/tags/v1", "after": MERGED},
        Event(
            kind="tag_push",
            resources=(HELLO,),
            actor=MONA,
            git=GitFacts(tag="v1", commits=(HEAD,)),
            subject="v1",
        ),
    ),
    (
        "merge request",
        "Merge Request Hook",
        MERGE_REQUEST,
        Event(
            kind="merge_request",
            action="open",
            resources=(HELLO,),
            actor=MONA,
            git=SOUP,
            subject="!12",
            occurred_at=AT,
        ),
    ),
    (
        "merge request of a fork",
        "Merge Request Hook",
        changed(MERGE_REQUEST, source_project_id=7009, action="update", oldrev=BEFORE),
        Event(
            kind="merge_request",
            action="update",
            resources=(HELLO,),
            actor=MONA,
            git=GitFacts(branch="soup", commits=(HEAD,), from_fork=True),
            subject="!12",
            occurred_at=AT,
        ),
    ),
    (
        "merged, from before deliveries had the ids of people and projects",
        "Merge Request Hook",
        {
            **changed(MERGE_REQUEST, action="merge", merge_commit_sha=MERGED),
            "user": {"username": "mona"},
            "project": {"path_with_namespace": "kitchen/pastry/hello"},
        },
        Event(
            kind="merge_request",
            action="merge",
            resources=(HELLO,),
            git=GitFacts(branch="soup", commits=(MERGED, HEAD)),
            subject="!12",
            occurred_at=AT,
        ),
    ),
    (
        "issue",
        "Issue Hook",
        {
            "object_kind": "issue",
            "user": USER,
            "project": PROJECT,
            "object_attributes": {"id": 91, "iid": 23, "action": "close", "updated_at": STAMP},
        },
        Event(kind="issue", action="close", resources=(HELLO,), actor=MONA, subject="#23", occurred_at=AT),
    ),
    (
        "task",
        "Work Item Hook",
        {
            "object_kind": "work_item",
            "user": USER,
            "project": PROJECT,
            "object_attributes": {"id": 92, "iid": 24, "action": "open", "updated_at": STAMP},
        },
        Event(kind="work_item", action="open", resources=(HELLO,), actor=MONA, subject="#24", occurred_at=AT),
    ),
    (
        "note on a merge request",
        "Note Hook",
        {
            "object_kind": "note",
            "user": USER,
            "project_id": 7001,
            "project": PROJECT,
            "object_attributes": {"id": 93, "action": "create", "updated_at": STAMP},
            "merge_request": MERGE_REQUEST["object_attributes"],
        },
        Event(
            kind="note",
            action="create",
            resources=(HELLO,),
            actor=MONA,
            git=SOUP,
            subject="!12",
            occurred_at=AT,
        ),
    ),
    (
        "note on an issue",
        "Note Hook",
        {
            "object_kind": "note",
            "user": USER,
            "project": PROJECT,
            "object_attributes": {"id": 94, "updated_at": STAMP},
            "issue": {"id": 91, "iid": 23},
        },
        Event(kind="note", resources=(HELLO,), actor=MONA, subject="#23", occurred_at=AT),
    ),
    (
        "note on a commit",
        "Note Hook",
        {
            "object_kind": "note",
            "user": USER,
            "project": PROJECT,
            "object_attributes": {"id": 95, "updated_at": STAMP},
            "commit": {"id": HEAD},
        },
        Event(
            kind="note",
            resources=(HELLO,),
            actor=MONA,
            git=GitFacts(commits=(HEAD,)),
            subject="aaaaaaa",
            occurred_at=AT,
        ),
    ),
    (
        "pipeline of a tag",
        "Pipeline Hook",
        {
            "object_kind": "pipeline",
            "user": USER,
            "project": PROJECT,
            "object_attributes": {
                "id": 96,
                "iid": 3,
                "ref": "v1",
                "tag": True,
                "sha": HEAD,
                "status": "success",
                "created_at": "2026-01-02T03:00:00Z",
                "finished_at": STAMP,
            },
        },
        Event(
            kind="pipeline",
            action="success",
            resources=(HELLO,),
            actor=MONA,
            git=GitFacts(tag="v1", commits=(HEAD,)),
            subject="v1",
            occurred_at=AT,
        ),
    ),
    (
        "job, whose project's id stands at the top",
        "Job Hook",
        {
            "object_kind": "build",
            "user": USER,
            "project_id": 7001,
            "project_name": "Kitchen / Hello there",
            "ref": "main",
            "tag": False,
            "sha": HEAD,
            "build_id": 97,
            "build_status": "failed",
            "build_started_at": "2026-01-02T03:04:05Z",
            "commit": {"id": 61897408, "sha": HEAD},
        },
        Event(
            kind="build",
            action="failed",
            resources=(ResourceReference(kind="project", id="7001"),),
            actor=MONA,
            git=GitFacts(branch="main", commits=(HEAD,)),
            subject="main",
            occurred_at=AT,
        ),
    ),
    (
        "deployment, whose commit ends an address",
        "Deployment Hook",
        {
            "object_kind": "deployment",
            "user": USER,
            "project": PROJECT,
            "deployment_id": 98,
            "status": "running",
            "ref": "main",
            "short_sha": "aaaaaaaa",
            "commit_url": f"https://gitlab.com/kitchen/pastry/hello/-/commit/{HEAD}",
            "status_changed_at": "2026-01-02 05:04:05 +0200",
        },
        Event(
            kind="deployment",
            action="running",
            resources=(HELLO,),
            actor=MONA,
            git=GitFacts(branch="main", commits=(HEAD,)),
            subject="main",
            occurred_at=AT,
        ),
    ),
    (
        "release",
        "Release Hook",
        {
            "object_kind": "release",
            "id": 99,
            "project": PROJECT,
            "tag": "v1",
            "action": "create",
            "commit": {"id": HEAD},
            "created_at": STAMP,
        },
        Event(
            kind="release",
            action="create",
            resources=(HELLO,),
            git=GitFacts(tag="v1", commits=(HEAD,)),
            subject="v1",
            occurred_at=AT,
        ),
    ),
    (
        "token of a group that ends soon",
        "Resource Access Token Hook",
        {
            "object_kind": "access_token",
            "event_name": "expiring_access_token",
            "group": {"group_id": 2001, "full_path": "kitchen"},
            "object_attributes": {"id": 25, "name": "kitty", "expires_at": "2026-01-26", "created_at": STAMP},
        },
        Event(kind="access_token", action="expiring_access_token", resources=(GROUP,), occurred_at=AT),
    ),
    (
        "somebody joins the group; they haven't done it themselves",
        "Member Hook",
        {
            "event_name": "user_add_to_group",
            "group_id": 2001,
            "group_path": "kitchen",
            "user_id": 1002,
            "user_username": "lisa",
            "updated_at": STAMP,
        },
        Event(
            kind="user_add_to_group",
            resources=(ResourceReference(kind="group", id="2001"),),
            occurred_at=AT,
        ),
    ),
    (
        "a kind of tomorrow",
        "Recipe Hook",
        {"object_kind": "recipe", "project": PROJECT, "object_attributes": {"action": "cook"}},
        Event(kind="recipe", action="cook", resources=(HELLO,)),
    ),
]


@pytest.mark.parametrize(("kind", "document", "event"), [row[1:] for row in TABLE], ids=[row[0] for row in TABLE])
def test_each_event_is_read_whole(
    kind: str, document: dict[str, Any], event: Event, route: Callable[..., Outcome]
) -> None:
    """Kind, action, resource, actor, git facts, what people quote, and time come out as the delivery has them."""
    outcome = route(kind, document)
    assert isinstance(outcome, Event)
    assert evolve(outcome, fingerprint="") == event


def test_a_template_of_their_own_is_told_by_its_header_and_its_webhook(route: Callable[..., Outcome]) -> None:
    """Kind and project are known although nothing of the document is GitLab's."""
    outcome = route("Merge Request Hook", {"text": "something was cooked"}, covers=(HELLO,))
    assert outcome == Event(kind="merge_request", resources=(HELLO,))


def test_a_template_behind_a_groups_webhook_is_an_event_of_no_resource(route: Callable[..., Outcome]) -> None:
    """Its end point tells the tenant, and a person has to say the rest: it isn't lost."""
    assert route("Confidential Issue Hook", {"text": "cooked"}) == Event(kind="issue")
    assert route("Job Hook", {"text": "cooked"}) == Event(kind="build")


def test_a_path_alone_decides_nothing(route: Callable[..., Outcome]) -> None:
    """Another project may have had that path before, so an event without an id names no project."""
    outcome = route("Wiki Page Hook", {"object_kind": "wiki_page", "project": {"path_with_namespace": "kitchen/a"}})
    assert isinstance(outcome, Event)
    assert outcome.resources == ()


@pytest.mark.parametrize(
    "document",
    [
        {"event_name": "user_create", "user_id": 1002, "username": "lisa"},
        {"event_name": "key_destroy", "id": 4, "username": "lisa"},
        {"event_name": "group_destroyed_by_nobody"},
        {},
    ],
)
def test_what_an_instance_tells_of_people_and_keys_is_ignored(
    document: dict[str, Any], route: Callable[..., Outcome]
) -> None:
    """A system hook tells of everything; what concerns no project and no group is nobody's here."""
    assert isinstance(route("System Hook", document), Ignored)


@pytest.mark.parametrize(
    ("host", "instance", "ignored"),
    [
        ("gitlab.com", "https://gitlab.com", False),
        ("gitlab.com", "https://gitlab.example/gitlab", True),
        ("gitlab.example", "https://gitlab.internal:8443/gitlab", False),
        ("gitlab.example", "https://gitlab.com", True),
        ("gitlab.com", "https://[", True),
    ],
)
def test_ids_of_another_gitlab_are_never_taken_for_those_of_this_one(
    host: str, instance: str, ignored: bool, route: Callable[..., Outcome]
) -> None:
    """GitLab.com calls itself by its name; a self-managed one may call itself otherwise than people reach it."""
    outcome = route("Push Hook", PUSH, host=host, headers={"x-gitlab-instance": instance})
    assert isinstance(outcome, Ignored) is ignored


def fingerprint(outcome: Outcome) -> str:
    assert isinstance(outcome, Event)
    return outcome.fingerprint


@pytest.mark.parametrize("name", ["push", "merge request", "issue", "note on an issue", "release", "deployment"])
def test_a_group_and_its_project_tell_of_one_change_alike(name: str, route: Callable[..., Outcome]) -> None:
    """Both webhooks send the same document, moments apart, and both events have one fingerprint."""
    document = next(row[2] for row in TABLE if row[0].startswith(name))
    later = datetime(2026, 1, 2, 0, 0, 3, tzinfo=UTC)
    assert fingerprint(route("Push Hook", document)) == fingerprint(route("Push Hook", document, received_at=later))
    assert fingerprint(route("Push Hook", document))


def test_what_a_template_left_out_makes_no_two_changes_one(route: Callable[..., Outcome]) -> None:
    """Two events that say the same words may be two changes, so nothing is taken for a repeat."""
    for kind in ("Push Hook", "Issue Hook", "Wiki Page Hook"):
        assert fingerprint(route(kind, {"text": "cooked", "project": {"id": 7001}})) == ""


def test_different_changes_have_different_fingerprints(route: Callable[..., Outcome]) -> None:
    """Another object, action, time, project, or another thing changed within the same second."""
    update = changed(MERGE_REQUEST, action="update")
    variants = [
        MERGE_REQUEST,
        changed(MERGE_REQUEST, id=91),
        update,
        changed(update, updated_at="2026-01-02 03:04:06 UTC"),
        {**update, "changes": {"title": {"previous": "a", "current": "b"}}},
        {**update, "changes": {"labels": {"previous": [], "current": [{"id": 1}]}}},
        {**update, "project": {**PROJECT, "id": 7002}},
    ]
    assert len({fingerprint(route("Merge Request Hook", variant)) for variant in variants}) == len(variants)


@pytest.mark.parametrize("change", [{"before": ZERO}, {"after": ZERO}, {"ref": "refs/tags/v1", "before": ZERO}])
def test_a_branch_or_tag_that_is_made_again_is_no_repeat(
    change: dict[str, Any], route: Callable[..., Outcome]
) -> None:
    """Deleted and pushed again at the same commit it reads the same, so it is better told twice than never."""
    assert fingerprint(route("Push Hook", {**PUSH, **change})) == ""


@pytest.mark.parametrize("body", [b"", b"[]", b"null", b'"text"', b"{", b"\xff", b"[" * 100_000])
def test_what_is_no_object_is_ignored(body: bytes, route: Callable[..., Outcome]) -> None:
    """Anything but one JSON object means nothing."""
    assert isinstance(route("Push Hook", body), Ignored)
