"""Changes of Linear's own state: which one a delivery tells, and when it tells none."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from speckitty_connectors.plugin import (
    Account,
    Change,
    Event,
    ExternalIdentity,
    Ignored,
    Lifecycle,
    Outcome,
    ResourceReference,
)

PROJECT = {"id": "p1", "name": "Soups", "teamIds": ["t1"], "trashed": None, "archivedAt": None}
LISA = {"id": "u2", "name": "Lisa", "email": "lisa@octo.example"}
AT = "2026-01-02T08:00:00.000Z"


@pytest.fixture
def tell(route: Callable[..., Outcome]) -> Callable[..., Outcome]:
    """Say what a delivery of workspace o1 means."""

    def make(kind: str, action: str, **fields: Any) -> Outcome:
        return route({"type": kind, "action": action, "createdAt": AT, "organizationId": "o1", **fields})

    return make


def test_a_removed_app_ends_the_installation(tell: Callable[..., Outcome]) -> None:
    """The workspace took the app away."""
    lifecycle = tell("OAuthApp", "revoked", oauthClientId="c1")
    assert isinstance(lifecycle, Lifecycle)
    assert (lifecycle.change, lifecycle.account) == (Change.UNINSTALLED, Account(id="o1", kind="workspace"))
    assert isinstance(tell("OAuthApp", "updated"), Ignored)
    assert isinstance(tell("OAuthApp", "revoked", organizationId=None), Ignored)


@pytest.mark.parametrize(
    ("action", "left", "is_over"),
    [
        ("revoked", 0, True),
        ("created", 0, True),
        ("revoked", 0.0, True),
        ("revoked", 1, False),
        ("created", 2, False),
        ("revoked", None, True),
        ("deleted", None, True),
        ("created", None, False),
        ("", "0", False),
        ("revoked", False, False),
    ],
)
def test_an_authorisation_is_over_when_no_token_is_left(
    action: str, left: object, is_over: bool, tell: Callable[..., Outcome]
) -> None:
    """Its actions aren't documented, so the number of tokens decides, and the action only where none is told."""
    outcome = tell("OAuthAuthorization", action, userId="u2", user=LISA, activeTokensForUser=left)
    assert isinstance(outcome, Lifecycle) is is_over
    if isinstance(outcome, Lifecycle):
        assert outcome.change is Change.LINK_REVOKED
        assert outcome.identities == (ExternalIdentity(id="u2", name="Lisa"),)
        assert outcome.account == Account(id="o1", kind="workspace")


def test_an_authorisation_may_name_its_person_by_id_alone(tell: Callable[..., Outcome]) -> None:
    """The id is enough; without one there is nobody."""
    outcome = tell("OAuthAuthorization", "revoked", userId="u2", activeTokensForUser=0)
    assert isinstance(outcome, Lifecycle)
    assert outcome.identities == (ExternalIdentity(id="u2"),)
    assert isinstance(tell("OAuthAuthorization", "revoked", activeTokensForUser=0), Ignored)


@pytest.mark.parametrize(
    ("removed", "added", "change", "ids"),
    [
        (["t1", "t2"], [], Change.RESOURCES_REMOVED, ["t1", "t2"]),
        (["t1"], ["t3"], Change.RESOURCES_REMOVED, ["t1"]),
        ([], ["t3"], Change.RESOURCES_ADDED, ["t3"]),
        ([], [], Change.RESOURCES_ADDED, []),
        (None, "t3", Change.RESOURCES_ADDED, []),
    ],
)
def test_lost_teams_go_and_a_listing_finds_the_rest(
    removed: object, added: object, change: Change, ids: list[str], tell: Callable[..., Outcome]
) -> None:
    """One delivery may tell of both; what is lost goes at once, whatever became visible is listed."""
    outcome = tell("PermissionChange", "teamAccessChanged", removedTeamIds=removed, addedTeamIds=added)
    assert isinstance(outcome, Lifecycle)
    assert (outcome.change, [each.id for each in outcome.resources], outcome.relist) == (change, ids, True)
    assert {each.kind for each in outcome.resources} <= {"team"}


@pytest.mark.parametrize(
    ("action", "data", "is_over"),
    [
        ("update", {**LISA, "active": False, "disableReason": "admin suspended"}, True),
        ("update", {**LISA, "active": True}, False),
        ("update", LISA, False),
        ("remove", LISA, True),
        ("create", {**LISA, "active": True}, False),
        ("update", {"active": False}, False),
    ],
)
def test_a_suspended_person_loses_their_link(
    action: str, data: Any, is_over: bool, tell: Callable[..., Outcome]
) -> None:
    """Whoever isn't active any more, and nobody whose profile merely changed."""
    outcome = tell("User", action, data=data)
    assert isinstance(outcome, Lifecycle if is_over else Ignored)
    if isinstance(outcome, Lifecycle):
        assert [person.id for person in outcome.identities] == ["u2"]


@pytest.mark.parametrize(
    ("now", "before", "change", "relist"),
    [
        (
            {"trashed": True, "archivedAt": AT},
            {"trashed": None, "archivedAt": None},
            Change.RESOURCE_DELETED,
            False,
        ),
        ({"trashed": True}, {"trashed": False}, Change.RESOURCE_DELETED, False),
        ({"archivedAt": AT}, {"archivedAt": None}, Change.RESOURCE_ARCHIVED, False),
        ({}, {"archivedAt": AT}, Change.RESOURCE_RESTORED, True),
        ({}, {"trashed": True, "archivedAt": AT}, Change.RESOURCE_RESTORED, True),
        ({"archivedAt": AT}, {"trashed": True}, Change.RESOURCE_RESTORED, True),
        ({}, {"name": "Menus"}, Change.RESOURCE_RENAMED, False),
        ({}, {"name": "Soups"}, None, False),
        ({"name": None}, {"name": "Menus"}, None, False),
        ({}, {"archivedAt": None, "trashed": None, "statusId": "s1"}, None, False),
        ({"archivedAt": AT}, {"description": "old"}, None, False),
        ({}, {}, None, False),
        ({}, None, None, False),
    ],
)
def test_a_project_is_compared_with_its_former_values(
    now: dict[str, Any], before: object, change: Change | None, relist: bool, tell: Callable[..., Outcome]
) -> None:
    """Former values are named even where they stayed, so only a difference is a change; all else is an event."""
    outcome = tell("Project", "update", data={**PROJECT, **now}, updatedFrom=before)
    assert isinstance(outcome, Event if change is None else Lifecycle)
    if isinstance(outcome, Lifecycle):
        assert (outcome.change, outcome.relist) == (change, relist)
        assert outcome.resources == (ResourceReference(kind="project", id="p1", key="Soups"),)
        assert outcome.former == (("Menus",) if change is Change.RESOURCE_RENAMED else ())


def test_a_removed_project_is_gone(tell: Callable[..., Outcome]) -> None:
    """Its payload still holds everything, and the action says it."""
    outcome = tell("Project", "remove", data={**PROJECT, "archivedAt": AT})
    assert isinstance(outcome, Lifecycle)
    assert outcome.change is Change.RESOURCE_DELETED


def test_a_project_without_its_id_is_ignored(tell: Callable[..., Outcome]) -> None:
    """Nothing is guessed by name."""
    assert isinstance(tell("Project", "remove", data={"name": "Soups"}), Ignored)
