"""What changes on Linear's side, and the four layers before and after: told by a webhook, or found by listing."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from attrs import evolve

from speckitty_connectors import ConnectorsError, ResourceReference
from speckitty_connectors.resources.types import ResourceStatus
from speckitty_connectors_linear.standin import documents
from testbed.layers import believe_at_once
from testbed.linear import Layers, Studio

BEFORE = Layers(
    installation="active", link="active", mappings={"HEL": "active"}, override={"muted_kinds": ["star"]}
)
PROJECT = ResourceReference(kind="project", id=documents.project(0)["id"])
WITH_PROJECT = evolve(BEFORE, mappings={"HEL": "active", "Project 1": "active"})
LISA = documents.uuid_of("lisa")


@pytest.fixture(params=["told", "found"])
def change(request: pytest.FixtureRequest, studio: Studio) -> Callable[..., Any]:
    """Change the first project at Linear: told by a webhook, or found by the next listing."""

    def make(installation: Any, action: str, former: dict[str, Any], **fields: Any) -> None:
        project = {**studio.stand_in.projects[0], **fields}
        if action == "remove":
            del studio.stand_in.projects[0]
        else:
            studio.stand_in.projects[0] = project
        if request.param == "told":
            studio.tell("Project", action, data=documents.told_project(project), updatedFrom=former)
        else:
            studio.sync(installation)

    return make


# --- the app and its installation ---------------------------------------------------------------------------


def test_an_app_that_a_workspace_took_away_ends_everything_there(studio: Studio) -> None:
    """The installation is removed, its mappings sleep; a new consent wakes them."""
    installation = studio.set_up()
    assert studio.layers(installation) == BEFORE
    studio.tell("OAuthApp", "revoked", oauthClientId="c1")
    after = studio.layers(installation)
    assert after == evolve(BEFORE, installation="removed", mappings={"HEL": "orphaned"}, link=after.link)
    again = studio.connect()
    assert again.id == installation.id
    studio.sync(again)
    assert studio.layers(again) == evolve(BEFORE, link=after.link)


def test_a_removal_that_nobody_told_is_found_by_the_next_call(studio: Studio) -> None:
    """The token isn't accepted any more: the installation is degraded, and everything else stays."""
    installation = studio.set_up()
    studio.stand_in.authorization.revoke(actors=("app",))
    with pytest.raises(ConnectorsError):
        studio.sync(installation)
    assert studio.layers(installation) == evolve(BEFORE, installation="degraded")
    studio.sync(studio.connect())
    assert studio.layers(installation) == BEFORE


def test_a_removal_that_is_told_late_does_not_undo_a_new_consent(studio: Studio) -> None:
    """Retries come up to six hours later: what happened before the newest consent says nothing of it."""
    installation = studio.set_up()
    before = (studio.clock() - timedelta(hours=1)).isoformat()
    studio.connect()
    studio.tell("OAuthApp", "revoked", oauthClientId="c1", createdAt=before)
    assert studio.layers(installation) == BEFORE


def test_a_workspace_that_changed_its_name_and_address_is_found_by_listing(studio: Studio) -> None:
    """Nobody tells; both are labels, and nothing hangs on them."""
    installation = studio.set_up()
    studio.stand_in.organization |= {"name": "Octo", "urlKey": "octo"}
    studio.sync(installation)
    found = studio.installation(installation)
    assert (found.account_name, found.account_id) == ("Octo", documents.ORGANIZATION_ID)
    assert studio.layers(installation) == BEFORE


# --- people -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "action", "fields"),
    [
        ("OAuthAuthorization", "revoked", {"userId": documents.USER_ID, "activeTokensForUser": 0}),
        ("User", "update", {"data": {"id": documents.USER_ID, "active": False, "disableReason": "suspended"}}),
    ],
)
def test_a_person_who_withdrew_or_was_suspended_loses_their_link(
    studio: Studio, kind: str, action: str, fields: dict[str, Any]
) -> None:
    """Theirs alone: the app speaks as a user of its own, so the installation survives who installed it."""
    installation = studio.set_up()
    studio.tell(kind, action, **fields)
    assert studio.layers(installation) == evolve(BEFORE, link="revoked")
    studio.sync(installation)


@pytest.mark.parametrize(
    ("kind", "action", "fields"),
    [
        ("OAuthAuthorization", "revoked", {"userId": LISA, "activeTokensForUser": 0}),
        ("OAuthAuthorization", "created", {"userId": documents.USER_ID, "activeTokensForUser": 2}),
        ("User", "update", {"data": {"id": LISA, "active": False}}),
        ("User", "update", {"data": {"id": documents.USER_ID, "active": True, "name": "Mona"}}),
    ],
)
def test_somebody_else_or_something_else_changes_nothing(
    studio: Studio, kind: str, action: str, fields: dict[str, Any]
) -> None:
    """Another person, another token, another name."""
    installation = studio.set_up()
    studio.tell(kind, action, **fields)
    assert studio.layers(installation) == BEFORE


# --- teams --------------------------------------------------------------------------------------------------


def test_a_team_that_the_app_lost_suspends_its_mapping(studio: Studio) -> None:
    """What is lost sleeps at once; what is won is there to be mapped after a listing, as is what comes back."""
    installation = studio.set_up()
    lost, new = studio.stand_in.teams[0], {**documents.team(30), "visibility": "private"}
    studio.stand_in.teams[0] = new
    studio.tell("PermissionChange", "teamAccessChanged", removedTeamIds=[lost["id"]], addedTeamIds=[new["id"]])
    assert studio.layers(installation) == evolve(BEFORE, mappings={"HEL": "orphaned"})
    assert studio.installation(installation).inventory_synced_at is None
    studio.sync(installation)
    assert studio.resource(installation, ResourceReference(kind="team", id=new["id"])).private
    studio.stand_in.teams.append(lost)
    studio.tell("PermissionChange", "teamAccessChanged", removedTeamIds=[], addedTeamIds=[lost["id"]])
    studio.sync(installation)
    assert studio.layers(installation) == BEFORE


def test_a_teams_new_key_is_seen_in_its_next_issue(studio: Studio) -> None:
    """There are no webhooks of teams: the label follows, and the mapping hangs on the id."""
    installation = studio.set_up()
    team = {**documents.team(0), "key": "SOUP"}
    studio.tell("Issue", "update", data=documents.issue(team, 12))
    assert studio.layers(installation) == evolve(BEFORE, mappings={"SOUP": "active"})
    assert [each.event.subject for each in studio.dispatched] == ["SOUP-12"]


@pytest.mark.parametrize("state", ["retiredAt", "archivedAt"])
def test_a_team_that_retired_or_was_renamed_is_found_by_listing(studio: Studio, state: str) -> None:
    """Its state and its key of today; the mapping stays on its id."""
    installation = studio.set_up()
    studio.stand_in.teams[0] |= {"key": "SOUP", state: "2026-01-02T08:00:00.000Z"}
    studio.sync(installation)
    found = studio.resource(installation)
    assert (found.key, found.archived) == ("SOUP", True)
    assert set(studio.layers(installation).mappings) == {"SOUP"}


def test_a_deleted_team_is_found_by_listing(studio: Studio) -> None:
    """It is missing: its mapping sleeps, and wakes when it is restored."""
    installation = studio.set_up()
    believe_at_once(studio.connectors)
    gone = studio.stand_in.teams.pop(0)
    studio.sync(installation)
    assert studio.layers(installation) == evolve(BEFORE, mappings={"HEL": "orphaned"})
    studio.stand_in.teams.append(gone)
    studio.sync(installation)
    assert studio.layers(installation) == BEFORE


# --- projects -----------------------------------------------------------------------------------------------


@pytest.fixture
def installation(studio: Studio) -> Any:
    """An installation whose first team and first project are mapped."""
    made = studio.set_up()
    studio.map(made, PROJECT)
    assert studio.layers(made) == WITH_PROJECT
    return made


def test_a_projects_new_name_changes_a_label_alone(
    studio: Studio, installation: Any, change: Callable[..., Any]
) -> None:
    """The mapping hangs on the id."""
    change(installation, "update", {"name": "Project 1"}, name="Soups")
    assert studio.layers(installation) == evolve(BEFORE, mappings={"HEL": "active", "Soups": "active"})


def test_an_archived_project_is_shown_as_such_and_comes_back(
    studio: Studio, installation: Any, change: Callable[..., Any]
) -> None:
    """The inventory says it; when it is restored, everything is as it was."""
    at = "2026-01-02T08:00:00.000Z"
    change(installation, "update", {"archivedAt": None}, archivedAt=at)
    assert studio.resource(installation, PROJECT).archived
    change(installation, "update", {"archivedAt": at}, archivedAt=None)
    assert not studio.resource(installation, PROJECT).archived
    assert studio.layers(installation) == WITH_PROJECT


def test_a_binned_project_suspends_its_mapping_until_it_is_restored(
    studio: Studio, installation: Any, change: Callable[..., Any]
) -> None:
    """In the bin for thirty days it is as good as deleted; out of it, everything is as it was."""
    change(installation, "update", {"trashed": None}, trashed=True)
    assert studio.resource(installation, PROJECT).status is ResourceStatus.DELETED
    assert studio.layers(installation) == evolve(BEFORE, mappings={"HEL": "active", "Project 1": "orphaned"})
    change(installation, "update", {"trashed": True}, trashed=None)
    assert studio.layers(installation) == WITH_PROJECT


def test_a_removed_project_suspends_its_mapping(
    studio: Studio, installation: Any, change: Callable[..., Any]
) -> None:
    """Told or missing: it routes no more, and is kept with its history; its team's mapping goes on."""
    believe_at_once(studio.connectors)
    change(installation, "remove", {})
    assert studio.resource(installation, PROJECT).status in {ResourceStatus.DELETED, ResourceStatus.MISSING}
    assert studio.layers(installation) == evolve(BEFORE, mappings={"HEL": "active", "Project 1": "orphaned"})
