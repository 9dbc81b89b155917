"""What changes on Jira's side, and the four layers before and after: told by a webhook, or found by listing.

An app is told of no change of projects, people or its own removal. Each row that an admin webhook can tell is found
without one as well.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from attrs import evolve

from speckitty_connectors import ConnectorsError
from speckitty_connectors.installations.statuses import StatusReason
from speckitty_connectors.resources.types import ResourceStatus
from speckitty_connectors_jira.standin import documents
from testbed.jira import FIRST, WORKSPACE, Layers, Site, open_site
from testbed.layers import believe_at_once

BEFORE = Layers(installation="active", link="active", mapping="active", override={"muted_kinds": ["star"]})


@pytest.fixture
def site(database_url: str) -> Iterator[Site]:
    """A workspace beside a Jira, on SQLite and on PostgreSQL."""
    with open_site(database_url) as opened:
        yield opened


@pytest.fixture(params=["told", "found"])
def change(request: pytest.FixtureRequest, site: Site) -> Callable[..., Any]:
    """Change the first project at Jira: told by an admin webhook, or found by the next listing."""

    def make(installation: Any, kind: str, **fields: Any) -> None:
        if request.param == "told":
            site.admin_webhook(installation).tell(kind, project={**documents.project(0), **fields})
            return
        if kind == "project_deleted":
            del site.stand_in.projects[0]
        else:
            site.stand_in.projects[0] = {**documents.project(0), **fields}
        site.sync(installation)

    return make


def test_an_app_that_was_removed_from_a_site_is_found_by_listing(site: Site) -> None:
    """Nobody tells: the site is missing from the grant. The installation says so, and loses nothing."""
    installation = site.set_up()
    assert site.layers(installation) == BEFORE
    site.stand_in.installed = False
    with pytest.raises(ConnectorsError):
        site.sync(installation)
    assert site.layers(installation) == evolve(BEFORE, installation="degraded")
    assert site.installation(installation).status_reason == StatusReason.ACCOUNT_UNREACHED
    site.stand_in.installed = True
    site.sync(installation)
    assert site.layers(installation) == BEFORE


def test_a_grant_that_its_person_withdrew_is_found_by_the_next_call(site: Site) -> None:
    """One refusal degrades the installation; everything else is as it was, and so is it when connected again."""
    installation = site.set_up()
    site.stand_in.authorization.revoke()
    with pytest.raises(ConnectorsError):
        site.sync(installation)
    assert site.layers(installation) == evolve(BEFORE, installation="degraded")
    site.connect()
    site.sync(installation)
    assert site.layers(installation) == BEFORE


def test_a_new_consent_wakes_all_that_its_person_connected(site: Site) -> None:
    """One grant a person: whoever links themselves again gives the site its newest tokens as well."""
    installation = site.set_up()
    site.stand_in.authorization.revoke()
    with pytest.raises(ConnectorsError):
        site.sync(installation)
    assert site.layers(installation) == evolve(BEFORE, installation="degraded")
    site.link(installation)
    assert site.layers(installation) == BEFORE
    site.sync(installation)


def test_a_person_who_left_takes_the_grant_and_their_link_along(site: Site) -> None:
    """An admin webhook tells of it: who connected the site has to be followed by somebody else."""
    installation = site.set_up()
    site.admin_webhook(installation).tell("user_deleted", user=documents.user())
    assert site.layers(installation) == evolve(BEFORE, installation="needs_reauthorisation", link="revoked")
    assert site.installation(installation).status_reason == StatusReason.PERSON_LEFT


def test_somebody_else_who_left_changes_nothing(site: Site) -> None:
    """An installation hangs on the one person whose grant it speaks with."""
    installation = site.set_up()
    lisa = {**documents.user(), "accountId": "712020:lisa"}
    site.admin_webhook(installation).tell("user_deleted", user=lisa)
    assert site.layers(installation) == BEFORE


def test_a_new_key_changes_a_label_alone(site: Site, change: Callable[..., Any]) -> None:
    """The mapping hangs on the id; the former key still finds it."""
    installation = site.set_up()
    change(installation, "project_updated", key="GREETINGS", projectKeys=["GREETINGS", "HELLO"])
    assert site.layers(installation) == BEFORE
    (mapping,) = site.connectors.mappings.list(workspace=WORKSPACE)
    assert (mapping.resource_external_id, mapping.resource_key) == (FIRST, "GREETINGS")
    issue = documents.issue(documents.project(0, key="GREETINGS"), 12)
    site.tell("jira:issue_updated", issue=issue)
    assert [dispatch.event.subject for dispatch in site.dispatched] == ["GREETINGS-12"]


def test_an_archived_project_is_shown_as_such_and_comes_back(site: Site, change: Callable[..., Any]) -> None:
    """Archiving hides nothing here: the inventory says it, and the mapping is there when it ends."""
    installation = site.set_up()
    change(installation, "project_archived", archived=True)
    assert site.project(installation).archived
    assert site.layers(installation) == evolve(BEFORE, mapping=site.layers(installation).mapping)
    change(installation, "project_restored_archived", archived=False)
    assert not site.project(installation).archived
    assert site.layers(installation) == BEFORE


def test_a_binned_project_suspends_its_mapping_until_it_is_restored(site: Site, change: Callable[..., Any]) -> None:
    """In the bin it is as good as deleted; out of it, everything is as it was."""
    installation = site.set_up()
    change(installation, "project_soft_deleted", deleted=True)
    assert site.project(installation).status is ResourceStatus.DELETED
    assert site.layers(installation) == evolve(BEFORE, mapping="orphaned")
    change(installation, "project_restored_deleted", deleted=False)
    assert site.project(installation).status is ResourceStatus.ACTIVE
    assert site.layers(installation) == BEFORE


def test_a_deleted_project_orphans_its_mapping(site: Site, change: Callable[..., Any]) -> None:
    """Told or missing: the mapping routes no more, and is kept with its history."""
    installation = site.set_up()
    believe_at_once(site.connectors)
    change(installation, "project_deleted")
    assert site.project(installation).status in {ResourceStatus.DELETED, ResourceStatus.MISSING}
    assert site.layers(installation) == evolve(BEFORE, mapping="orphaned")


def test_a_new_project_is_there_to_be_mapped(site: Site, change: Callable[..., Any]) -> None:
    """A webhook names it, a listing too; nothing of what is mapped changes."""
    installation = site.set_up()
    change(installation, "project_created", id="10099", key="NEW")
    assert site.project(installation, "10099").key == "NEW"


def test_a_renamed_site_is_found_again_after_a_listing(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """Deliveries name the new address, of which nobody told: until the next listing they wait for a person."""
    installation = site.set_up()
    monkeypatch.setattr(documents, "SITE", "https://octo.atlassian.net")
    issue = documents.issue(documents.project(0), 12)
    site.tell("jira:issue_updated", delivery="d1", issue=issue)
    assert [item.reason for item in site.connectors.review.list(workspace="")] == ["unknown_installation"]
    site.sync(installation)
    assert site.installation(installation).account_url == "https://octo.atlassian.net"
    site.tell("jira:issue_updated", delivery="d2", issue=documents.issue(documents.project(0), 13))
    assert [dispatch.event.subject for dispatch in site.dispatched] == ["HELLO-13"]


def test_scopes_that_shrink_at_a_new_consent_are_seen(site: Site) -> None:
    """Without the scope for webhooks, nothing of the layers goes; without the one for issues, nothing connects."""
    installation = site.set_up()
    site.stand_in.scopes = ("read:jira-work", "read:me")
    assert site.connect().scopes == ("read:jira-work", "read:me")
    assert site.layers(installation) == BEFORE
    site.stand_in.scopes = ("read:me",)
    with pytest.raises(ConnectorsError):
        site.connect()


def test_a_webhook_that_ended_in_silence_is_made_again(site: Site) -> None:
    """After thirty days without an extension nothing comes and nobody tells: reading back finds it."""
    installation = site.set_up()
    site.stand_in.registered.remove([1])
    assert site.subscribe(installation) == ["1"]
    assert site.layers(installation) == BEFORE
