"""Events: the project they concern, the site they come from, who did it, and how two webhooks tell the same."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from speckitty_connectors.plugin import Account, Event, ExternalIdentity, Ignored, Outcome, ResourceReference

SITE = "https://octo-org.atlassian.net"
AT = 1_767_323_045_250
MONA = {"self": f"{SITE}/rest/api/2/user?accountId=5b10", "accountId": "5b10", "displayName": "Mona"}
HELLO = {"id": "10001", "key": "HELLO", "name": "Hello", "self": f"{SITE}/rest/api/2/project/10001"}
ISSUE = {"id": "20012", "key": "HELLO-12", "self": f"{SITE}/rest/api/2/issue/20012", "fields": {"project": HELLO}}
COMMENT = {"id": "30001", "self": f"{SITE}/rest/api/2/issue/20012/comment/30001", "author": MONA}
BY_MONA = ExternalIdentity(id="5b10", name="Mona")
PROJECT = ResourceReference(kind="project", id="10001", key="HELLO")


def delivery(kind: str, **fields: Any) -> dict[str, Any]:
    return {"timestamp": AT, "webhookEvent": kind, **fields}


@pytest.fixture
def event(route: Callable[..., Outcome]) -> Callable[..., Event]:
    """Return the event that a delivery comes out as."""

    def read(kind: str, **fields: Any) -> Event:
        outcome = route(delivery(kind, **fields))
        assert isinstance(outcome, Event), outcome
        return outcome

    return read


def test_an_event_says_whom_what_and_where_it_concerns(event: Callable[..., Event]) -> None:
    """An issue's event carries kind, action, site, project, actor, key, time, and the webhooks it was sent for."""
    found = event(
        "jira:issue_updated",
        issue_event_type_name="issue_generic",
        user=MONA,
        issue=ISSUE,
        changelog={"id": "40001", "items": [{"field": "status", "from": "1", "to": "2"}]},
        matchedWebhookIds=[7, 9],
    )
    assert found == Event(
        kind="jira:issue_updated",
        action="issue_generic",
        account=Account(id="", url=SITE),
        resources=(PROJECT,),
        actor=BY_MONA,
        subject="HELLO-12",
        occurred_at=datetime(2026, 1, 2, 3, 4, 5, 250_000, tzinfo=UTC),
        fingerprint=f"{SITE}|jira:issue_updated|issue_generic|20012|40001",
        registrations=("7", "9"),
    )


PROJECTS: dict[str, tuple[dict[str, Any], tuple[ResourceReference, ...]]] = {
    "the issue's own project": ({"issue": ISSUE}, (PROJECT,)),
    "a comment with its issue": ({"comment": COMMENT, "issue": ISSUE}, (PROJECT,)),
    "an issue without its project": (
        {"issue": {**ISSUE, "fields": {"summary": "x"}}},
        (ResourceReference(kind="project", id="", key="HELLO"),),
    ),
    "an issue of a key with dashes": (
        {"issue": {"id": "1", "key": "OLD-KEY-7"}},
        (ResourceReference(kind="project", id="", key="OLD-KEY"),),
    ),
    "a version": (
        {"version": {"id": "5", "name": "1.0", "projectId": 10001, "self": f"{SITE}/rest/api/2/version/5"}},
        (ResourceReference(kind="project", id="10001"),),
    ),
    "the project itself": ({"project": HELLO}, (PROJECT,)),
}


@pytest.mark.parametrize(("fields", "expected"), PROJECTS.values(), ids=PROJECTS)
def test_the_project_is_read_by_its_id_or_else_by_its_key(
    event: Callable[..., Event], fields: dict[str, Any], expected: tuple[ResourceReference, ...]
) -> None:
    """The id decides; where a payload has none, the key of the issue names the project as it is called today."""
    assert event("jira:something_of_tomorrow", **fields).resources == expected


@pytest.mark.parametrize(
    ("kind", "fields", "subject"),
    [
        ("comment_created", {"comment": COMMENT}, "issue 20012"),
        ("comment_deleted", {"comment": {"id": "1", "self": "nowhere"}}, ""),
        ("worklog_updated", {"worklog": {"id": "5", "issueId": "20012", "updateAuthor": MONA}}, "issue 20012"),
        ("issuelink_created", {"issueLink": {"id": 5, "sourceIssueId": 1, "destinationIssueId": 2}}, ""),
    ],
)
def test_what_concerns_an_issue_that_is_left_out_waits_for_a_person(
    event: Callable[..., Event], kind: str, fields: dict[str, Any], subject: str
) -> None:
    """Comments and worklogs may come without their issue: they are events without a project, and not lost."""
    found = event(kind, **fields)
    assert (found.resources, found.subject) == ((), subject)


@pytest.mark.parametrize("kind", ["sprint_started", "board_created", "user_created", "option_voting_changed", ""])
def test_what_concerns_no_project_is_ignored(route: Callable[..., Outcome], kind: str) -> None:
    """Sprints, boards, people and settings belong to no one project; the reason names the kind."""
    outcome = route(delivery(kind, sprint={"self": f"{SITE}/rest/agile/1.0/sprint/1", "id": 1}))
    assert outcome == Ignored(reason=f"{kind or 'an event without a kind'} concerns no project")


def test_a_moved_issue_belongs_to_its_new_project(event: Callable[..., Event]) -> None:
    """The payload's project is the new one; that it moved is told even where Jira names no such event type."""
    moved = {
        "id": "40001",
        "items": [{"field": "Key"}, {"field": "project", "fieldId": "project", "from": "10009"}],
    }
    found = event("jira:issue_updated", issue=ISSUE, changelog=moved)
    assert (found.resources, found.action) == ((PROJECT,), "issue_moved")


@pytest.mark.parametrize("items", [None, "x", [None, 7, {"field": {}, "fieldId": []}], {"field": "project"}])
def test_a_changelog_of_another_shape_tells_nothing(event: Callable[..., Event], items: object) -> None:
    """Whatever stands where the changes should: the event is read without them."""
    assert event("jira:issue_updated", issue=ISSUE, changelog={"id": {}, "items": items}).action == ""


def test_a_merged_version_is_told_as_one(event: Callable[..., Event]) -> None:
    """Jira tells a merge as a deletion that names what it was merged to."""
    version = {"id": "5", "projectId": 10001}
    assert event("jira:version_deleted", version=version, mergedTo={"id": "6"}).action == "version_merged"
    assert event("jira:version_deleted", version=version).action == ""


ACTORS: dict[str, tuple[dict[str, Any], str]] = {
    "the user": ({"user": MONA, "comment": {**COMMENT, "author": {"accountId": "other"}}}, "5b10"),
    "who changed the comment": ({"comment": {**COMMENT, "updateAuthor": {"accountId": "lisa"}}}, "lisa"),
    "who wrote it": ({"comment": COMMENT}, "5b10"),
    "who wrote the worklog": ({"worklog": {"author": MONA}}, "5b10"),
    "a user of a server": ({"user": {"key": "JIRAUSER1", "name": "mona"}}, "JIRAUSER1"),
    "a user of an old server": ({"user": {"name": "mona"}}, "mona"),
}


@pytest.mark.parametrize(("fields", "expected"), ACTORS.values(), ids=ACTORS)
def test_the_actor_is_found_wherever_jira_names_them(
    event: Callable[..., Event], fields: dict[str, Any], expected: str
) -> None:
    """On Cloud by account id, on servers by key or name; of a comment, whoever changed it last."""
    actor = event("jira:issue_updated", issue=ISSUE, **fields).actor
    assert actor is not None
    assert actor.id == expected


SITES: dict[str, tuple[dict[str, Any], str]] = {
    "of the issue": ({"issue": ISSUE, "user": {**MONA, "self": "https://evil.example/rest/api/2/user"}}, SITE),
    "of the comment": ({"comment": COMMENT}, SITE),
    "of a server with a context path": (
        {"issue": {"key": "A-1", "self": "http://Jira.Example:8080/jira/rest/api/2/issue/1"}},
        "http://jira.example:8080/jira",
    ),
    "nowhere": ({"issue": {"key": "A-1", "self": "jira.example/rest/api"}}, ""),
    "of another type": ({"issue": {"key": "A-1", "self": ["https://x.example/rest/"]}}, ""),
    "with a name before the host": ({"issue": {"key": "A-1", "self": "https://octo@x.example/rest/"}}, ""),
}


@pytest.mark.parametrize(("fields", "expected"), SITES.values(), ids=SITES)
def test_the_site_is_told_by_where_its_objects_are(
    event: Callable[..., Event], fields: dict[str, Any], expected: str
) -> None:
    """No payload has a cloud id: the address of the most certain object is the site's, in one form."""
    account = event("comment_created", **fields).account
    assert (account.url if account else "") == expected


def test_two_webhooks_that_tell_of_one_change_have_one_fingerprint(event: Callable[..., Event]) -> None:
    """Ids of webhooks and times of delivery differ; the change itself doesn't."""
    changelog = {"id": "40001", "items": []}
    first, second, later = (
        event("jira:issue_updated", issue=ISSUE, changelog=log, matchedWebhookIds=[each])
        for each, log in ((1, changelog), (2, changelog), (1, {"id": "40002"}))
    )
    assert first.fingerprint == second.fingerprint != later.fingerprint
    assert event("comment_created", comment={"id": "1"}).fingerprint == ""


@pytest.mark.parametrize("body", [b"", b"[]", b"null", b"{", b'"x"', b"\xff", b"[" * 100_000])
def test_what_is_no_object_is_ignored(route: Callable[..., Outcome], body: bytes) -> None:
    """Nothing else is a delivery of Jira's, and nothing raises."""
    assert route(body) == Ignored(reason="the body isn't a JSON object")
