"""Each thing that can happen on GitLab's side, and what the four layers look like before and after."""

from __future__ import annotations

from functools import partial
from typing import Any

import pytest

from speckitty_connectors import ApiUnauthorizedError
from speckitty_connectors.installations.inventory import SyncInterruptedError
from speckitty_connectors_gitlab.standin import documents
from testbed.gitlab import HELLO, WORKSPACE, Workshop
from testbed.layers import believe_at_once

PATH = "kitchen/hello"
BEFORE: dict[str, object] = {
    "installation": "active",
    "listed": True,
    "links": ["active"],
    "mappings": [(HELLO, PATH, "active")],
    "policy": {"muted_kinds": ["star"]},
}
"""All four layers of a workshop that is set up."""

PROJECT = {"project_id": int(HELLO), "path_with_namespace": PATH}
RENAMED = {"project_id": int(HELLO), "path_with_namespace": "kitchen/hi", "old_path_with_namespace": PATH}
SUBGROUP = {"group_id": documents.SUBGROUP_ID, "full_path": documents.SUBGROUP}
ITSELF = {"group_id": documents.GROUP_ID, "full_path": documents.GROUP}
PERSON = {"group_id": documents.GROUP_ID, "user_id": documents.USER_ID, "user_username": documents.USER}
TOKEN = {"group": {"group_id": documents.GROUP_ID}, "object_attributes": {"id": 25, "name": "kitty"}}
GONE = {"mappings": [(HELLO, PATH, "orphaned")]}
RELABELLED = {"mappings": [(HELLO, "kitchen/hi", "active")]}


@pytest.mark.parametrize(
    ("header", "name", "document", "after"),
    [
        ("Project Hook", "project_create", {"project_id": 7099, "path_with_namespace": "kitchen/new"}, "unlisted"),
        ("Project Hook", "project_destroy", PROJECT, GONE),
        ("System Hook", "project_destroy", PROJECT, GONE),
        ("System Hook", "project_rename", RENAMED, {**RELABELLED, "listed": False}),
        ("System Hook", "project_transfer", RENAMED, {**RELABELLED, "listed": False}),
        ("System Hook", "project_update", PROJECT, "unlisted"),
        ("System Hook", "group_rename", {**SUBGROUP, "old_full_path": "kitchen/cakes"}, "unlisted"),
        ("System Hook", "group_create", {"group_id": 2003, "full_path": "kitchen/grill"}, "unlisted"),
        ("System Hook", "group_destroy", SUBGROUP, {}),
        ("Subgroup Hook", "subgroup_create", {"group_id": 2003, "full_path": "kitchen/grill"}, "unlisted"),
        ("Subgroup Hook", "subgroup_destroy", SUBGROUP, {}),
        ("System Hook", "group_destroy", ITSELF, {**GONE, "installation": "orphaned"}),
        ("Member Hook", "user_add_to_group", PERSON, {}),
        ("Member Hook", "user_update_for_group", PERSON, {}),
        ("Member Hook", "user_remove_from_group", PERSON, {}),
        ("Resource Access Token Hook", "expiring_access_token", {"object_kind": "access_token", **TOKEN}, {}),
    ],
)
def test_what_gitlab_tells_changes_its_own_layer_and_no_other(
    workshop: Workshop, header: str, name: str, document: dict[str, Any], after: object
) -> None:
    """Everything that isn't named stays as it was, and telling it twice changes nothing more."""
    workshop.set_up()
    assert workshop.layers() == BEFORE
    expected = {"listed": False} if after == "unlisted" else after
    for _ in range(2):
        workshop.tell(header, {"event_name": name, **document})
        assert workshop.layers() == BEFORE | expected  # type: ignore[operator]  # a table of dictionaries


def test_the_connected_groups_own_rename_is_the_accounts(workshop: Workshop) -> None:
    """A group is an account and something that can be mapped, so its new path is the label of both."""
    workshop.set_up()
    told = {"event_name": "group_rename", **ITSELF, "full_path": "bistro", "old_full_path": documents.GROUP}
    workshop.tell("System Hook", told)
    (installation,) = workshop.connectors.installations(WORKSPACE)
    assert (installation.account_name, installation.status) == ("bistro", "active")


def test_any_delivery_of_a_project_under_another_path_relabels_it(workshop: Workshop) -> None:
    """GitLab.com tells nobody of a rename; the same number under another path does, and is routed as before."""
    workshop.set_up()
    project = {"id": int(HELLO), "path_with_namespace": "kitchen/hi"}
    workshop.tell("Push Hook", {"object_kind": "push", "project": project, "ref": "refs/heads/main"})
    assert workshop.layers() == BEFORE | RELABELLED
    assert len(workshop.dispatched) == 1


def test_a_rename_that_nobody_told_of_is_found_by_listing(workshop: Workshop) -> None:
    """The label follows, the mapping stays."""
    installation = workshop.set_up()
    workshop.stand_in.paths[int(HELLO)] = "kitchen/hi"
    workshop.connectors.inventory.sync(WORKSPACE, installation.id)
    assert workshop.layers() == BEFORE | RELABELLED


def test_a_project_that_left_the_group_is_found_by_listing(workshop: Workshop) -> None:
    """Its mapping is orphaned, and adopted again when it comes back."""
    installation = workshop.set_up()
    believe_at_once(workshop.connectors)
    workshop.stand_in.gone.add(int(HELLO))
    assert workshop.connectors.inventory.sync(WORKSPACE, installation.id).missing == 1
    assert workshop.layers() == BEFORE | GONE
    workshop.stand_in.gone.clear()
    workshop.connectors.inventory.sync(WORKSPACE, installation.id)
    assert workshop.layers() == BEFORE


def test_a_deleted_webhook_is_found_by_reading_back(workshop: Workshop) -> None:
    """The installation is degraded until it is made anew; what is mapped stays mapped."""
    installation = workshop.set_up()
    workshop.stand_in.delete_webhooks()
    where = {"workspace": WORKSPACE, "installation_id": installation.id}
    workshop.connectors.subscriptions.check(**where)
    assert workshop.layers() == BEFORE | {"installation": "degraded"}
    workshop.connectors.subscriptions.sync(**where)
    assert workshop.layers() == BEFORE
    assert len(workshop.stand_in.webhooks()) == 1


def test_a_grant_that_ended_is_found_by_the_first_refused_request(workshop: Workshop) -> None:
    """The person left, or was blocked: the installation says so, and connecting again mends it with all it had."""
    installation = workshop.set_up()
    workshop.stand_in.end_grants()
    with pytest.raises(SyncInterruptedError):
        workshop.connectors.inventory.sync(WORKSPACE, installation.id)
    assert workshop.layers() == BEFORE | {"installation": "degraded"}
    workshop.connect()
    workshop.connectors.inventory.sync(WORKSPACE, installation.id)
    assert workshop.layers() == BEFORE


def test_a_token_of_the_group_outlives_the_person(workshop: Workshop) -> None:
    """In place of the grant it lists and makes webhooks; one that GitLab doesn't know isn't taken."""
    installation = workshop.set_up()
    where = {"workspace": WORKSPACE, "installation_id": installation.id}
    enter = partial(
        workshop.connectors.entered_tokens.enter,
        workspace=WORKSPACE,
        installation_id=installation.id,
        member="mona",
    )
    with pytest.raises(ApiUnauthorizedError):
        enter(token="glpat-guessed")
    enter(token=workshop.stand_in.make_group_token())
    workshop.stand_in.end_grants()
    workshop.stand_in.delete_webhooks()
    assert workshop.connectors.inventory.sync(WORKSPACE, installation.id).listed == 27
    assert workshop.connectors.subscriptions.sync(**where).registered == 1
    assert workshop.layers() == BEFORE


def test_who_disconnects_leaves_no_webhook_behind(workshop: Workshop) -> None:
    """The other layers keep what they have for the day the group is connected again."""
    installation = workshop.set_up()
    workshop.connectors.onboarding.remove(workspace=WORKSPACE, actor="member:mona", installation_id=installation.id)
    assert workshop.stand_in.webhooks() == ()
    assert workshop.layers() == BEFORE | GONE | {"installation": "removed"}
    workshop.connect()
    workshop.connectors.inventory.sync(WORKSPACE, installation.id)
    assert workshop.layers() == BEFORE
