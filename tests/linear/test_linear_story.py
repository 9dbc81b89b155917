"""Linear from the first consent to the last delivery, over real HTTP on loopback and on both databases."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import pytest

from speckitty_connectors import ConnectorsError, ResourceReference, Secret, Signal, Target
from speckitty_connectors.installations.statuses import InstallationStatus
from speckitty_connectors.tokens.oauth import Revocation
from speckitty_connectors_linear.standin import documents
from testbed.linear import WORKSPACE, Studio, open_studio

FIRST, SECOND = documents.team(0), documents.team(1)
FIRST_PROJECT = documents.project(0)


def test_a_workspace_is_connected_listed_and_routed(studio: Studio) -> None:
    """The organization's id is the account; teams and projects come; an issue of a mapped team arrives once."""
    installation = studio.set_up()
    assert (installation.account_id, installation.account_kind) == (documents.ORGANIZATION_ID, "workspace")
    assert (installation.granted_by, installation.scopes) == ("", ("read",))
    listed = studio.connectors.inventory.resources(WORKSPACE, installation.id)
    assert sorted({each.kind for each in listed}) == ["project", "team"]
    assert len(listed) == documents.TEAM_COUNT + documents.PROJECT_COUNT
    for _ in range(2):
        studio.tell("Issue", "create", delivery="d1", data=documents.issue(FIRST, 12))
    (dispatch,) = studio.dispatched
    assert (dispatch.event.subject, dispatch.event.kind) == ("HEL-12", "Issue")


def test_a_project_wins_over_its_team(studio: Studio) -> None:
    """Where both are mapped, an issue goes where its project goes; one without a project goes to the team's."""
    installation = studio.set_up()
    soups = Target(kind="project", id="soups")
    studio.map(installation, ResourceReference(kind="project", id=FIRST_PROJECT["id"]), soups)
    studio.tell("Issue", "create", data=documents.issue(FIRST, 12, FIRST_PROJECT))
    studio.tell("Issue", "create", data=documents.issue(FIRST, 13))
    assert [(each.event.subject, each.target.id) for each in studio.dispatched] == [
        ("HEL-12", "soups"),
        ("HEL-13", "apollo"),
    ]


def test_a_project_is_told_to_each_of_its_teams(studio: Studio) -> None:
    """A project of two mapped teams, itself not mapped, fans out to both targets."""
    installation = studio.set_up()
    other = ResourceReference(kind="team", id=SECOND["id"])
    studio.map(installation, other, Target(kind="project", id="gemini"))
    project = {**documents.told_project(FIRST_PROJECT), "teamIds": [FIRST["id"], SECOND["id"]]}
    studio.tell("Project", "update", data=project, updatedFrom={"statusId": "s0"})
    assert sorted(each.target.id for each in studio.dispatched) == ["apollo", "gemini"]


def test_an_issue_that_moved_is_routed_by_its_new_team(studio: Studio) -> None:
    """From the moment it moves, it belongs to the mappings of where it is."""
    studio.set_up()
    moved = {**documents.issue(SECOND, 7), "previousIdentifiers": ["HEL-12"]}
    studio.tell("Issue", "update", data=moved, updatedFrom={"teamId": FIRST["id"]})
    (item,) = studio.connectors.review.list(workspace=WORKSPACE)
    assert (item.subject.kind, item.subject.id, studio.dispatched) == ("team", SECOND["id"], [])
    back = {**documents.issue(FIRST, 14), "previousIdentifiers": ["HEL-12", "MEN-7"]}
    studio.tell("Issue", "update", data=back, updatedFrom={"teamId": SECOND["id"]})
    assert [each.event.subject for each in studio.dispatched] == ["HEL-14"]


def test_work_whose_team_is_not_told_waits_for_a_person(studio: Studio) -> None:
    """An attachment names its issue alone: it is neither routed nor lost."""
    studio.set_up()
    told = studio.tell("Attachment", "create", data={"id": "a1", "issueId": "i1", "title": "Menu"})
    assert [(each.decision.stage, each.decision.rule) for each in studio.decisions(told)] == [
        ("review", "no_resource")
    ]


def test_one_workspace_of_linears_serves_several_of_ours(studio: Studio) -> None:
    """There is one webhook for it: a delivery is decided once for each workspace that connected it."""
    own = studio.set_up()
    other = studio.connect("w2")
    studio.sync(other)
    studio.map(other)
    assert own.account_id == other.account_id
    told = studio.tell("Issue", "create", data=documents.issue(FIRST, 12))
    assert [each.decision.installation_id for each in studio.decisions(told)] == [own.id]
    assert [each.decision.installation_id for each in studio.decisions(told, "w2")] == [other.id]
    assert len(studio.dispatched) == 2
    gone = studio.connectors.onboarding.remove(workspace="w2", installation_id=other.id, actor="member:mona")
    assert (gone.installation.status, gone.revocation) == (InstallationStatus.REMOVED, Revocation.UNSUPPORTED)
    studio.sync(own)
    studio.tell("Issue", "create", data=documents.issue(FIRST, 13))
    assert len(studio.dispatched) == 3


def test_a_token_is_renewed_after_its_day(studio: Studio) -> None:
    """A listing of the next day renews it on its way, as often as there are days."""
    installation = studio.set_up()
    for _ in range(2):
        studio.clock.ahead += timedelta(days=1)
        studio.stand_in.authorization.expire()
        studio.sync(installation)
    assert studio.installation(installation).status is InstallationStatus.ACTIVE


def test_a_stranger_and_a_late_delivery_are_refused(studio: Studio) -> None:
    """The time is in the signed body: what is later than any retry is refused, and so is another's signature."""
    studio.set_up()
    body = studio.stand_in.deliveries()[0].content
    assert studio.send(body, "Issue", "d1", Secret("a stranger's secret of some length")).status == 403
    studio.clock.ahead += timedelta(hours=8, minutes=1)
    assert studio.send(body, "Issue", "d2").status == 403
    studio.clock.ahead -= timedelta(hours=8, minutes=1)
    assert studio.dispatched == []
    assert studio.send(body, "Issue", "d3").status == 202
    assert [each.event.subject for each in studio.dispatched] == ["HEL-12"]


@pytest.mark.parametrize("late", [timedelta(minutes=1), timedelta(hours=1), timedelta(hours=7, minutes=2)])
def test_each_retry_may_be_the_first_to_arrive(studio: Studio, late: timedelta) -> None:
    """With the time of the first try; a captured copy under another id waits for a person."""
    studio.set_up()
    body = studio.stand_in.deliveries()[0].content
    studio.clock.ahead += late
    assert [studio.send(body, "Issue", "d1").status for _ in range(2)] == [202, 200]
    studio.send(body, "Issue", "d2")
    assert [each.event.subject for each in studio.dispatched] == ["HEL-12"]
    (item,) = studio.connectors.review.list(workspace=WORKSPACE)
    assert [each.reason for each in item.reasons] == ["replay_suspect"]


def test_a_retry_that_is_stamped_anew_is_a_duplicate(studio: Studio) -> None:
    """When it was sent is no part of what it says; what else differs is."""
    studio.set_up()
    body = json.loads(studio.stand_in.deliveries()[0].content)
    again = {**body, "webhookTimestamp": body["webhookTimestamp"] + 60_000}
    other = {**again, "createdAt": "2026-01-05T10:00:01Z"}
    assert [studio.send(json.dumps(each).encode(), "Issue", "d1").status for each in (body, again)] == [202, 200]
    assert json.loads(studio.send(json.dumps(other).encode(), "Issue", "d1").text)["code"] == "conflict"


def test_operators_may_allow_less(database_url: str) -> None:
    """How far a time may be off is theirs to set."""
    with open_studio(database_url, signature_tolerances={"linear": 60}) as studio:
        studio.set_up()
        body = studio.stand_in.deliveries()[0].content
        studio.clock.ahead += timedelta(seconds=61)
        assert studio.send(body, "Issue", "d1").status == 403


@pytest.mark.parametrize("late", [timedelta(minutes=1), timedelta(hours=1), timedelta(hours=6)])
def test_the_recorded_delivery_that_was_refused(
    studio: Studio, late: timedelta, delivery_cases: Mapping[str, Any]
) -> None:
    """The recorded case, with its time moved to now."""
    (step,) = delivery_cases["linear-retry-with-the-old-time"]["steps"]
    sent = int(studio.clock().timestamp() * 1000)
    headers, bodies = step["headers"], [{**step["body"], "webhookTimestamp": sent + extra} for extra in (0, 60_000)]
    studio.clock.ahead += late
    answers = [
        studio.send(json.dumps(body).encode(), headers["Linear-Event"], headers["Linear-Delivery"])
        for body in bodies
    ]
    assert [json.loads(answer.text)["code"] for answer in answers] == ["accepted", "duplicate"]


def test_issue_keys_suggest_teams(studio: Studio) -> None:
    """Who works on ``hel-12`` works for the team HEL; what is suggested is confirmed by a person."""
    installation = studio.connect()
    studio.sync(installation)
    signal = Signal(project_id="apollo", feature_slugs=("hel-12-soup",))
    studio.connectors.signals.report(workspace=WORKSPACE, signals=[signal])
    studio.connectors.suggestions.refresh(workspace=WORKSPACE, installation_id=installation.id)
    (found,) = studio.connectors.suggestions.list(workspace=WORKSPACE)
    studio.connectors.suggestions.confirm(workspace=WORKSPACE, suggestion_id=found.id, actor="member:mona")
    studio.tell("Issue", "create", data=documents.issue(FIRST, 12))
    assert [(each.event.subject, each.target.id) for each in studio.dispatched] == [("HEL-12", "apollo")]


def test_a_person_of_another_workspace_is_not_linked(studio: Studio) -> None:
    """A person picks one of their workspaces on Linear's page; only the connected one counts."""
    installation = studio.connect()
    studio.stand_in.organization["id"] = documents.uuid_of("another organization")
    with pytest.raises(ConnectorsError, match="another Linear workspace"):
        studio.link(installation)
    assert studio.connectors.links.list(workspace=WORKSPACE, installation_id=installation.id) == ()
