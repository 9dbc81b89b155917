"""What happens to resources: whose events they are, wherever a payload says it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from speckitty_connectors.plugin import Account, Event, ExternalIdentity, Ignored, Outcome, ResourceReference

TEAM = {"id": "t1", "key": "HEL", "name": "Hello"}
PROJECT = {"id": "p1", "name": "Soups", "url": "https://linear.app/octo-org/project/soups-1"}
CHILD = {"id": "i1", "identifier": "HEL-12", "title": "Soup", "teamId": "t1", "team": TEAM}
ISSUE = {**CHILD, "projectId": "p1", "project": PROJECT}
UPDATE = {"id": "up1", "body": "Going well", "project": PROJECT}

OF_TEAM = ResourceReference(kind="team", id="t1", key="HEL")
OF_PROJECT = ResourceReference(kind="project", id="p1", key="Soups")
BOTH = (OF_PROJECT, OF_TEAM)


def told(kind: str, data: object, **fields: Any) -> dict[str, Any]:
    return {
        "type": kind,
        "action": "create",
        "createdAt": "2026-01-02T09:00:00.000+01:00",
        "organizationId": "o1",
        "data": data,
        **fields,
    }


@pytest.mark.parametrize(
    ("kind", "data", "resources", "subject"),
    [
        ("Issue", ISSUE, BOTH, "HEL-12"),
        ("Issue", {**ISSUE, "project": None, "projectId": None}, (OF_TEAM,), "HEL-12"),
        ("Issue", {**ISSUE, "team": None}, (OF_PROJECT, ResourceReference(kind="team", id="t1")), "HEL-12"),
        ("Issue", {**ISSUE, "project": None}, (ResourceReference(kind="project", id="p1"), OF_TEAM), "HEL-12"),
        ("Comment", {"id": "c1", "issueId": "i1", "issue": CHILD}, (OF_TEAM,), "HEL-12"),
        ("Comment", {"id": "c1", "projectId": "p1"}, (ResourceReference(kind="project", id="p1"),), ""),
        ("Comment", {"id": "c1", "projectUpdate": UPDATE}, (OF_PROJECT,), "Soups"),
        ("Comment", {"id": "c1", "parent": {"projectId": "p1"}}, (ResourceReference(kind="project", id="p1"),), ""),
        ("Comment", {"id": "c1", "documentContent": {"project": PROJECT}}, (OF_PROJECT,), "Soups"),
        (
            "Comment",
            {"id": "c1", "documentContent": {"document": {"title": "Menu", "project": PROJECT}}},
            (OF_PROJECT,),
            "Menu",
        ),
        ("Reaction", {"id": "r1", "emoji": "soup", "issue": CHILD}, (OF_TEAM,), "HEL-12"),
        ("Reaction", {"id": "r1", "projectUpdate": UPDATE}, (OF_PROJECT,), "Soups"),
        (
            "Reaction",
            {"id": "r1", "comment": {"id": "c1", "projectId": "p1"}},
            (ResourceReference(kind="project", id="p1"),),
            "",
        ),
        (
            "Document",
            {"id": "d1", "title": "Menu", "projectId": "p1"},
            (ResourceReference(kind="project", id="p1"),),
            "Menu",
        ),
        ("CustomerNeed", {"id": "n1", "project": PROJECT, "issue": CHILD}, (OF_PROJECT,), "HEL-12"),
        ("ProjectUpdate", {"id": "up1", "project": PROJECT, "projectId": "p1"}, (OF_PROJECT,), "Soups"),
        (
            "Cycle",
            {"id": "cy1", "name": "Winter", "teamId": "t1"},
            (ResourceReference(kind="team", id="t1"),),
            "Winter",
        ),
        (
            "IssueLabel",
            {"id": "l1", "name": "Bug", "teamId": "t1"},
            (ResourceReference(kind="team", id="t1"),),
            "Bug",
        ),
        ("SomethingNew", {"id": "x", "team": TEAM}, (OF_TEAM,), "HEL"),
    ],
)
def test_an_event_concerns_what_its_payload_names(
    kind: str, data: Any, resources: tuple[Any, ...], subject: str, route: Callable[..., Outcome]
) -> None:
    """The project first, then the team; from the thing itself, else from what it hangs on."""
    event = route(told(kind, data))
    assert isinstance(event, Event)
    assert (event.resources, event.subject, event.kind) == (resources, subject, kind)
    assert event.account == Account(id="o1", kind="workspace")
    assert event.occurred_at == datetime(2026, 1, 2, 8, tzinfo=UTC)


@pytest.mark.parametrize("member", ["issueData", "notification", "agentSession"])
def test_other_families_name_it_elsewhere(member: str, route: Callable[..., Outcome]) -> None:
    """Service levels, notifications and sessions have no data, but an object of another name."""
    event = route({"type": "IssueSLA", "action": "breached", "organizationId": "o1", member: {"issue": CHILD}})
    assert isinstance(event, Event)
    assert (event.resources, event.action, event.subject) == ((OF_TEAM,), "breached", "HEL-12")


def test_a_project_is_told_to_all_of_its_teams(route: Callable[..., Outcome]) -> None:
    """Teams side by side: each one that is mapped gets it, unless the project itself is mapped."""
    project = {"id": "p1", "name": "Soups", "teamIds": ["t1", "t2", "t1", None, 7]}
    event = route(told("Project", project))
    assert isinstance(event, Event)
    assert [(each.kind, each.id) for each in event.resources] == [("project", "p1"), ("team", "t1"), ("team", "t2")]


def test_an_issue_that_moved_is_its_new_teams(route: Callable[..., Outcome]) -> None:
    """The team of before stands among the former values and counts no more."""
    moved = told("Issue", CHILD, action="update", updatedFrom={"teamId": "t9", "team": {"id": "t9"}})
    event = route(moved)
    assert isinstance(event, Event)
    assert event.resources == (OF_TEAM,)


@pytest.mark.parametrize("kind", ["Attachment", "Comment", "Issue", "Reaction"])
def test_work_without_its_team_waits_for_a_person(kind: str, route: Callable[..., Outcome]) -> None:
    """It surely concerns a team or a project, but the payload names neither: it is neither routed nor dropped."""
    event = route(told(kind, {"id": "x", "issueId": "i1"}))
    assert isinstance(event, Event)
    assert event.resources == ()


@pytest.mark.parametrize(
    ("kind", "data"),
    [
        ("Initiative", {"id": "in1", "name": "More soup"}),
        ("InitiativeUpdate", {"id": "iu1", "initiativeId": "in1"}),
        ("Comment", {"id": "c1", "initiativeId": "in1"}),
        ("Comment", {"id": "c1", "initiativeUpdateId": "iu1"}),
        ("Reaction", {"id": "r1", "comment": {"id": "c1", "initiativeId": "in1"}}),
        ("Document", {"id": "d1", "initiativeId": "in1"}),
        ("IssueLabel", {"id": "l1", "name": "Bug"}),
        ("Customer", {"id": "cu1", "name": "Octo"}),
        ("AuditEntry", {"id": "a1"}),
        ("Release", {"id": "re1"}),
        ("", {"id": "x"}),
    ],
)
def test_what_concerns_neither_is_ignored(kind: str, data: Any, route: Callable[..., Outcome]) -> None:
    """The reason names the kind."""
    outcome = route(told(kind, data))
    assert isinstance(outcome, Ignored)
    assert kind in outcome.reason


@pytest.mark.parametrize("content", [b"", b"[]", b"null", b"\xff", b"{", b"[" * 100_000])
def test_what_is_no_object_is_ignored(content: bytes, route: Callable[..., Outcome]) -> None:
    """Nothing raises."""
    assert route(content) == Ignored(reason="the body isn't a JSON object")


def test_the_signed_type_is_believed_before_the_header(route: Callable[..., Outcome]) -> None:
    """The header only stands in where the body has no type."""
    assert getattr(route(told("Issue", ISSUE), kind="Comment"), "kind", "") == "Issue"
    untyped = {"data": ISSUE, "organizationId": "o1"}
    assert getattr(route(untyped, kind="Issue"), "kind", "") == "Issue"


@pytest.mark.parametrize(
    ("actor", "known"),
    [
        ({"id": "u1", "name": "mona", "type": "user"}, ExternalIdentity(id="u1", name="mona", kind="user")),
        (
            {"id": "c1", "name": "Kitty", "type": "oauthClient"},
            ExternalIdentity(id="c1", name="Kitty", kind="oauthClient"),
        ),
        (
            {"id": "g1", "service": "github", "type": "integration"},
            ExternalIdentity(id="g1", name="github", kind="integration"),
        ),
        (None, None),
        ({"name": "nobody"}, None),
        ("u1", None),
    ],
)
def test_an_actor_may_be_a_person_an_app_or_an_integration(
    actor: object, known: ExternalIdentity | None, route: Callable[..., Outcome]
) -> None:
    """Each has an id and a type; nobody is made up where there is none."""
    event = route(told("Issue", ISSUE, actor=actor))
    assert isinstance(event, Event)
    assert event.actor == known


def test_a_delivery_without_its_workspace_names_no_account(route: Callable[..., Outcome]) -> None:
    """Recordings of before 2023 lack it; the tenant is never guessed."""
    event = route({"type": "Issue", "action": "create", "data": ISSUE})
    assert isinstance(event, Event)
    assert event.account is None
